"""`tempo-core labels`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import click

from ..background import call, interruptible, parallel
from ..console import echo, explain, time_limit_option
from ..errors import TempoError
from ..files import audio_files
from .options import FILE

if TYPE_CHECKING:
    from ..estimate import Estimator
    from ..labels.options import Options
    from ..labels.record import Track


def _addresses(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    addresses = dict(value.partition("=")[::2] for value in values)
    if not all(addresses.values()):
        raise click.BadParameter("give NAME=ADDRESS")
    return addresses


@click.command(short_help="Find published BPM and key of files.")
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
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    help="Seconds between two requests to a site, at least.",
)
@click.option("--max-requests", type=click.IntRange(min=0), help="Send no more requests than this.")
@click.option("--contact", default="", help="Whom a site may turn to; part of the User-Agent.")
@click.option("--getsongbpm-key", default="", envvar="GETSONGBPM_KEY", help="Key of GetSongBPM.")
@click.option("--proxy", default="", help="Address of a proxy for all requests.")
@click.option("--acousticbrainz", type=FILE, help="File made by `acousticbrainz-index`.")
@click.option("--import", "tsv", type=FILE, help="Take labels from this table first.")
@click.option("--export", type=FILE, help="Write the labels to this table.")
@click.option("--report", type=FILE, help="Write a report as HTML to this file.")
@click.option("--estimate/--no-estimate", default=True, help="Check labels against the audio.")
@click.option("--model", default="default", show_default=True, help="Model for that.")
@time_limit_option
@click.option("-f", "--force", is_flag=True, help="Ask again about what is known.")
@click.option("-p", "--pretend", is_flag=True, help="Say what would be asked; ask nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but failures.")
@click.argument("files", nargs=-1, required=True)  # click.Path would look at them here
def labels(
    sources: tuple[str, ...], urls: dict[str, str], database: Path, interval: float,
    max_requests: int | None, contact: str, getsongbpm_key: str, proxy: str,
    acousticbrainz: Path | None, tsv: Path | None, export: Path | None, report: Path | None,
    estimate: bool, model: str, time_limit: float, force: bool, pretend: bool, quiet: bool,
    files: tuple[str, ...],
) -> None:  # fmt: skip
    """Find published BPM and key for FILES, and the audio files in folders, by their tags.

    Every answer is kept; only what failed is asked again. The exit status is 1 if anything failed.
    """
    from ..labels.options import Options

    options = Options(
        sources, database, urls, interval, max_requests, contact, getsongbpm_key, acousticbrainz,
        tsv, force, proxy,
    )  # fmt: skip
    output = _Output(export, report, quiet)
    try:
        with interruptible() as stop:
            reading = _Reading(files, model if estimate and not pretend else None, time_limit, stop)
            failed = _show_plan(options, reading) if pretend else _label(options, reading, output)
        if stop.is_set():
            raise TempoError("interrupted; the next run continues from here")
    except TempoError as error:
        raise click.ClickException(str(error)) from error
    if failed:
        sys.exit(1)


@dataclass(frozen=True)
class _Output:
    export: Path | None
    report: Path | None
    quiet: bool


class _Reading:
    """Tracks from files, with the audio's tempo if there is a model; failures are printed."""

    def __init__(
        self, files: tuple[str, ...], model: str | None, time_limit: float, stop: Event
    ) -> None:
        self.stopped: Callable[[], bool] = stop.is_set
        self.failed: list[str] = []
        self._files = files
        self._model = model
        self._time_limit = time_limit

    def __iter__(self) -> Iterator[Track]:
        estimator = None if self._model is None else call(self._load, self.stopped)

        def read(file: tuple[str, Exception | None]) -> Track:
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


def _show_plan(options: Options, reading: _Reading) -> bool:
    from ..labels.matching import queries
    from ..labels.options import open_plan

    with open_plan(options) as plan:
        for track in reading:
            names = plan(track)
            what = f"would ask {', then '.join(names)} for {next(queries(track))!r}"
            echo(f"{track.name}: {what if names else 'nothing to ask'}")
    return bool(reading.failed)


def _label(options: Options, reading: _Reading, output: _Output) -> bool:
    from ..labels.options import attributions, open_run
    from ..labels.results import ResultFiles
    from ..labels.summary import Tally, describe

    tally = Tally()
    files = ResultFiles(output.report, output.export)

    def stopped_source(message: str) -> None:
        reading.failed.append(message)
        echo(message, err=True)

    with open_run(options, stopped_source) as run:
        for labelled in run.label(reading, reading.stopped):
            tally.add(labelled)
            for record in labelled.failures:
                echo(f"{record.path}: {record.source}: {record.message}", err=True)
            if not output.quiet:
                echo(describe(labelled))
            files.add(labelled)
        files.write()
        if not output.quiet:
            echo(tally.summary(run))
            for line in attributions(options.names):
                echo(line)
    return bool(tally.failed or reading.failed)
