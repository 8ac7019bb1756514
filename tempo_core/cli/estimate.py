"""Command `tempo-core estimate`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from ..background import call, interruptible, parallel
from ..console import explain, time_limit_option
from ..errors import ConfigError
from ..files import audio_files
from .command import Command
from .curve_writers import CURVE_WRITERS
from .options import task_names, window_count
from .ordered import in_order
from .writers import WRITERS, Row, Writer, shown_by

if TYPE_CHECKING:
    from ..designs import FileEstimator


def estimate_files(
    estimator: FileEstimator,
    files: Iterable[tuple[str, Exception | None]],
    jobs: int,
    stopped: Callable[[], bool] = lambda: False,
    time_limit: float | None = None,
    *,
    curves: bool = False,
) -> Iterator[Row]:
    """Analyse files in `jobs` threads and yield a row for each, in the order of the files.

    A file that fails also has a row. Files that were not finished when the run was stopped have
    none.

    Parameters
    ----------
    files
        Paths, each with the error if it cannot be used, see `audio_files`.
    stopped
        Polled during the run; as soon as it returns True, the run ends.
    time_limit
        Longest time for a file [s], None for no limit.
    curves
        Whether the rows are to have the tempo of every window; the tempo is among the tasks then.
    """

    def one(task: tuple[int, tuple[str, Exception | None]]) -> Row:
        path, problem = task[1]
        if problem is not None:
            raise problem
        results = estimator.results(path)
        points = results["tempo"].curve if curves else None
        return Row(path, estimator.columns(results), None, points)

    with closing(parallel(one, enumerate(files), jobs, stopped, time_limit)) as results:
        for (path, _), result in in_order(results):
            if isinstance(result, Exception):
                yield Row(path, None, explain(result))
            else:
                yield result


@click.command(cls=Command, short_help="Estimate the tempo and key of files.")
@click.option(
    "--format", "form", type=click.Choice(sorted(WRITERS)), default="text", show_default=True
)
@click.option(
    "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default="all cores",
    help="Files at a time.",
)  # fmt: skip
@click.option(
    "--windows", callback=window_count, default="10", show_default=True, metavar="N|all",
    help="Windows of 12 s to listen to at most, or the whole file.",
)  # fmt: skip
@click.option(
    "--model", default="default", show_default=True, help="Name or path of a model, see `models`."
)
@click.option(
    "--tasks", "names", callback=task_names, default="tempo,pace,key,beats", show_default=True,
    metavar="NAMES", help="What to find out, with commas between.",
)  # fmt: skip
@click.option(
    "--curve", is_flag=True,
    help="The tempo of every window as well, over the whole of each file.",
)  # fmt: skip
@time_limit_option
@click.argument("files", nargs=-1, required=True)  # no click.Path, which would check them here
@click.pass_context
def estimate(
    ctx: click.Context, form: str, jobs: int, windows: int | str, model: str, names: Sequence[str],
    curve: bool, time_limit: float, files: tuple[str, ...],
) -> None:  # fmt: skip
    """Estimate tempo and key of FILES, and of the audio files in folders.

    A file that fails keeps its row, with the reason in `error`, and makes the exit status 1. With
    --curve a table has a row for each window instead, and failures are on stderr.
    """
    if curve:
        if "tempo" not in names and "pace" not in names:
            raise click.UsageError("--curve is about the tempo; name it in --tasks")
        given = ctx.get_parameter_source("windows") == ParameterSource.COMMANDLINE
        if given and windows != "all":
            raise click.UsageError("--curve hears the whole of a file; leave --windows out")
        windows = "all"

    def load() -> FileEstimator:
        from ..designs import OtherDesign, open_estimator

        opened = open_estimator(model, windows, names)
        if curve and isinstance(opened, OtherDesign):
            raise ConfigError(f"{model}: a model of this design gives no curve; leave --curve out")
        return opened

    with interruptible() as stop:
        estimator = call(load, stop.is_set)
        found = list(audio_files(files, stop.is_set, time_limit))
        writers = CURVE_WRITERS if curve else WRITERS
        writer: Writer = writers[form](shown_by(estimator.tasks))
        n_rows = failed = 0
        try:
            rows = estimate_files(estimator, found, jobs, stop.is_set, time_limit, curves=curve)
            for row in rows:
                writer.row(row)
                n_rows += 1
                failed += row.error is not None
        finally:
            writer.end()
    if stop.is_set():
        raise click.ClickException(f"interrupted: {n_rows} of {len(found)} files are estimated")
    if failed:
        click.echo(f"{failed} of {len(found)} files failed", err=True)
        sys.exit(1)
