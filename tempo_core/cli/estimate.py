"""Command `tempo-core estimate`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

import click
from click.core import ParameterSource

from ..background import Stopped, call, interruptible
from ..columns import Column
from ..console import counted, echo, explain, time_limit_option
from ..engines import loaded
from ..engines.sharing import shared_model
from ..errors import ClusterError
from ..files import audio_files
from ..results.formats import FORMATS
from ..results.results import Results, check_output
from ..results.rows import shown_by
from ..results.tracks import Track, all_places, check_lists, count_tracks, tracks
from .command import Command
from .curve_writers import CURVE_WRITERS
from .engine import command_engine
from .estimating import EstimateRun, EstimateWork, Estimating
from .options import cluster_options, storages_option, task_names, window_count
from .ordered import in_order
from .writers import WRITERS, Writer


@click.command(cls=Command, short_help="Estimate the tempo and key of files.")
@click.option(
    "--format", "form", type=click.Choice(sorted(WRITERS)), default="text", show_default=True
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE",
    help="Write a table (.tsv), JSON lines (.jsonl) or Parquet (.parquet), as results come. Run it "
    "again to go on where it was stopped, or with more files.",
)  # fmt: skip
@click.option(
    "--from", "lists", type=click.Path(path_type=Path), multiple=True, metavar="LIST",
    help="Text file with one file or folder in each line; - is standard input.",
)  # fmt: skip
@click.option("--unordered", is_flag=True, help="Rows as they come, not in the order of files.")
@click.option("--retry", is_flag=True, help="With --out: try again what failed before.")
@click.option(
    "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default="all cores",
    help="Files at a time.",
)  # fmt: skip
@cluster_options
@storages_option
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
@click.argument("files", nargs=-1)  # no click.Path, which would check them here
@click.pass_context
def estimate(
    ctx: click.Context, form: str, out: Path | None, lists: tuple[Path, ...], unordered: bool,
    retry: bool, jobs: int, scheduler: str | None, cluster_config: Path | None,
    storages: Path | None, windows: int | str, model: str, names: Sequence[str], curve: bool,
    time_limit: float, files: tuple[str, ...],
) -> None:  # fmt: skip
    """Estimate tempo and key of FILES, and of the audio files in folders.

    A file that fails keeps its row, with the reason in `error`, and makes the exit status 1. With
    --curve a table has a row for each window instead, and failures are on stderr.
    """
    if not files and not lists:
        raise click.UsageError("give files or folders, or a list of them with --from")
    if curve:
        if "tempo" not in names and "pace" not in names:
            raise click.UsageError("--curve is about the tempo; name it in --tasks")
        if _is_given(ctx, "windows") and windows != "all":
            raise click.UsageError("--curve hears the whole of a file; leave --windows out")
        windows = "all"
    if out is None:
        if retry:
            raise click.UsageError("--retry is for --out, which keeps what failed")
    else:
        if curve or _is_given(ctx, "form"):
            name = "--curve" if curve else "--format"
            raise click.UsageError(f"{name} is for standard output; leave --out or {name} out")
        check_output(out)
    check_lists(lists)
    work = EstimateWork(shared_model(model), windows, tuple(names), curve)
    opening = (scheduler, jobs, cluster_config)
    with interruptible() as stop, command_engine(*opening, stop.is_set) as engine:
        estimating = call(partial(loaded, work), stop.is_set)
        assert isinstance(estimating, Estimating)
        run = EstimateRun(engine, work, stop.is_set, time_limit)
        if out is None:
            writer = (CURVE_WRITERS if curve else WRITERS)[form]
            n_failed, n = _print(run, estimating, writer, (files, lists), ordered=not unordered)
        else:
            n_failed, n = _store(
                run, estimating, out, (files, lists), ordered=not unordered, retry=retry
            )
    if n_failed:
        click.echo(f"{n_failed} of {n} files failed", err=True)
        sys.exit(1)


Places = tuple[Sequence[str], Sequence[Path]]  # files and folders, and lists of these


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE


def _print(
    run: EstimateRun,
    estimating: Estimating,
    writer_of: Callable[[Mapping[str, Column]], Writer],
    places: Places,
    *,
    ordered: bool,
) -> tuple[int, int]:
    """Print the rows of all files; the number of those that failed, and of all.

    Raises
    ------
    ClickException
        If the run was interrupted.
    """
    named = audio_files(all_places(*places), run.stopped, run.time_limit)
    found = [
        Track(number, path, None if problem is None else explain(problem))
        for number, (path, problem) in enumerate(named)
    ]
    writer = writer_of(shown_by(estimating.estimator.tasks))
    n_rows = n_failed = 0
    rows = run.rows(found)
    numbered = (((track.number, track), row) for track, row in rows)
    try:
        for _, row in in_order(numbered) if ordered else rows:
            writer.row(row)
            n_rows += 1
            n_failed += row.error is not None
    finally:
        writer.end()
    if run.stopped():
        raise click.ClickException(f"interrupted: {n_rows} of {len(found)} files are estimated")
    return n_failed, len(found)


def _store(
    run: EstimateRun,
    estimating: Estimating,
    out: Path,
    places: Places,
    *,
    ordered: bool,
    retry: bool,
) -> tuple[int, int]:
    """Write the rows of all files that have none yet; how many in the output failed, and all.

    Raises
    ------
    ClusterError, Stopped
        If the cluster was lost, or the run was interrupted; what is done is kept.
    """
    from tqdm import tqdm

    estimator = estimating.estimator
    form = FORMATS[out.suffix.lower()](shown_by(estimator.tasks))
    models = " ".join(source.removeprefix("model:") for source in estimator.sources.values())
    about = f"beets-tempo {version('beets-tempo')}, windows {run.work.windows}, {models}"
    with Results(out, form, about, ordered=ordered, retry=retry) as results:
        journal, total = results.journal, count_tracks(*places)
        known = min(journal.count(), total or sys.maxsize)
        try:
            hidden = True if sys.stderr is None else None
            with tqdm(total=total, initial=known, unit="track", disable=hidden) as bar:
                found = tracks(*places, run.stopped, run.time_limit)
                for _, row in run.rows(results.new(found)):
                    results.add(row)
                    bar.update()
            if run.stopped():
                raise Stopped("interrupted")
        except (ClusterError, Stopped) as error:
            raise type(error)(
                f"{error}; {counted(journal.count(), 'track')} done, in {out} and its journal: the "
                "same command goes on from here"
            ) from error
        results.finish()
        n, n_failed = journal.count(), journal.count(failed=True)
    echo(f"{out}: {counted(n, 'track')}")
    return n_failed, n
