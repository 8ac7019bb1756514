"""M3U8: a playlist in UTF-8 with the lines `#EXT…` that players read.

There is no standard but common use: https://en.wikipedia.org/wiki/M3U
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from .playlist import Entry
from .playlist import playlist as written
from .track import ExportTrack, ImportedTrack, is_plain, plain

_INFO = re.compile(r"#EXTINF:(-?\d+)(?:\.\d+)?,(.*)")


def objection(track: ExportTrack) -> str:
    """Why a track cannot be in such a file, empty if it can: a path is one line of text."""
    return "" if is_plain(track.path) else "its path is not one line of text in UTF-8"


def encode(tracks: Sequence[ExportTrack], playlist: str | None = None) -> bytes:
    """The content of a file with tracks, and with the name of the playlist if it has one."""
    entries = [
        Entry(
            track.path, plain(track.title), plain(track.artist), track.duration,
            tuple(
                (f"EXT{name}", text)
                for name, text in (
                    ("ALB", track.album), ("ART", track.artist), ("GENRE", track.genre)
                )
                if plain(text)
            ),
        )
        for track in tracks
    ]  # fmt: skip
    return written(entries, name=plain(playlist or "")).encode()


def read(path: Path) -> Iterator[ImportedTrack]:
    """The tracks in a file."""
    title, duration = "", None
    for line in path.read_bytes().decode("utf-8-sig").split("\n"):
        info = _INFO.fullmatch(line)
        if info:
            title, duration = info[2], float(info[1])
        elif line and not line.startswith("#"):
            yield ImportedTrack(line, title=title, duration=duration)
            title, duration = "", None
