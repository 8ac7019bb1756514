"""Tracks as they are written to the files of DJ programs, and as they are read from them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from ..beatgrid import Grid
from ..clock import Clock, Player, shifted
from ..keys import Key

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
# What XML forbids and no text needs: control characters, lone surrogates, noncharacters.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_FORBIDDEN = re.compile("[\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class ExportTrack:
    """A track to export.

    Only `path` is required: absolute, as the system that plays it writes it, with lone surrogates
    for bytes that are no text. `duration` is in seconds, `bpm` the tempo [BPM], `bit_rate` in
    bit/s, `sample_rate` in Hz, `size` in bytes. `grid` is in our time, see `clock`. `confidence` of
    the tempo is in 0..1, `paces` are in BPM, the most probable first. Empty, zero and None mean
    that a value is not known.
    """

    path: str
    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    comments: str = ""
    track_number: int = 0
    year: int = 0
    duration: float = 0.0
    bpm: float | None = None
    key: Key | None = None
    grid: Grid | None = None
    clock: Clock = field(default_factory=Clock)
    confidence: float | None = None
    paces: tuple[float, ...] = ()
    bit_rate: int = 0
    sample_rate: int = 0
    size: int = 0

    @property
    def title_or_file(self) -> str:
        """The title as every format can hold it, see `plain`; the name of the file without one."""
        return plain(self.title) or plain(file_name(self.path))

    @property
    def name(self) -> str:
        """`Artist - Title` for people; the name of the file if there is no title."""
        artist = plain(self.artist)
        return f"{artist} - {self.title_or_file}" if artist else self.title_or_file

    def grid_of(self, player: Player) -> Grid | None:
        """The grid in the time of a player."""
        return None if self.grid is None else shifted(self.grid, self.clock.offset(player))


@dataclass(frozen=True)
class ImportedTrack:
    """A track as a file of a DJ program describes it.

    `raw_bpm` and `raw_key` are verbatim, None if missing. `grid` is in the time of the program.
    `other_path` is a second reading of the place of the file, empty if there is none.
    """

    path: str
    title: str = ""
    artist: str = ""
    album: str = ""
    duration: float | None = None
    raw_bpm: str | None = None
    raw_key: str | None = None
    grid: Grid | None = None
    source_id: str = ""
    other_path: str = ""


def plain(text: str) -> str:
    """A text as one line that every format can hold: without control characters.

    Bytes that are no text become U+FFFD.
    """
    return _FORBIDDEN.sub("\ufffd", " ".join(_CONTROLS.sub(" ", text).split(" "))).strip()


def is_plain(text: str) -> bool:
    """Whether a text is one line that can be written in UTF-8, in every format."""
    return not (_FORBIDDEN.search(text) or _CONTROLS.search(text))


def is_windows(path: str) -> bool:
    """Whether a path is one of Windows, with a drive or a server."""
    return _WINDOWS.match(path) is not None


def with_slashes(path: str) -> str:
    """A path with `/` between folders, also one of Windows."""
    return path.replace("\\", "/") if is_windows(path) else path


def file_name(path: str) -> str:
    """The name of a file without its folders."""
    return with_slashes(path).rpartition("/")[2]


def same_path(path: str) -> str:
    """Form of a path in which two that mean one file are equal.

    macOS stores accents apart from their letters; on Windows case makes no difference.
    """
    path = unicodedata.normalize("NFC", with_slashes(path))
    return path.casefold() if re.match("[A-Za-z]:/|//", path) else path
