"""Command `tempo-core beats`."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..addresses import without_query
from ..background import Stopped, call, interruptible, working
from ..console import echo, encoding_of, escaped, explain, time_limit_option
from ..engines import loaded
from ..engines.sharing import shared_model
from ..errors import AudioError, ClusterError, TempoError
from ..exports.beats import (
    COLUMNS,
    ENCODERS,
    ENDINGS,
    TEXT_FORMATS,
    TrackBeats,
    encode_audacity,
)
from ..files import audio_files, is_channel
from ..transcription.storing import store
from .command import Command
from .destinations import Destinations, Target, is_several, target
from .done import Done, so_far, tell_known
from .engine import File, Found, command_engine, each_in_order
from .options import FILE, cluster_options, storages_option

if TYPE_CHECKING:
    from ..estimate import Estimator


def beats_of(path: str, estimator: Estimator) -> TrackBeats:
    """The beats of a file.

    Parameters
    ----------
    estimator
        One with the tasks `tempo` and `beats`, which hears the whole of a file.

    Raises
    ------
    AudioError
        If the file is missing, unreadable, silent or too short.
    """
    from ..audio import AudioFile

    results = estimator.results(path)
    tempo, found = results["tempo"], results["beats"]
    with AudioFile(path) as file:
        duration = file.duration
    if duration is None:  # as of a raw stream: it ends where the last window does
        duration = tempo.curve[-1].start + tempo.plan.duration if tempo.curve else 0.0
    return TrackBeats(
        path, tempo.bpm, tempo.confidence, found.grid, found.downbeat_confidence, duration
    )


@dataclass(frozen=True)
class BeatsWork:
    """Finding of the beats of files; see `engines.Work`. `model` is the name or path of theirs."""

    model: str

    def load(self) -> FindingBeats:
        """Load the models."""
        from ..estimate import Estimator

        models = {"beats": self.model}
        return FindingBeats(Estimator(windows="all", tasks=("tempo", "beats"), models=models))

    def uses(self) -> Mapping[str, str]:
        """The models, by task."""
        finding = loaded(self)
        assert isinstance(finding, FindingBeats)
        return finding.estimator.sources


@dataclass(frozen=True)
class FindingBeats:
    """The function from a file to its beats, with the models in memory."""

    estimator: Estimator

    def __call__(self, file: File) -> TrackBeats:
        return beats_of(file[1], self.estimator)


@click.command(cls=Command, short_help="Where the beats and bars of files are.")
@click.option("--format", "form", type=click.Choice(list(ENCODERS)), default="tsv",
              show_default=True)  # fmt: skip
@click.option(
    "-o", "--output", metavar="FILE|FOLDER",
    help="File to write, - for standard output; for several files a folder, or names with {name} "
    "and {folder} in them. Without it a table, JSON or labels are printed.",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default="all cores",
    help="Files at a time.",
)  # fmt: skip
@cluster_options
@storages_option
@click.option(
    "--journal", type=FILE,
    help="Note there what -o has written; the same command then goes on where it was stopped.",
)  # fmt: skip
@click.option(
    "--model", default="default", show_default=True,
    help="Name or path of a model of the beats, see `models`.",
)  # fmt: skip
@time_limit_option
@click.argument("files", nargs=-1, required=True)  # no click.Path, which would check them here
def beats(
    form: str, output: str | None, jobs: int, scheduler: str | None, cluster_config: Path | None,
    storages: Path | None, journal: Path | None, model: str, time_limit: float,
    files: tuple[str, ...],
) -> None:  # fmt: skip
    """List the beats of FILES, and of the audio files in folders: time, and place in the bar.

    Times are in seconds from the first sample that a player plays. Where the tempo is steady it is
    one grid for the whole file, else a grid of sections. Bars are only counted where it is sure
    where they begin. A file that fails, or whose beats are not sure, is one line, and makes the
    exit status 1.
    """
    where = None if output is None else target("-o", output, files, ENDINGS[form])
    several = len(files) > 1 or is_several(files[0])
    if where is None and (form == "click.wav" or (several and form not in TEXT_FORMATS)):
        raise click.UsageError(f"--format {form} needs -o here")
    if journal is not None and (where is None or where.is_printed):
        raise click.UsageError("--journal is for -o; what is printed is not kept")
    work = BeatsWork(shared_model(model))
    with (
        interruptible() as stop,
        command_engine(scheduler, jobs, cluster_config, stop.is_set) as engine,
    ):
        finding = call(partial(loaded, work), stop.is_set)
        assert isinstance(finding, FindingBeats)
        how = f"{form} {sorted(finding.estimator.sources.values()) if journal else ''}"
        found = list(audio_files(files, stop.is_set, time_limit))
        with Done(journal, how, time_limit) as done:
            run = _Run(form, where, found, several, stop.is_set, done)
            tell_known(run.todo, len(found))
            todo = [found[number] for number in run.todo]
            try:
                for (k, path), result in each_in_order(engine, work, todo, stop.is_set, time_limit):
                    run.take(run.todo[k], path, result)
            except ClusterError as error:
                raise ClusterError(f"{error}: {so_far(run.n_done, len(found), journal)}") from error
            finally:
                run.end()
    if stop.is_set():
        raise click.ClickException(f"interrupted: {so_far(run.n_done, len(found), journal)}")
    if run.n_failed:
        click.echo(f"{run.n_failed} of {len(found)} files failed", err=True)
        sys.exit(1)


class _Run:
    """The output of a run, and how many files are done and have failed."""

    def __init__(
        self,
        form: str,
        where: Target | None,
        found: Sequence[Found],
        several: bool,
        stopped: Callable[[], bool],
        done: Done,
    ):
        self.n_failed = 0
        self._stopped = stopped
        self._form, self._several = form, several
        destinations = Destinations(path for path, _ in found)
        self._paths = [None if where is None else destinations.take(where.of(p)) for p, _ in found]
        self._done = done
        written = [[path] if isinstance(path, Path) else [] for path in self._paths]
        self._keys = done.keys(zip((path for path, _ in found), written, strict=True))
        keys = zip(self._keys, written, strict=True)
        self.todo = [number for number, (key, paths) in enumerate(keys) if not done.has(key, paths)]
        self.n_done = len(found) - len(self.todo)
        self._table = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
        self._n_objects = 0
        if where is None and form == "tsv":
            self._table.writerow(("path", *COLUMNS))

    def take(self, number: int, path: str, result: TrackBeats | Exception) -> None:
        """Write the beats of a file, or report why there are none."""
        if isinstance(result, TrackBeats):
            result = replace(result, path=path)  # which may be a longer one on the cluster
        problem = result if isinstance(result, Exception) else self._write(number, path, result)
        if isinstance(problem, Stopped):
            return
        self.n_done += 1
        if problem is None:
            self._done.note(self._keys[number])
            return
        self.n_failed += 1
        told = explain(problem)
        echo(f"{without_query(path)}: {told}", err=True)
        if self._paths[number] is None and self._form == "json":
            self._object({"path": path, "error": told})

    def _write(self, number: int, path: str, beats: TrackBeats) -> Exception | None:
        """Write or print beats; returns what went wrong."""
        to = self._paths[number]
        if beats.grid is None:
            return AudioError("no beat that one could be sure of")
        if isinstance(to, Exception):
            return to
        if to is not None:
            try:
                with working(self._stopped):
                    store(to, ENCODERS[self._form](beats))
            except TempoError as error:
                return error
            # Into a pipe or a device, which may be standard output, goes nothing but the file.
            echo(f"{without_query(path)}: {summary(beats)} -> {to}", err=is_channel(to))
        elif self._form == "json":
            self._object({"path": path, **beats.plain(), "error": None})
        elif self._form == "tsv":
            shown = escaped(path, encoding_of(sys.stdout))
            self._table.writerows((shown, *row) for row in beats.rows())
            sys.stdout.flush()
        else:
            click.echo(encode_audacity(beats), nl=False)
        return None

    def _object(self, value: dict[str, object]) -> None:
        click.echo(("[\n" if not self._n_objects else ",\n") + json.dumps(value), nl=False)
        self._n_objects += 1

    def end(self) -> None:
        """Close what was begun."""
        if self._form == "json" and None in self._paths:
            click.echo("\n]" if self._n_objects else "[]")


def summary(beats: TrackBeats) -> str:
    """What was found, in a few words: `412 beats at 127.98 BPM, bars (0.97)`."""
    n, grid = len(beats.beats()), beats.grid
    if grid is None:
        return "no beats"
    if not grid.is_steady:
        return f"{n} beats in {len(grid.sections)} sections"
    bars = "no bars" if beats.downbeat_confidence is None else "bars"
    sure = "" if beats.downbeat_confidence is None else f" ({beats.downbeat_confidence:.2f})"
    return f"{n} beats at {grid.sections[0].bpm:.2f} BPM, {bars}{sure}"
