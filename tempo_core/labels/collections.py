"""The collection of a DJ program as a source of tempi, keys and grids, found by path or by name."""

from __future__ import annotations

import functools
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from ..clock import Player
from ..errors import ConfigError, LabelError
from ..exports import rekordbox, traktor
from ..exports.choices import REKORDBOX, TRAKTOR
from ..exports.track import ImportedTrack, file_name, same_path
from ..exports.xml_files import root_of
from .declaration import IMPORT
from .record import Candidate, TrackQuery
from .titles import normalise

_READERS = {rekordbox.ROOT: REKORDBOX, traktor.ROOT: TRAKTOR}
_READ = {REKORDBOX: rekordbox.read, TRAKTOR: traktor.read}
PLAYERS = {REKORDBOX: Player.REKORDBOX, TRAKTOR: Player.TRAKTOR}


def program_of(path: Path) -> str | None:
    """The program that a file is of, by its content: `rekordbox` or `traktor`; None if not XML.

    Raises
    ------
    LabelError
        If the file cannot be opened, or is the XML of something else.
    """
    root = root_of(path)
    if root is None:
        return None
    if root not in _READERS:
        raise LabelError(
            f"{path}: is XML of another program ({root or 'without an element'}); give the "
            "collection of rekordbox as XML, or collection.nml of Traktor"
        )
    return _READERS[root]


class Collection:
    """The tracks in the file of a DJ program.

    A track is found by the path of its file. If the file was moved since, it is found by the name
    of the file together with title and artist; if several such tracks say different things, it is
    not found.

    Parameters
    ----------
    program
        `rekordbox` or `traktor`.

    Raises
    ------
    LabelError
        If the file cannot be read.
    """

    def __init__(self, path: Path, program: str) -> None:
        self.program = program
        self._by_path: dict[str, ImportedTrack] = {}
        self._by_name: dict[tuple[str, str, str], list[ImportedTrack]] = defaultdict(list)
        for track in _READ[program](path):
            for place in filter(None, (track.path, track.other_path)):
                self._by_path.setdefault(same_path(place), track)
            self._by_name[_name(track.path, track.title, track.artist)].append(track)

    def __len__(self) -> int:
        return sum(map(len, self._by_name.values()))

    def at(self, path: str) -> ImportedTrack | None:
        """The track whose file has a path."""
        return self._by_path.get(same_path(path))

    def named(self, path: str, title: str, artist: str) -> ImportedTrack | None:
        """The track whose file has the name of a path, and which has a title and an artist."""
        found = self._by_name.get(_name(path, title, artist), [])
        told = {(track.raw_bpm, track.raw_key, str(track.grid)) for track in found}
        return found[0] if len(told) == 1 else None

    def find(self, path: str, title: str, artist: str) -> ImportedTrack | None:
        """The track by its path or else by its name."""
        return self.at(path) or self.named(path, title, artist)


def _name(path: str, title: str, artist: str) -> tuple[str, str, str]:
    name = file_name(same_path(path)).casefold()
    return name, normalise(title), normalise(artist)


@functools.lru_cache(maxsize=1)
def _opened(path: Path, program: str, state: tuple[int, int]) -> Collection:
    return Collection(path, program)


def open_collection(path: Path, program: str) -> Collection:
    """The collection in a file; read once, as long as the file does not change.

    Raises
    ------
    LabelError
        If the file cannot be read.
    """
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        raise LabelError(f"{path}: cannot be read ({error.strerror})") from error
    return _opened(path, program, (status.st_mtime_ns, status.st_size))


class InCollection:
    """Base class of the sources that read the collection of a DJ program; see `LabelSource`.

    Raises
    ------
    ConfigError
        If no file is given, or it is of another program.
    LabelError
        If it cannot be read.
    """

    name: str

    def __init__(self, path: Path | None) -> None:
        if path is None or program_of(path) != self.name:
            raise ConfigError(
                f"{self.name} needs the file of its collection; name it with {IMPORT.option}"
            )
        self._collection = open_collection(path, self.name)

    def missing(self, track: TrackQuery) -> str:
        return "" if track.title or track.path else "a title"

    def search(self, track: TrackQuery) -> Iterator[list[Candidate]]:
        if found := self._collection.at(track.path):
            # The same file is the same recording, whatever its tags say
            yield [_candidate(found, certain=True)]
        found = self._collection.named(track.path, track.title, track.artist)
        yield [_candidate(found, certain=False)] if found else []

    def label(self, candidate: Candidate) -> Candidate:
        return candidate


def _candidate(track: ImportedTrack, *, certain: bool) -> Candidate:
    return Candidate(
        source_id=track.source_id,
        url="",
        title=track.title,
        artists=(track.artist,),
        album=track.album,
        duration=track.duration,
        raw_bpm=track.raw_bpm,
        raw_key=track.raw_key,
        complete=True,
        certain=certain,
    )
