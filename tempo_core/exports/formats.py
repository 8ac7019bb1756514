"""The formats of files: how each is written, read back, and what it cannot hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..beatgrid import Grid
from ..clock import Player
from ..errors import StorageError
from ..keys import parse_key
from . import m3u8, rekordbox, table, traktor
from .choices import CSV, M3U8, REKORDBOX, TRAKTOR
from .track import ExportTrack, ImportedTrack, same_path

SAME_TEMPO, SAME_TIME = 0.006, 0.0006  # [BPM] and [s] that rounding in a file may take


@dataclass(frozen=True)
class Format:
    """A format of files.

    `encode` makes the content from tracks and the name of a playlist, None for none. `read` reads a
    file back. `objection` says why a track cannot be in such a file, empty if it can. `player` is
    the program whose clock the times are in, None for ours. `has_tempi` says whether tempi, keys
    and grids are in the file.
    """

    encode: Callable[[Sequence[ExportTrack], str | None], bytes]
    read: Callable[[Path], Iterable[ImportedTrack]]
    objection: Callable[[ExportTrack], str]
    player: Player | None = None
    has_tempi: bool = True


FILES = {
    REKORDBOX: Format(rekordbox.encode, rekordbox.read, lambda track: "", Player.REKORDBOX),
    TRAKTOR: Format(traktor.encode, traktor.read, traktor.objection, Player.TRAKTOR),
    M3U8: Format(m3u8.encode, m3u8.read, m3u8.objection, has_tempi=False),
    CSV: Format(table.encode, table.read, table.objection),
}


def prove(path: Path, tracks: Sequence[ExportTrack], form: Format) -> None:
    """Read a file back and compare it with the tracks that were written to it.

    Raises
    ------
    StorageError
        If a track is missing or has another path, tempo, key or grid. The disk has failed then, or
        this program is wrong.
    LabelError
        If the file cannot be read.
    """
    found = list(form.read(path))
    if len(found) != len(tracks):
        raise StorageError(f"read back, the file has {len(found)} of {len(tracks)} tracks")
    for track, again in zip(tracks, found, strict=True):
        if difference := _difference(track, again, form):
            raise StorageError(f"read back, {track.path} has another {difference}")


def _difference(track: ExportTrack, again: ImportedTrack, form: Format) -> str:
    """What differs of a track that was read back; empty if nothing."""
    if same_path(again.path) != same_path(track.path):
        return "path"
    if not form.has_tempi:
        return ""
    if track.bpm and abs(float(again.raw_bpm or 0) - track.bpm) > SAME_TEMPO:
        return "tempo"
    if track.key is not None and parse_key(again.raw_key or "") != track.key:
        return "key"
    grid = track.grid if form.player is None else track.grid_of(form.player)
    return "" if _same_grid(grid, again.grid) else "beat grid"


def _same_grid(one: Grid | None, other: Grid | None) -> bool:
    """Whether two grids have the same sections; a begin may be moved by whole beats."""
    if one is None or other is None:
        return one is other
    if len(one.sections) != len(other.sections):
        return False
    for a, b in zip(one.sections, other.sections, strict=True):
        beats = (b.begin - a.begin) / a.period
        if abs(a.bpm - b.bpm) > SAME_TEMPO or abs(beats - round(beats)) * a.period > SAME_TIME:
            return False
    return True
