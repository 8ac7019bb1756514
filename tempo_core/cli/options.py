"""Types and callbacks of options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from ..engines.schedulers import FORMS, is_scheduler
from ..files import STDOUT
from ..tasks import in_columns
from .destinations import PRINTED


class OutputFile(click.Path):
    """Path of a file to write; `-` is standard output, `files.STDOUT`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.Path`."""
        return STDOUT if value == PRINTED else super().convert(value, param, ctx)


FILE = click.Path(path_type=Path, dir_okay=False)
OUTPUT = OutputFile(path_type=Path, dir_okay=False)
Command = TypeVar("Command", bound=Callable[..., Any])


def cluster_options(command: Command) -> Command:
    """Options of commands whose work a cluster can do: `scheduler` and `cluster_config`."""
    config = click.option(
        "--cluster-config", type=FILE, help="YAML file with settings of the cluster; see the guide."
    )
    scheduler = click.option(
        "--scheduler", callback=scheduler_name, metavar="local:N|slurm|tcp://HOST:PORT|FILE.json",
        help="Work on a Dask cluster, and not in threads: N processes here, jobs of SLURM, or the "
        "scheduler at an address or in a scheduler file.",
    )  # fmt: skip
    return scheduler(config(command))


storages_option = click.option(
    "--storages", type=FILE, envvar="TEMPO_STORAGES", show_envvar=True,
    help="YAML file with the storages that audio at addresses may come from (http, s3, zip); see "
    "the guide.",
)  # fmt: skip


def scheduler_name(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Callback of `--scheduler`."""
    if value is not None and not is_scheduler(value):
        raise click.BadParameter(f"give {FORMS}")
    return value


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
