"""The work of `beet tempo-labels`: finding and storing published labels of tracks."""

from __future__ import annotations

import os
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

from tempo_core.background import interruptible
from tempo_core.console import shown
from tempo_core.errors import TempoError
from tempo_core.labels.declaration import IMPORT
from tempo_core.labels.matching import queries
from tempo_core.labels.options import LabelOptions, attributions, open_plan, open_run
from tempo_core.labels.record import KeyVerdict
from tempo_core.labels.report import REVIEWED_VERDICTS
from tempo_core.labels.results import ResultFiles
from tempo_core.labels.sources import source_settings
from tempo_core.labels.summary import Tally, describe, describe_failures, is_silent

from .choosing import settle
from .describing import described, tags_of_file, track_of
from .grid_labels import ImportedGrids
from .guarding import library_errors
from .items import file_status
from .label_batches import Applying, LabelBatches, LabelledTrack
from .progress import Progress
from .selecting import Selection, fresh_items
from .settings import path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from tempo_core.labels.lookup import LookedUp, Run
    from tempo_core.labels.record import TrackQuery


def label_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Find labels for the tracks that match a query, store and print them, and print a summary.

    Raises
    ------
    UserError
        If a setting makes no sense, a file cannot be used, a track failed, a source is not asked
        any more, or the run was interrupted.
    """
    album = bool(settings.album)
    with library_errors("nothing was looked up"):
        if not settings.pretend:
            settle(lib)
        ids = Selection(lib, args, album=album, pretend=settings.pretend).ids()
    try:
        options = make_options(lib, settings)
        if settings.pretend:
            _show_plan(lib, ids, options, settings, log)
        else:
            with library_errors("what was found is in the label store"):
                _label(lib, ids, options, settings, log)
    except TempoError as error:
        raise UserError(str(error)) from error


def make_options(lib: Library, settings: Any) -> LabelOptions:
    """Options of a search for labels; the label store is beside the library by default."""
    labels = settings.labels
    beside = Path(os.fsdecode(lib.path)).parent / "labels.db"
    values: dict[str, Any] = {IMPORT.name: path_of(settings.get("import_"))}
    for setting in source_settings():
        if setting.in_config:
            value = labels[setting.name]
            values[setting.name] = path_of(value) if setting.is_file else value
    return LabelOptions(
        sources=tuple(settings.sources),
        database=path_of(labels.database) or beside,
        urls=labels.urls,
        interval=labels.interval,
        max_requests=labels.max_requests,
        contact=labels.contact or "",
        values=values,
        force=bool(settings.force),
        proxy=labels.proxy or "",
    )


def _show_plan(
    lib: Library, ids: list[int], options: LabelOptions, settings: Any, log: BeetsLogger
) -> None:
    """Print which sources would be asked about which tracks, without asking or storing anything."""
    n_open = 0
    progress = Progress(len(ids), quiet=settings.quiet, pretend=True, log=log)
    with interruptible() as stop, open_plan(options) as plan, progress:
        for item in fresh_items(lib, ids):
            if stop.is_set():
                raise UserError("interrupted")
            track = track_of(item, settings.time_limit)
            names = plan(track)
            n_open += bool(names)
            if names:
                query = next(queries(track))
                progress.line(f"{track.name}: would ask {', then '.join(names)} for {query!r}")
            else:
                progress.unsaid(f"{track.name}: nothing to ask")
    if not settings.quiet:
        ui.print_(f"tempo-labels: would have: {n_open} of {len(ids)} tracks looked up")


def labelled_tracks(
    run: Run, items: Iterable[Item], time_limit: float, stopped: Callable[[], bool]
) -> Iterator[LabelledTrack]:
    """Look up labels of items; yields each item with the result, in the order of the items."""

    def read() -> Iterator[tuple[Item, os.stat_result | None, TrackQuery | None]]:
        for item in items:
            seen = file_status(item)
            yield item, seen, tags_of_file(item, time_limit)

    asked, answered = tee(read())
    tracks = (described(item, tags) for item, _, tags in asked)
    for found in run.label(tracks, stopped):
        item, seen, tags = next(answered)
        yield LabelledTrack(item, tags, seen, found)


def _label(
    lib: Library, ids: list[int], options: LabelOptions, settings: Any, log: BeetsLogger
) -> None:
    """Look up labels, store them, write report and export, and print a summary.

    Raises
    ------
    UserError
        If a track failed, a source is not asked any more, or the run was interrupted.
    """
    tally = Tally()
    files = ResultFiles(
        path_of(settings.report),
        path_of(settings.export),
        settings.labels.trainable,
        trainable_only=bool(settings.trainable_only),
    )
    progress = Progress(len(ids), quiet=settings.quiet, pretend=False, log=log)
    apply = bool(settings.labels.apply)
    grids = ImportedGrids.of(options) if apply else None
    applying = Applying(apply, ui.should_write(settings.write), grids, settings.camelot_in)
    stopped_sources: list[str] = []

    def stopped_source(message: str) -> None:
        stopped_sources.append(message)
        log.error("{}", shown(message))

    def finished(item: Item, labelled: LookedUp, problem: Exception | None) -> None:
        tally.add(labelled)
        files.add(labelled)
        _show(progress, item, labelled, problem)

    with interruptible() as stop, open_run(options, stopped_source) as run:
        # A site takes seconds to answer; meanwhile the next tracks may change.
        items = fresh_items(lib, ids)
        with progress, LabelBatches(lib, applying, stop.is_set, finished) as batches:
            for track in labelled_tracks(run, items, settings.time_limit, stop.is_set):
                batches.add(track)
        summary = tally.summary(run)
    files.write()
    if stop.is_set():
        raise UserError(f"interrupted: {summary}; the next run continues from here")
    if progress.failed or stopped_sources:
        raise UserError(summary)
    if not settings.quiet:
        _show_summary(summary, tally, options, progress)


def _show(progress: Progress, item: Item, labelled: LookedUp, problem: Exception | None) -> None:
    """Report the result for a track; without a line if no source can look for it."""
    if problem:
        progress.failure(item, problem)
    elif labelled.failures:
        progress.failure(item, describe_failures(labelled))
    elif is_silent(labelled):
        progress.unsaid(describe(labelled))
    else:
        progress.line(describe(labelled))


def _show_summary(summary: str, tally: Tally, options: LabelOptions, progress: Progress) -> None:
    """Print the summary, queries for the tracks to look at, and attributions of the sources."""
    ui.print_(f"tempo-labels: {summary}")
    review = [
        f"tempo_label_verdict:{verdict.value}"
        for verdict in REVIEWED_VERDICTS
        if tally.verdicts[verdict]
    ]
    if tally.keys[KeyVerdict.CONFLICT]:
        review.append(f"tempo_label_key_verdict:{KeyVerdict.CONFLICT.value}")
    if review and not progress.shows_lines:
        told = ", ".join(f"beet ls {query}" for query in review)
        ui.print_(f"tempo-labels: which they are: {told}")
    for line in attributions(options.names):
        ui.print_(line)
