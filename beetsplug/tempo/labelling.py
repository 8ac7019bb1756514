"""What `beet tempo-labels` does with the tracks that its query matches."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

from tempo_core.background import TIME_LIMIT, call, interrupted, interruptible
from tempo_core.console import shown
from tempo_core.errors import TempoError
from tempo_core.labels.matching import queries
from tempo_core.labels.options import Options, attributions, open_plan, open_run
from tempo_core.labels.record import Track, Verdict
from tempo_core.labels.report import REVIEW, Line, write_report
from tempo_core.labels.sources.tsv import write as write_table
from tempo_core.labels.summary import Tally, describe, is_silent
from tempo_core.labels.training import objection
from tempo_core.paces import parse_paces

from .choosing import Selection, as_it_is, each_item, settle
from .file_keys import key_text, remember_key
from .guarding import library_errors
from .keeping import TEMPO, catch_up, keep, store, tried
from .origin import (
    Decision,
    bpm_of,
    is_from_label,
    is_ours,
    own,
    same_file,
    set_or_clear,
    set_tempo,
)
from .progress import Progress
from .settings import path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beets.library import Item, Library
    from beets.logging import BeetsLogger

    from tempo_core.labels.lookup import Labelled
    from tempo_core.labels.record import Record

FIELDS = (
    "tempo_label_bpm", "tempo_label_key", "tempo_label_source", "tempo_label_url",
    "tempo_label_status", "tempo_label_verdict", "tempo_label_date",
)  # fmt: skip


def label_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Find labels for what matches, keep and show them, and say what happened.

    Raises
    ------
    UserError
        If a setting makes no sense, a file cannot be used, a track failed or the run was
        interrupted.
    """
    album = bool(settings.get("album"))
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


def make_options(lib: Library, settings: Any) -> Options:
    """The settings of the plugin as the engine wants them."""
    labels = settings.labels
    beside = Path(os.fsdecode(lib.path)).parent / "labels.db"

    return Options(
        sources=tuple(settings.sources),
        database=path_of(labels.database) or beside,
        urls=labels.urls,
        interval=labels.interval,
        max_requests=labels.max_requests,
        contact=labels.contact or "",
        getsongbpm_key=labels.getsongbpm_key or "",
        acousticbrainz=path_of(labels.acousticbrainz),
        tsv=path_of(settings.get("import_")),
        force=settings.force,
        proxy=labels.proxy or "",
    )


def track_of(item: Item, time_limit: float = TIME_LIMIT) -> Track:
    """What there is to know about an item; reads the tags of its file, not its audio."""
    file = _file(item, time_limit)
    tag_bpm, tag_key = _tags(item, file)
    names = (item.artist, *item.get("artists", ()), item.artist_credit, item.artist_sort)
    return Track(
        title=item.title,
        artists=tuple(dict.fromkeys(name for name in names if name)),
        album=item.album,
        genre=str(item.get("genre") or "; ".join(item.get("genres") or ())),
        duration=item.length or None,
        file_duration=file.duration if file else None,
        isrc=item.isrc or None,
        recording_id=item.mb_trackid or None,
        spotify_id=own(item, "spotify_track_id") or None,
        path=os.fsdecode(item.path),
        tag_bpm=tag_bpm,
        tag_key=tag_key,
        estimate_bpm=estimate_of(item),
    )


def estimate_of(item: Item) -> float | None:
    """The tempo that the audio alone speaks for, None if it was not analysed.

    `tempo_bpm` is not that where somebody's tempo was kept and agrees: it is the pace that fits
    theirs then. The most probable pace does not know about tags.
    """
    tempo: float | None = own(item, "tempo_bpm")
    audio = (Decision.SET.word, Decision.CONFLICT.word, Decision.UNSURE.word)
    by_model = str(own(item, "tempo_source")).startswith("model:")
    if tempo and (own(item, "tempo_verdict") in audio or by_model):
        return tempo
    with suppress(ValueError):
        paces = parse_paces(own(item, "tempo_paces") or "")
        return paces[0].bpm if paces else None
    return None


def set_fields(item: Item, labelled: Labelled) -> None:
    """Write what is known into the item's `tempo_label_*` fields; does not store it.

    If nothing new could be found out, they stay as they are.
    """
    status, chosen = labelled.status, labelled.chosen
    if status is None:
        return
    values: dict[str, Any] = {"tempo_label_status": status.value}
    if chosen is not None:
        values |= {
            "tempo_label_bpm": chosen.bpm,
            "tempo_label_key": chosen.key,
            "tempo_label_source": chosen.source,
            "tempo_label_url": chosen.url,
            "tempo_label_verdict": chosen.verdict.value,
            "tempo_label_date": chosen.fetched_at[:10],
        }
    for field in FIELDS:
        set_or_clear(item, field, values.get(field) or None)


def apply_label(item: Item, label: Record | None) -> list[str]:
    """Let a label fill what is empty; returns the names of the fields that changed.

    `bpm` is filled where nothing else says a tempo. Where the audio was analysed the label has
    nothing to add: agreeing, it is less precise, and disagreeing, it is a question. `initial_key`
    is filled where it is empty, from a label whose tempo the audio does not contradict.
    """
    if label is None or label.verdict not in (Verdict.AGREE, Verdict.NO_ESTIMATE):
        return []
    changed: list[str] = []
    if not bpm_of(item) and label.bpm:
        set_tempo(item, label.bpm, f"label:{label.source}")
        agrees = label.verdict is Verdict.AGREE
        set_or_clear(item, "tempo_verdict", Decision.KEPT.word if agrees else None)
        changed += TEMPO
    if not item.initial_key and label.key:
        with same_file(item):
            item.initial_key = label.key
        changed.append("initial_key")
    return changed


def _show_plan(
    lib: Library, ids: list[int], options: Options, settings: Any, log: BeetsLogger
) -> None:
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


def _label(lib: Library, ids: list[int], options: Options, settings: Any, log: BeetsLogger) -> None:
    write = ui.should_write(settings.write)
    tally, lines, rows = Tally(), [], []
    progress = Progress(len(ids), quiet=settings.quiet, pretend=False, log=log)
    stopped_sources: list[str] = []

    def stopped_source(message: str) -> None:
        stopped_sources.append(message)
        log.error("{}", shown(message))

    with interruptible() as stop, open_run(options, stopped_source) as run:
        items: list[Item] = []  # what is in work; the run takes one track at a time

        def tracks() -> Iterator[Track]:
            for item in each_item(lib, ids):
                items.append(item)
                yield track_of(item, settings.time_limit)

        with progress:
            for labelled in run.label(tracks(), stop.is_set):
                tally.add(labelled)
                item = items.pop()
                # Whoever changed it while it was asked about is right.
                item = as_it_is(lib, item) or item
                problem = tried(partial(_keep, item, labelled, settings.labels.apply, write))
                if problem:
                    progress.failure(item, problem)
                elif labelled.failures:
                    told = "; ".join(f"{r.source}: {r.message}" for r in labelled.failures)
                    progress.failure(item, told)
                elif is_silent(labelled):
                    progress.unsaid(describe(labelled))
                else:
                    progress.line(describe(labelled))
                if settings.report:
                    lines.append(Line.of(labelled))
                if settings.export:
                    rows.append((labelled.track, labelled.chosen, bool(labelled.records)))
        summary = tally.summary(run)
    if report := path_of(settings.report):
        write_report(report, lines, settings.labels.trainable)
    if export := path_of(settings.export):
        usable = settings.trainable_only
        write_table(
            export,
            (row for row in rows if not usable or not objection(row[1], settings.labels.trainable)),
        )
    if stop.is_set():
        raise UserError(f"interrupted: {summary}; the next run continues from here")
    if progress.failed or stopped_sources:
        raise UserError(summary)
    if not settings.quiet:
        ui.print_(f"tempo-labels: {summary}")
        review = [verdict for verdict in REVIEW if tally.verdicts[verdict]]
        if review and not progress.shows_lines:
            told = ", ".join(f"beet ls tempo_label_verdict:{verdict.value}" for verdict in review)
            ui.print_(f"tempo-labels: which they are: {told}")
        for line in attributions(options.names):
            ui.print_(line)


def _keep(item: Item, labelled: Labelled, apply: bool, write: bool) -> Exception | None:
    """Store what was found, and put it into the file if it was applied; what went wrong there."""
    set_fields(item, labelled)
    if apply:
        catch_up(item)
    changed = apply_label(item, labelled.chosen) if apply else []
    problem = keep(item, changed, write)
    if remember_key(item):
        store(item)
    return problem


def _file(item: Item, time_limit: float) -> Track | None:
    """What the file of an item says; None if it cannot be read."""
    from tempo_core.labels.files import read_track

    path = item.path
    with suppress(TempoError):
        return call(lambda: read_track(path), interrupted, time_limit)
    return None


def _tags(item: Item, file: Track | None) -> tuple[str | None, str | None]:
    """BPM and key as somebody wrote them, verbatim; None for what this plugin wrote itself.

    beets cuts fractions off a BPM and misreads long names of keys when it reads a file, so the
    file is asked, as long as it says what the library says.
    """
    known = bpm_of(item)
    in_library = str(known) if known else None
    in_file = file.tag_bpm if file else None
    bpm = in_file if in_file and _as_beets_reads(in_file) == known else in_library
    if is_ours(item) or is_from_label(item):
        bpm = None
    key = key_text(item, file.tag_key if file else None)
    elsewhere = own(item, "tempo_label_source") not in (None, "tags")
    if elsewhere and item.initial_key == own(item, "tempo_label_key"):
        key = None  # it was applied
    return bpm, key


def _as_beets_reads(bpm: str) -> int:
    """The whole number that a BPM begins with, 0 if it does not begin with one."""
    digits = re.match(r"[+-]?[0-9]+", bpm)
    return int(digits[0]) if digits else 0
