"""`tempo-core build`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from tempo_core.addresses import as_text, without_query
from tempo_core.cli.command import Command
from tempo_core.cli.engine import command_engine
from tempo_core.cli.options import cluster_options, storages_option
from tempo_core.console import FiniteRange, echo, time_limit_option

from ..options import SEEDS
from . import load, work

if TYPE_CHECKING:
    from tempo_core.engines import Engine

    from ..trainingset.build import Built

_PATH = click.Path(path_type=Path)
Problem = tuple[Path, str]  # a file that cannot be used, and why


@dataclass(frozen=True)
class BuildRequest:
    """The command line of `tempo-core build`.

    Attributes
    ----------
    table, database
        Where labels are, or None.
    sources
        Sources in the database to take labels of; none is those whose licence allows it.
    exclude
        Patterns of paths that are left out.
    cache_size
        The most that the network's inputs may take on disk [GB]; None is no limit.
    cache
        Whether they are computed now; None is what the number of labels calls for.
    scheduler, cluster_config
        A cluster that listens to the files; None for threads.
    storages
        Settings of the storages that audio at addresses may come from.
    time_limit
        For each file [s].
    """

    out: Path
    table: Path | None
    database: Path | None
    sources: tuple[str, ...]
    exclude: tuple[str, ...]
    cache_size: float | None
    cache: bool | None
    jobs: int
    scheduler: str | None
    cluster_config: Path | None
    storages: Path | None
    seed: int
    model: str
    time_limit: float
    quiet: bool
    files: tuple[str, ...]


@click.command(cls=Command, short_help="Make a training set of files with labels.")
@click.option("--out", type=_PATH, required=True, help="Folder of the training set.")
@click.option(
    "--labels", "table", type=_PATH,
    help="Table with the columns path and bpm; artist, title, album, genre, year, key if known.",
)  # fmt: skip
@click.option("--labels-db", "database", type=_PATH, help="Label store of `tempo-core labels`.")
@click.option(
    "--source", "sources", multiple=True, metavar="NAME",
    help="Take labels of this source from the store; by default those whose licence allows it.",
)  # fmt: skip
@click.option(
    "--exclude", multiple=True, metavar="PATTERN",
    help="Leave out paths that match, for example '*/Audiobooks/*'.",
)  # fmt: skip
@click.option(
    "--cache-size", type=FiniteRange(min=0, min_open=True), metavar="GB",
    help="The most that the network's inputs may take on disk.",
)  # fmt: skip
@click.option(
    "--cache/--no-cache", default=None, help="Compute the network's inputs now, or when they are "
    "needed; by default now if there are labels enough to train all of it (`train`: fit).",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default="all cores",
    help="Files at a time.",
)  # fmt: skip
@cluster_options
@storages_option
@click.option("--seed", type=SEEDS, default=0, show_default=True, help="Of the split.")
@click.option("--model", default="default", show_default=True, help="Model that judges the labels.")
@time_limit_option
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but failures.")
@click.argument("files", nargs=-1)  # _PATH would look at them here
def build(**given: Any) -> None:
    """Make a training set of FILES and folders, or of the files in a table.

    Labels come from the table, the label store and the files' own tags, in this order. Run it again
    when the collection has changed: what is known is not computed again, and no recording changes
    from training to test. `overview.png` shows what is in the set. The exit status is 1 if a file
    could not be read.
    """
    from tempo_core.background import interruptible
    from tempo_core.errors import TempoError

    request = BuildRequest(**given)
    if not request.files and request.table is None:
        raise click.UsageError("give files or folders, or a table with --labels")
    problems: list[Problem] = []
    try:
        with interruptible() as stop:
            opening = (request.scheduler, request.jobs, request.cluster_config, stop.is_set)
            with command_engine(*opening) as engine:
                built = _build(request, problems, stop, engine)
    except TempoError:
        _print(problems)
        raise
    failed = {track.path for track in built.failed}
    _print((path, reason) for path, reason in problems if path not in failed)
    _print((track.path, f"{track.reason} {track.detail}".rstrip()) for track in built.failed)
    if not request.quiet:
        for line in built.summary():
            echo(line)
    if problems or failed:
        sys.exit(1)


def _build(request: BuildRequest, problems: list[Problem], stop: Event, engine: Engine) -> Built:
    """Build the training set; files with unusable labels are appended to `problems`."""
    from tempo_core.errors import ConfigError
    from tempo_core.labels.sources import check_names
    from tempo_core.labels.store import Store
    from tempo_core.labels.training import TRAINABLE_SOURCES

    check_names(list(request.sources))
    if request.database is not None and not request.database.exists():
        raise ConfigError(f"no label store {request.database}; `tempo-core labels` makes one")
    building = load("trainingset.build", stop)
    gathering = load("trainingset.gather", stop)
    drawing = load("evaluation.overview", stop)
    labels = {} if request.table is None else gathering.read_labels(request.table)
    size = request.cache_size
    options = building.BuildOptions(
        seed=request.seed,
        jobs=request.jobs,
        model=request.model,
        quiet=request.quiet,
        views=True if request.cache is None and size is not None else request.cache,
        cache_size=None if size is None else round(size * 1e9),
        time_limit=request.time_limit,
    )

    def run() -> Built:
        paths = gathering.find_files(
            request.files or labels, request.exclude, stop.is_set, request.time_limit, problems
        )
        store = (
            nullcontext() if request.database is None else Store(request.database, read_only=True)
        )
        with store as opened:
            tracks = gathering.gather(
                paths, labels, opened, problems, request.sources or TRAINABLE_SOURCES,
                gathering.ReadingLimits(stop.is_set, request.time_limit),
            )  # fmt: skip
            built: Built = building.build(tracks, request.out, options, stop.is_set, engine)
        drawing.write_overview(request.out, built.kept, built.dropped)
        return built

    return work(run, stop, engine)


def _print(problems: Iterable[Problem]) -> None:
    for path, reason in problems:
        echo(f"{without_query(as_text(path))}: {reason}", err=True)
