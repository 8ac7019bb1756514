"""The work of `beet tempo-labels`: finding and storing published labels of tracks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
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

from .camelot_tags import code_key
from .choosing import settle
from .describing import track_of
from .file_keys import remember_key
from .grid_labels import ImportedGrids
from .guarding import library_errors
from .keeping import catch_up, keep, store, tried
from .label_fields import apply_label, set_fields
from .marking import KEY
from .progress import Progress
from .selecting import Selection, as_it_is, each_item
from .settings import path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from tempo_core.labels.lookup import LookedUp, Run


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
        for item in each_item(lib, ids):
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


def labelled_items(
    run: Run, items: Iterable[Item], time_limit: float, stopped: Callable[[], bool]
) -> Iterator[tuple[Item, LookedUp]]:
    """Look up labels of items; yields each item with the result, in the order of the items."""
    asked, answered = tee(items)
    tracks = (track_of(item, time_limit) for item in asked)
    for labelled in run.label(tracks, stopped):
        yield next(answered), labelled


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
    apply, write = settings.labels.apply, ui.should_write(settings.write)
    grids = ImportedGrids.of(options) if apply else None
    stopped_sources: list[str] = []

    def stopped_source(message: str) -> None:
        stopped_sources.append(message)
        log.error("{}", shown(message))

    with interruptible() as stop, open_run(options, stopped_source) as run:
        items = each_item(lib, ids)
        with progress:
            for found, labelled in labelled_items(run, items, settings.time_limit, stop.is_set):
                tally.add(labelled)
                files.add(labelled)
                # Read again, so that changes made to the item in the meantime are not lost.
                item = as_it_is(lib, found) or found
                applying = Applying(apply, write, grids, settings.camelot_in)
                problem = tried(partial(_keep, item, labelled, applying))
                _show(progress, item, labelled, problem)
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


@dataclass(frozen=True)
class Applying:
    """Whether empty fields are filled and files written.

    `grids` are those of an imported file; `camelot_in` is where the Camelot code of a key that is
    filled in goes, see `code_key`.
    """

    apply: bool
    write: bool
    grids: ImportedGrids | None
    camelot_in: str | None


def _keep(item: Item, labelled: LookedUp, applying: Applying) -> Exception | None:
    """Store the labels of an item, fill empty fields and write them to the file if that is wanted.

    Parameters
    ----------
    camelot_in
        Where the Camelot code of a key that is filled in goes, see `code_key`.

    Returns
    -------
    Exception or None
        The error of the file if its tags could not be written.
    """
    set_fields(item, labelled)
    changed: list[str] = []
    if applying.apply:
        catch_up(item)
        changed = apply_label(item, labelled.chosen)
    if KEY.field in changed:
        changed += code_key(item, applying.camelot_in)
    if applying.grids is not None:
        applying.grids.apply(item, labelled)
    problem = keep(item, changed, applying.write)
    if remember_key(item):
        store(item)
    return problem
