"""Playlists in the M3U format, encoded as UTF-8 (M3U8): a line for each track, with a comment.

The format is a convention: a line that begins with `#` is a comment, any other is a path or a URI.
`#EXTM3U` and `#EXTINF:seconds,name` are from Winamp and understood by most players. A path that a
line cannot hold, because of a line break or bytes that are no UTF-8, is written as a `file:` URI.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from .track import plain

# Paths of Windows, also where they are read elsewhere: `C:\music`, `\\server\music`.
_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
# What a line of a playlist cannot hold: line breaks of any kind, other control characters, and
# bytes of a name that are no UTF-8 (as surrogates). Readers also cut off space at the end.
_NO_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|\s$")


@dataclass(frozen=True)
class Entry:
    """A track in a playlist.

    Attributes
    ----------
    path
        Absolute path, bytes that are no UTF-8 as surrogates, as `os.fsdecode` returns it.
    title, artist
        As written; empty if unknown. Without a title the name of the file is shown.
    duration
        [s]; None or 0 if unknown.
    directives
        Further lines `#NAME:value` before the path, as pairs of name and value, such as
        `("EXTALB", "Depot")`.
    """

    path: str
    title: str = ""
    artist: str = ""
    duration: float | None = None
    directives: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """`Artist - Title` in one line; without a title the name of the file stands for it."""
        title = _line(self.title) or _line(_pure(self.path).stem)
        return " - ".join(part for part in (_line(self.artist), title) if part)


def playlist(entries: Iterable[Entry], *, name: str = "", relative_to: Path | None = None) -> str:
    """Text of a playlist, to be encoded as UTF-8.

    Parameters
    ----------
    name
        Of the playlist; empty for none.
    relative_to
        Folder that paths are relative to; None leaves them absolute. Paths that cannot be, such as
        those on another drive, stay absolute.
    """
    lines = ["#EXTM3U"]
    if name:
        lines.append(f"#PLAYLIST:{_line(name)}")
    for entry in entries:
        seconds = round(entry.duration) if entry.duration else -1
        lines.append(f"#EXTINF:{seconds},{entry.name}")
        lines += [f"#{_line(key)}:{_line(value)}" for key, value in entry.directives]
        lines.append(place(entry.path, relative_to))
    return "\n".join(lines) + "\n"


def place(path: str, relative_to: Path | None = None) -> str:
    """The line of a playlist that says where a file is, see `playlist`."""
    if _NO_LINE.search(path):
        return file_uri(path)
    if relative_to is None or _pure(path).anchor != _pure(os.path.abspath(relative_to)).anchor:  # noqa: PTH100
        return path
    relative = os.path.relpath(path, relative_to)
    # A line that begins with `#` is a comment, readers cut off space, and `a:b` may be a URI.
    if re.match(r"[#\s]|[^/\\]*:", relative):
        return os.path.join(os.curdir, relative)  # noqa: PTH118
    return relative


def file_uri(path: str) -> str:
    """A path as `file:` URI, in ASCII; it has the bytes of the name, whatever they are."""
    return _pure(path).as_uri()


def _pure(path: str) -> PurePosixPath | PureWindowsPath:
    """A path with the rules of the system that it is of."""
    return PureWindowsPath(path) if _OF_WINDOWS.match(path) else PurePosixPath(path)


def _line(text: str) -> str:
    """Text in one line without control characters, see `plain`; marks of direction are text."""
    return plain(" ".join(text.split()))
