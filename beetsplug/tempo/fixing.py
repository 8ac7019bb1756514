"""The work of `beet tempo --half` and its like: setting, locking and unlocking tempi by hand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

from tempo_core.background import Stopped, interruptible
from tempo_core.console import counted, shown

from .by_hand import (
    ByHandError,
    finish_by_hand,
    known_tempo,
    lock,
    require_unlocked,
    set_by_hand,
    standing_tempo,
    state,
)
from .choosing import settle
from .guarding import library_errors
from .items import LOCKED, bpm_of, locked_tempo, own, set_or_clear
from .keeping import announce_by_hand, atomically, tried
from .moving import tempo_of
from .progress import Progress, name_of
from .selecting import Selection, each_item, items_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from beets.library import Item, Library
    from beets.logging import BeetsLogger


@dataclass(frozen=True)
class TempoChange:
    """What somebody wants of the tempi of tracks.

    Attributes
    ----------
    done
        What was done to a track, in a word.
    ratio
        New tempo divided by the old one.
    bpm
        New tempo [BPM], instead of a ratio.
    lock
        Lock it (True), unlock it (False), or neither.
    """

    done: str
    ratio: float = 1.0
    bpm: float | None = None
    lock: bool | None = None

    def apply(self, item: Item) -> None:
        """Set the fields of a track; does not store it.

        Raises
        ------
        ByHandError
            If it has no tempo to change, or a locked one, or would have none.
        """
        if self.lock is False:
            set_or_clear(item, LOCKED, None)
            return
        if self.lock and self.bpm is None and self.ratio == 1 and locked_tempo(item) is not None:
            return
        require_unlocked(item)
        if self.bpm is not None:
            set_by_hand(item, self.bpm)
        elif self.ratio != 1:
            set_by_hand(item, self.ratio * known_tempo(item))
        else:
            set_by_hand(item, standing_tempo(item), as_it_stands=True)
        if self.lock:
            lock(item)


@dataclass(frozen=True)
class _Changed:
    """A track that was changed: its id, a line about it, and whether that is a new state."""

    id: int | None
    line: str
    is_new: bool


@dataclass(frozen=True)
class _Refused:
    """A track that could not be changed."""

    item: Item
    error: ByHandError


def change_of(settings: Any) -> TempoChange:
    """The change that the options of the command ask for."""
    lock = True if settings.lock else None
    if settings.unlock:
        return TempoChange("unlocked", lock=False)
    if settings.half:
        return TempoChange("halved", 0.5, lock=lock)
    if settings.double:
        return TempoChange("doubled", 2.0, lock=lock)
    if settings.nudge is not None:
        return TempoChange("nudged", settings.nudge, lock=lock)
    if settings.set is not None:
        return TempoChange("set", bpm=settings.set, lock=lock)
    return TempoChange("locked", lock=True)


def fix_library(lib: Library, args: list[str], settings: Any, log: BeetsLogger) -> None:
    """Change the tempi of the tracks that match a query as the options say.

    Raises
    ------
    UserError
        If a track cannot be changed or its file not be written, the library cannot be used, or the
        run was interrupted.
    """
    with library_errors("nothing was changed"):
        if not settings.pretend:
            settle(lib)
        album = bool(settings.album)
        ids = Selection(lib, args, album=album, pretend=settings.pretend).ids()
    if not ids:
        raise UserError("no track matches; nothing was changed")
    fix_tracks(lib, ids, change_of(settings), settings, log)


def fix_tracks(
    lib: Library, ids: Sequence[int], change: TempoChange, settings: Any, log: BeetsLogger
) -> None:
    """Change the tempi of some tracks, all of them in the library before the first file.

    If the process is killed, either none is changed, or all are and the next `beet tempo` writes
    the files that are missing. So nothing is halved twice by a second attempt.

    Raises
    ------
    UserError
        See `fix_library`.
    """
    write = ui.should_write(settings.write) and change.lock is not False and not settings.pretend
    progress = Progress(len(ids), quiet=settings.quiet, pretend=settings.pretend, log=log)
    with interruptible() as stop:
        with library_errors("nothing was changed"):
            found = _change_all(lib, ids, change, write, settings.pretend, stop.is_set)
        n_left = len(_show(lib, found, write, progress, stop.is_set))
    n_new = sum(isinstance(one, _Changed) and one.is_new for one in found)
    n_same = sum(isinstance(one, _Changed) and not one.is_new for one in found)
    same = f", {n_same} as before" if n_same else ""
    prefix = "would have: " if settings.pretend else ""
    told = f"{prefix}{counted(n_new, 'track')} {change.done}{same}, {progress.failed} failed"
    if n_left:
        files = counted(n_left, "file")
        raise UserError(f"interrupted: {told}; {files} left, which `beet tempo` writes")
    if progress.failed:
        raise UserError(told)
    if not settings.quiet:
        ui.print_(f"tempo: {told}")


def _change_all(
    lib: Library,
    ids: Sequence[int],
    change: TempoChange,
    write: bool,
    pretend: bool,
    stopped: Callable[[], bool],
) -> list[_Changed | _Refused]:
    """Change tracks in the library in one transaction, with the note that files are to be written.

    Raises
    ------
    Stopped
        If `stopped` returned True; then nothing is changed.
    sqlite3.Error
        If the library cannot be written; likewise.
    """
    found: list[_Changed | _Refused] = []

    def attempt() -> None:
        found.clear()
        for item, outcome in _each(items_of(lib, ids), change):
            if stopped():
                raise Stopped("interrupted: nothing was changed")
            found.append(outcome)
            if isinstance(outcome, _Changed) and not pretend:
                if write:
                    announce_by_hand(item)
                item.store()

    if pretend:
        attempt()
    else:
        atomically(lib, attempt, stopped)
    return found


def _each(items: Iterator[Item], change: TempoChange) -> Iterator[tuple[Item, _Changed | _Refused]]:
    """Change items one by one; what became of each."""
    for item in items:
        before, tempo = state(item), tempo_of(item) if bpm_of(item) else 0.0
        try:
            change.apply(item)
        except ByHandError as error:
            yield item, _Refused(item, error)
        else:
            yield item, _Changed(item.id, describe(item, tempo, change), state(item) != before)


def describe(item: Item, tempo: float, change: TempoChange) -> str:
    """Line about a changed track.

    Parameters
    ----------
    tempo
        The tempo [BPM] that it had before; 0 for none.
    """
    now = own(item, "tempo_bpm") or tempo
    was = f"{tempo:.2f} -> " if tempo and abs(tempo - now) >= 0.005 else ""
    locked = f", {'locked' if change.lock else 'unlocked'}" if change.lock is not None else ""
    return f"{shown(name_of(item))}: {was}{now:.2f} BPM{locked}"


def _show(
    lib: Library,
    found: Sequence[_Changed | _Refused],
    write: bool,
    progress: Progress,
    stopped: Callable[[], bool],
) -> Sequence[_Changed | _Refused]:
    """Write the files of changed tracks and show each track; returns those that are left.

    Raises
    ------
    UserError
        If the library cannot be used.
    """
    with progress, library_errors("all tracks are changed; `beet tempo` writes the files"):
        for k, one in enumerate(found):
            if isinstance(one, _Refused):
                progress.failure(one.item, one.error)
                continue
            if write and stopped():
                return [left for left in found[k:] if isinstance(left, _Changed)]
            item = next(each_item(lib, [one.id or 0]), None) if write else None
            problem = tried(partial(finish_by_hand, item, stopped)) if item else None
            if problem and item:
                progress.failure(item, problem)
            else:
                progress.line(one.line, notable=True)
    return []
