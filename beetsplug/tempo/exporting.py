"""The work of `beet tempo-export`: tracks of the library in files for the programs of DJs."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

from tempo_core.beatgrid import counted as counted_grid
from tempo_core.clock import Clock, Player, read_clock
from tempo_core.console import counted, shown
from tempo_core.errors import AudioError
from tempo_core.exports import mixxx
from tempo_core.exports.formats import FILES
from tempo_core.exports.track import ExportTrack, is_windows, with_slashes
from tempo_core.exports.writing import proven, write
from tempo_core.levels import OF_ONE_PULSE, level_of
from tempo_core.tempi import is_tempo

from .file_keys import key_of
from .grids import grid_of
from .guarding import library_errors
from .items import file_status, genres_of, own
from .moving import precisely, tempo_of
from .progress import name_of
from .selecting import Selection, items_of
from .settings import path_of
from .stated import paces_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from beets.library import Item, Library

    from tempo_core.beatgrid import Grid

N_NAMED = 10  # tracks named in a message about tracks that were left out


@dataclass
class Gathered:
    """Tracks to export, and those that are left out, by the reason.

    Attributes
    ----------
    tracks
        Tracks in the order of the query.
    left_out
        Names of tracks by the reason why they are left out.
    """

    tracks: list[ExportTrack] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def leave_out(self, name: str, reason: str) -> None:
        """Note a track that cannot be exported."""
        self.left_out.setdefault(reason, []).append(name)

    @property
    def told(self) -> str:
        """The tracks that are left out in one line, the first of each reason by name."""
        return "; ".join(
            f"{counted(len(names), 'track')} left out, {reason}: {', '.join(names[:N_NAMED])}"
            + (f" and {len(names) - N_NAMED} more" if len(names) > N_NAMED else "")
            for reason, names in self.left_out.items()
        )


def export_library(lib: Library, args: list[str], settings: Any) -> None:
    """Write the tracks that match a query to a file, and print a summary.

    The library is only read.

    Raises
    ------
    UserError
        If there is nothing to write, or tracks had to be left out; the others are written then.
    StorageError
        If the file cannot be written; what was there stays.
    """
    form = FILES.get(settings.format)
    with library_errors("nothing was written"):
        found = gather(lib, args, settings, form.objection if form else lambda track: "")
    if not found.tracks:
        raise UserError(
            found.told
            or (
                "nothing to export: no track matches"
                if args
                else "nothing to export: no track has a tempo; `beet tempo` finds it"
            )
        )
    target = path_of(settings.output)
    assert target is not None  # the command refuses to run otherwise
    if form is None:
        summary = _to_mixxx(target, found, settings)
    elif settings.output == "-":
        _print(proven(found.tracks, settings.playlist, form))
        summary = ""
    else:
        write(target, found.tracks, settings.playlist, form)
        summary = f"{_counts(found.tracks)} written to {shown(settings.output)}"
    if found.left_out:
        raise UserError("; ".join(filter(None, (summary, shown(found.told)))))
    if summary and not settings.quiet:
        ui.print_(f"tempo-export: {summary}")


def gather(
    lib: Library, args: list[str], settings: Any, objection: Callable[[ExportTrack], str]
) -> Gathered:
    """The tracks that match a query, or all that have a tempo if the query is empty.

    Parameters
    ----------
    objection
        Why a format cannot hold a track, empty if it can.
    """
    moves = [tuple(pair.split("=", 1)) for pair in settings.get("relocate") or ()]
    found = Gathered()
    ids = Selection(lib, args, album=bool(settings.album), pretend=True).ids()
    for item in items_of(lib, ids):
        if not (args or tempo_of(item)):
            continue
        status = file_status(item)
        if status is None:
            found.leave_out(name_of(item), "their files are missing")
            continue
        track = track_of(item, status.st_size, moves)
        if reason := objection(track):
            found.leave_out(name_of(item), reason)
        else:
            found.tracks.append(track)
    return found


def track_of(item: Item, size: int, moves: Sequence[tuple[str, ...]] = ()) -> ExportTrack:
    """A track of the library as it is exported.

    Parameters
    ----------
    size
        Of its file [bytes].
    moves
        Beginnings of paths, each with what the other program has in its place.
    """
    tempo = tempo_of(item)
    grid = _counted_grid(item, tempo)
    return ExportTrack(
        path=relocated(os.fsdecode(item.path), moves),
        title=item.title or "",
        artist=item.artist or "",
        album=item.album or "",
        genre=genres_of(item),
        comments=item.comments or "",
        track_number=item.track or 0,
        year=item.year or 0,
        duration=item.length or 0.0,
        bpm=tempo or None,
        key=key_of(item),
        grid=grid,
        clock=_clock(item) if grid is not None else Clock(),
        confidence=own(item, "tempo_confidence"),
        paces=tuple(dict.fromkeys(round(precisely(tempo, pace), 2) for pace, _ in paces_of(item))),
        bit_rate=item.bitrate or 0,
        sample_rate=item.samplerate or 0,
        size=size,
    )


def _counted_grid(item: Item, tempo: float) -> Grid | None:
    """The beat grid of a track, counted as its tempo [BPM]; None if it is of another pulse.

    The fields have the grid of the audio, which may contradict the tempo that a person set.
    """
    grid, heard = grid_of(item), own(item, "tempo_bpm")
    if grid is None or not tempo or not is_tempo(heard) or tempo == heard:
        return grid
    level = level_of(tempo / heard, OF_ONE_PULSE)
    # Of another octave the grid is more precise than a whole number.
    return counted_grid(grid, tempo / heard if level in (None, 1) else level)


def _clock(item: Item) -> Clock:
    """Clock of the item's file; that of a file without delay if its header cannot be read."""
    try:
        return read_clock(item.path)
    except AudioError:
        return Clock()


def relocated(path: str, moves: Sequence[tuple[str, ...]]) -> str:
    """A path with its beginning replaced, by the first of `moves` that fits whole folders."""
    for old, new in moves:
        old = old.rstrip("/\\")
        if path == old or path.startswith((f"{old}/", f"{old}\\")):
            path = new.rstrip("/\\") + path[len(old) :]
            return with_slashes(path) if is_windows(path) else path
    return path


def _to_mixxx(target: Any, found: Gathered, settings: Any) -> str:
    """Update Mixxx's library; returns what was done."""
    player = Player.MIXXX_MAC if sys.platform == "darwin" else Player.MIXXX
    done = mixxx.update(target, found.tracks, settings.playlist, player)
    for track in done.unknown:
        found.leave_out(track.name, "not in Mixxx's library (let it rescan)")
    locked = f", {len(done.locked)} locked there" if done.locked else ""
    return (
        f"{_counts(done.changed)} updated in {shown(settings.output)}{locked}; as it was before: "
        f"{shown(target.name + mixxx.KEPT)}"
        if done.changed
        else f"nothing changed in {shown(settings.output)}{locked}"
    )


def _counts(tracks: Sequence[ExportTrack]) -> str:
    n_grids = sum(track.grid is not None for track in tracks)
    return f"{counted(len(tracks), 'track')} ({n_grids} with a beat grid)"


def _print(data: bytes) -> None:
    """Print the content of a file as it is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
