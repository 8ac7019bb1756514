"""Types and callbacks of options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ..tasks import in_columns

FILE = click.Path(path_type=Path, dir_okay=False)


def window_count(ctx: click.Context, param: click.Parameter, value: str) -> int | str:
    """Callback of `--windows`: a whole number from 1, or `all`."""
    if value == "all":
        return value
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter("give a whole number from 1 on, or 'all'")
    return int(value)


def task_names(ctx: click.Context, param: click.Parameter, value: str) -> Sequence[str]:
    """Callback of `--tasks`: names of tasks with columns, separated by commas."""
    names = [name.strip() for name in value.split(",") if name.strip()]
    unknown = [name for name in names if name not in in_columns()]
    if unknown or not names:
        raise click.BadParameter(f"give some of {', '.join(in_columns())}, with commas between")
    return names
