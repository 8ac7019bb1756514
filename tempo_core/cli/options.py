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


def share(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """Callback of a number between 0 and 1."""
    if value is not None and not 0 < value < 1:
        raise click.BadParameter("give a number between 0 and 1")
    return value


def moment(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Callback of a time within a track: seconds, or minutes and seconds (`1:05`); in seconds."""
    if value is None:
        return None
    try:
        parts = [float(part) for part in value.split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or not all(0 <= part < float("inf") for part in parts):
        raise click.BadParameter("give seconds, or minutes and seconds as 1:05")
    return sum(part * 60**k for k, part in enumerate(reversed(parts)))
