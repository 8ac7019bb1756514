"""Command `tempo-core labels`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..background import call, interruptible, parallel
from ..console import FiniteRange, echo, explain, time_limit_option
from ..errors import TempoError
from ..files import STDOUT, audio_files
from ..labels.sources import source_settings
from .command import Command
from .options import FILE, OUTPUT

if TYPE_CHECKING:
    from ..estimate import Estimator
    from ..labels.options import LabelOptions
    from ..labels.record import TrackQuery

Function = TypeVar("Function", bound=Callable[..., Any])


def _addresses(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Callback of `--url`: addresses by the name of the source, from texts `NAME=ADDRESS`."""
    addresses = dict(value.partition("=")[::2] for value in values)
    if not all(addresses.values()):
        raise click.BadParameter("give NAME=ADDRESS")
    return addresses


def _options_of_sources(command: Function) -> Function:
    """Add an option for every setting of a source to a command."""
    for setting in reversed(source_settings()):
        add = click.option(
            setting.option,
            setting.name,
            type=FILE if setting.is_file else str,
            envvar=setting.environment or None,
            help=setting.help,
        )
        command = add(command)
    return command


@click.command(cls=Command, short_help="Find published BPM and key of files.")
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="NAME",
    default=("tags",),
    show_default=True,
    help="Where to look; several in the order in which to ask.",
)
@click.option(
    "--url",
    "urls",
    multiple=True,
    callback=_addresses,
    metavar="NAME=ADDRESS",
    help="Another address for a source.",
)
@click.option(
    "--database",
    type=FILE,
    default=Path(click.get_app_dir("tempo-core")) / "labels.db",
    show_default=True,
    help="Where labels are kept.",
)
@click.option(
    "--interval",
    type=FiniteRange(min=0),
    default=2.0,
    show_default=True,
    help="Seconds between two requests to a site, at least.",
)
@click.option("--max-requests", type=click.IntRange(min=0), help="Send no more requests than this.")
@click.option("--contact", default="", help="Whom a site may turn to; part of the User-Agent.")
@_options_of_sources
@click.option("--proxy", default="", help="Address of a proxy for all requests.")
@click.option("--export", type=OUTPUT, help="Write the labels to this table; - prints it.")
@click.option("--report", type=OUTPUT, help="Write a report as HTML to this file; - prints it.")
@click.option("--estimate/--no-estimate", default=True, help="Check labels against the audio.")
@click.option("--model", default="default", show_default=True, help="Model for that.")
@time_limit_option
@click.option("-f", "--force", is_flag=True, help="Ask again about what is known.")
@click.option("-p", "--pretend", is_flag=True, help="Say what would be asked; ask nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but failures.")
@click.argument("files", nargs=-1, required=True)  # no click.Path, which would check them here
def labels(**given: Any) -> None:
    """Find published BPM and key for FILES, and the audio files in folders, by their tags.

    Every answer is kept; only what failed is asked again. The exit status is 1 if anything failed.
    """
    options = _label_options(given)
    if given["export"] == given["report"] == STDOUT:
        raise click.UsageError("--export and --report cannot both be printed")
    output = _Output(given["export"], given["report"], given["quiet"])
    pretend: bool = given["pretend"]
    model = given["model"] if given["estimate"] and not pretend else None
    with interruptible() as stop:
        reading = _Reading(given["files"], model, given["time_limit"], stop)
        failed = _show_plan(options, reading) if pretend else _label(options, reading, output)
    if stop.is_set():
        raise TempoError("interrupted; the next run continues from here")
    if failed:
        sys.exit(1)


def _label_options(given: Mapping[str, Any]) -> LabelOptions:
    """Options of a lookup, taken from the parameters of the command with the same names."""
    from ..labels.options import LabelOptions

    values = {setting.name: given[setting.name] for setting in source_settings()}
    names = {field.name for field in fields(LabelOptions)} & given.keys()
    return LabelOptions(values=values, **{name: given[name] for name in names})


@dataclass(frozen=True)
class _Output:
    """Output of the command: files of the table and the report, None for none.

    `quiet` restricts the printed messages to failures.
    """

    export: Path | None
    report: Path | None
    quiet: bool

    def line(self, text: str) -> None:
        """Print a line for people: on stderr if a file is printed on stdout."""
        if not self.quiet:
            echo(text, err=STDOUT in (self.export, self.report))


class _Reading:
    """Iterable of the tracks in files.

    If `model` is not None, they have its estimates of tempo and key. Files that cannot be read are
    left out, reported on stderr, and kept in `failed`. `time_limit` is the longest time for a
    file [s].
    """

    def __init__(
        self, files: tuple[str, ...], model: str | None, time_limit: float, stop: Event
    ) -> None:
        self.stopped: Callable[[], bool] = stop.is_set
        self.failed: list[str] = []
        self._files = files
        self._model = model
        self._time_limit = time_limit

    def __iter__(self) -> Iterator[TrackQuery]:
        estimator = None if self._model is None else call(self._load, self.stopped)

        def read(file: tuple[str, Exception | None]) -> TrackQuery:
            from ..labels.files import read_track

            path, problem = file
            if problem is not None:
                raise problem
            track = read_track(path)
            if estimator is None:
                return track
            found = estimator.estimate(path)
            return replace(track, estimate_bpm=found.bpm, estimate_key=found.key)

        files = audio_files(self._files, self.stopped, self._time_limit)
        for (path, _), track in parallel(read, files, 1, self.stopped, self._time_limit):
            if isinstance(track, Exception):
                self.failed.append(path)
                echo(f"{path}: {explain(track)}", err=True)
            else:
                yield track

    def _load(self) -> Estimator:
        from ..estimate import Estimator

        return Estimator(self._model or "default")


def _show_plan(options: LabelOptions, reading: _Reading) -> bool:
    """Print which sources would be asked about each track; returns whether anything failed."""
    from ..labels.matching import queries
    from ..labels.options import open_plan

    with open_plan(options) as plan:
        for track in reading:
            names = plan(track)
            what = f"would ask {', then '.join(names)} for {next(queries(track))!r}"
            echo(f"{track.name}: {what if names else 'nothing to ask'}")
    return bool(reading.failed)


def _label(options: LabelOptions, reading: _Reading, output: _Output) -> bool:
    """Look the tracks up and write the output; returns whether anything failed."""
    from ..labels.options import attributions, open_run
    from ..labels.results import ResultFiles
    from ..labels.summary import Tally, describe

    tally = Tally()
    files = ResultFiles(output.report, output.export)

    def stopped_source(message: str) -> None:
        reading.failed.append(message)
        echo(message, err=True)

    with open_run(options, stopped_source) as run:
        for looked_up in run.label(reading, reading.stopped):
            tally.add(looked_up)
            for record in looked_up.failures:
                echo(f"{record.path}: {record.source}: {record.message}", err=True)
            output.line(describe(looked_up))
            files.add(looked_up)
        files.write()
        for line in (tally.summary(run), *attributions(options.names)):
            output.line(line)
    return bool(tally.failed or reading.failed)
