"""The work of `beet tempo-notes`: writing down the notes of the tracks of a library."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

from tempo_core.background import call, interruptible
from tempo_core.console import counted, shown
from tempo_core.errors import StorageError, TempoError, reason
from tempo_core.transcription import transcribing
from tempo_core.transcription.choices import ENDINGS, Wanted
from tempo_core.transcription.drafts import Draft, Transcribed, draft
from tempo_core.transcription.formats import encode
from tempo_core.transcription.storing import store

from .estimating import estimate_all
from .guarding import library_errors
from .items import file_status, own
from .moving import tempo_of
from .note_paths import Owners, destination
from .progress import Progress, name_of
from .selecting import Selection, each_item, items_of
from .settings import path_of

if TYPE_CHECKING:
    from beets.library import Item, Library
    from beets.logging import BeetsLogger


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes
    ----------
    paths
        By the id of each track to work on: the path of its notes in the folder, and its destination
        without a number (see `Owners`).
    n_there
        Number of tracks whose notes are newer than they are.
    with_tempo
        Whether the tempo of a track is not known.
    """

    paths: dict[int, tuple[str, str]]
    n_there: int
    with_tempo: bool


class NotesProgress(Progress):
    """Progress of writing notes, with a count of the files that were written."""

    n_written = 0

    def written(self, item: Item, made: Draft, path: Path) -> None:
        """Report the notes of a track."""
        self.n_written += 1
        told = counted(len(made.notes), "note")
        problem = f" ({made.problem})" if made.problem else ""
        self.line(f"{name_of(item)}: {told}{problem} -> {path}", notable=made.problem is not None)

    def summary(self, plan: Plan) -> str:
        """Counts of the run in one line."""
        there = f"; {plan.n_there} there already" if plan.n_there else ""
        tracks = counted(self.n_written + self.failed, "track")
        return f"{tracks}: {self.n_written} written, {self.failed} failed{there}"


def note_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Write the notes of the tracks that match a query to files, and print a summary.

    Raises
    ------
    UserError
        If the folder cannot be written, the model cannot be loaded, a track failed, the library
        cannot be read, or the run was interrupted.
    """
    folder = path_of(settings.notes.out)
    assert folder is not None  # the command refuses to run otherwise
    owners = Owners(folder)
    with library_errors("nothing was written"):
        plan = choose(lib, args, settings, owners, folder)
    progress = NotesProgress(
        len(plan.paths), quiet=settings.quiet, pretend=settings.pretend, log=log
    )
    with library_errors(lambda: progress.summary(plan)):
        if settings.pretend:
            _show(lib, plan, folder, progress)
            return
        if plan.paths:
            _work(lib, plan, settings, _Notes(settings, owners, folder, progress))
    if progress.failed:
        raise UserError(progress.summary(plan))
    if not settings.quiet:
        ui.print_(f"tempo-notes: {progress.summary(plan)}")


def choose(lib: Library, args: list[str], settings: Any, owners: Owners, folder: Path) -> Plan:
    """What is to be done for the tracks that match a query."""
    notes = settings.notes
    paths, n_there, with_tempo = {}, 0, False
    ids = Selection(lib, args, album=bool(settings.album), pretend=True).ids()
    for item in items_of(lib, ids):
        wanted = destination(item, notes.path, ENDINGS[notes.format])
        path = owners.take(wanted, os.fsdecode(item.path))
        if not settings.force and _is_newer(folder / path, item):
            n_there += 1
        else:
            paths[item.id or 0] = path, wanted
            with_tempo = with_tempo or not tempo_of(item)
    return Plan(paths, n_there, with_tempo)


def _is_newer(path: Path, item: Item) -> bool:
    """Whether a file is there that was written after the file of a track."""
    audio = file_status(item)
    try:
        return audio is not None and path.stat().st_mtime >= audio.st_mtime
    except OSError:
        return False


def _show(lib: Library, plan: Plan, folder: Path, progress: NotesProgress) -> None:
    """Print what would be written."""
    with progress:
        for item in items_of(lib, plan.paths):
            progress.line(f"{name_of(item)} -> {folder / plan.paths[item.id or 0][0]}")
    if progress.shows_lines:
        there = f"; {plan.n_there} there already" if plan.n_there else ""
        ui.print_(f"tempo-notes: would write {counted(len(plan.paths), 'track')}{there}")


def _work(lib: Library, plan: Plan, settings: Any, notes: _Notes) -> None:
    """Transcribe the tracks and write what comes out.

    Raises
    ------
    UserError
        If the folder cannot be written, the model cannot be loaded or the run was interrupted.
    """
    progress = notes.progress
    with interruptible() as stop, progress:
        try:
            notes.owners.open()
            load = partial(transcribing.load_estimator, settings.notes.model, plan.with_tempo)
            estimator = call(load, stop.is_set)
        except OSError as error:
            told = f"{shown(str(notes.folder))} cannot be written: {reason(error)}"
            raise UserError(told) from error
        except (TempoError, ImportError) as error:
            raise UserError(str(error)) from error

        def listen(path: bytes) -> Transcribed:
            return transcribing.transcribe(path, estimator, settings.notes.threshold)

        items, limit = each_item(lib, plan.paths), settings.time_limit
        for item, result in estimate_all(listen, items, settings.threads, stop.is_set, limit):
            notes.take(item, result, plan.paths[item.id or 0])
    if stop.is_set():
        raise UserError(f"interrupted: {progress.summary(plan)}; the next run continues from here")


class _Notes:
    """The files that are written.

    Parameters
    ----------
    settings
        Settings merged with the options of the command.
    """

    def __init__(
        self, settings: Any, owners: Owners, folder: Path, progress: NotesProgress
    ) -> None:
        self.owners, self.folder, self.progress = owners, folder, progress
        notes = settings.notes
        self._form: str = notes.format
        self._wanted = Wanted(notes.part, notes.quantize, notes.grid, notes.threshold)

    def take(self, item: Item, result: Transcribed | Exception, place: tuple[str, str]) -> None:
        """Write the notes of a track, or report why there are none."""
        problem = result if isinstance(result, Exception) else self._write(item, result, place)
        if problem is not None:
            self.progress.failure(item, problem)

    def _write(self, item: Item, heard: Transcribed, place: tuple[str, str]) -> Exception | None:
        """Write the notes of a track; returns what went wrong."""
        path, wanted = place
        made = draft(with_known_tempo(heard, item), self._wanted, name_of(item))
        try:
            self.owners.note(path, wanted, os.fsdecode(item.path))
            store(self.folder / path, encode(made, self._form))
        except StorageError as error:
            return error
        except OSError as error:  # of the record
            return StorageError(f"{self.folder} cannot be written: {reason(error)}")
        self.progress.written(item, made, self.folder / path)
        return None


def with_known_tempo(heard: Transcribed, item: Item) -> Transcribed:
    """What was heard of a track, with the tempo of the library where that has one."""
    if not (bpm := tempo_of(item)):
        return heard
    return Transcribed(heard.notes, bpm, own(item, "tempo_stability"))
