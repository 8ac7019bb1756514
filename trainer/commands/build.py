"""`tempo-core build`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from tempo_core.console import echo, time_limit_option

from . import load, work

if TYPE_CHECKING:
    from ..trainingset.build import Built

_PATH = click.Path(path_type=Path)


@click.command(short_help="Make a training set of files with labels.")
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
    "--cache-size", type=click.FloatRange(min=0, min_open=True), metavar="GB",
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
@click.option("--seed", type=int, default=0, show_default=True, help="Of the split.")
@click.option("--model", default="default", show_default=True, help="Model that judges the labels.")
@time_limit_option
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but failures.")
@click.argument("files", nargs=-1)  # _PATH would look at them here
def build(
    out: Path, table: Path | None, database: Path | None, sources: tuple[str, ...],
    exclude: tuple[str, ...], cache_size: float | None, cache: bool | None, jobs: int, seed: int,
    model: str, time_limit: float, quiet: bool, files: tuple[str, ...],
) -> None:  # fmt: skip
    """Make a training set of FILES and folders, or of the files in a table.

    Labels come from the table, the label store and the files' own tags, in this order. Run it again
    when the collection has changed: what is known is not computed again, and no recording changes
    from training to test. The exit status is 1 if a file could not be read.
    """
    from contextlib import nullcontext

    from tempo_core.background import interruptible
    from tempo_core.errors import ConfigError, TempoError
    from tempo_core.labels.sources import check_names
    from tempo_core.labels.store import Store
    from tempo_core.labels.training import SOURCES

    if not files and table is None:
        raise click.UsageError("give files or folders, or a table with --labels")
    problems: list[tuple[Path, str]] = []
    try:
        check_names(list(sources))
        if database is not None and not database.exists():
            raise ConfigError(f"no label store {database}; `tempo-core labels` makes one")
        with interruptible() as stop:
            building = load("trainingset.build", stop)
            gathering = load("trainingset.gather", stop)
            labels = {} if table is None else gathering.read_labels(table)
            options = building.BuildOptions(
                seed=seed, jobs=jobs, model=model, quiet=quiet,
                views=True if cache is None and cache_size is not None else cache,
                cache_size=None if cache_size is None else round(cache_size * 1e9),
                time_limit=time_limit,
            )  # fmt: skip

            def run() -> Built:
                paths = gathering.find_files(
                    map(Path, files) if files else labels, exclude, stop.is_set, time_limit
                )
                store = nullcontext() if database is None else Store(database, read_only=True)
                with store as opened:
                    tracks = gathering.gather(
                        paths,
                        labels,
                        opened,
                        problems,
                        sources or SOURCES,
                        gathering.ReadingLimits(stop.is_set, time_limit),
                    )
                    return cast("Built", building.build(tracks, out, options, stop.is_set))

            built = work(run, stop)
    except TempoError as error:
        _report(problems)
        raise click.ClickException(str(error)) from error
    failed = {track.path for track in built.failed}
    _report([(p, told) for p, told in problems if p not in failed])
    for track in built.failed:
        echo(f"{track.path}: {track.reason} {track.detail}".rstrip(), err=True)
    if not quiet:
        for line in built.summary():
            echo(line)
    if problems or failed:
        sys.exit(1)


def _report(problems: list[tuple[Path, str]]) -> None:
    for path, told in problems:
        echo(f"{path}: {told}", err=True)
