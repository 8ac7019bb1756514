"""Which tracks are the same recording, by their identifiers and by their names.

A library has the single, the album and the compilation of one song. They are told by a common
identifier (MusicBrainz, AcoustID, ISRC), or by the same artist, title and length. Another version,
such as a remix or a concert, is another recording.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from ..labels.matching import MAX_SAME_SECONDS, MAX_SAME_SHARE
from ..labels.titles import Version, album_versions, main_artist, normalise, parse_title


@dataclass(frozen=True)
class Recorded:
    """What tells the recording of a track.

    Attributes
    ----------
    artist, title, album
        As written; empty if unknown.
    length
        [s], 0 if unknown.
    identifiers
        Each is of one recording only. An identifier must say itself of which kind it is.
    """

    artist: str = ""
    title: str = ""
    album: str = ""
    length: float = 0.0
    identifiers: tuple[str, ...] = ()


def recordings(tracks: Sequence[Recorded]) -> list[int]:
    """For each track the number of its recording: the index of the first track that is the same."""
    first = list(range(len(tracks)))

    def root(k: int) -> int:
        while first[k] != k:
            first[k] = first[first[k]]
            k = first[k]
        return k

    for a, b in (*_by_identifier(tracks), *_by_name(tracks)):
        low, high = sorted((root(a), root(b)))
        first[high] = low
    return [root(k) for k in range(len(tracks))]


def _by_identifier(tracks: Sequence[Recorded]) -> Iterator[tuple[int, int]]:
    """Pairs of tracks that have an identifier in common."""
    seen: dict[str, int] = {}
    for k, track in enumerate(tracks):
        for identifier in track.identifiers:
            yield seen.setdefault(identifier, k), k


def _by_name(tracks: Sequence[Recorded]) -> Iterator[tuple[int, int]]:
    """Pairs of tracks of the same artist, title and length.

    Titles take the most time, so only those are parsed whose artist has another of this length.
    """
    for alike in _groups(((artist_key(track.artist), k) for k, track in enumerate(tracks)), tracks):
        named = ((_song(tracks[k]), k) for k in alike)
        for same in _groups(named, tracks):
            yield from pairwise(same)


def _groups(named: Iterable[tuple[object, int]], tracks: Sequence[Recorded]) -> Iterator[list[int]]:
    """Groups of two and more tracks that have the same name and lengths that follow each other.

    A track of unknown length is in every group of its name. A name that is empty or None is none.
    """
    by_name: defaultdict[object, list[int]] = defaultdict(list)
    for name, k in named:
        if name:
            by_name[name].append(k)
    for found in by_name.values():
        unknown = [k for k in found if not tracks[k].length > 0]
        known = sorted((k for k in found if tracks[k].length > 0), key=lambda k: tracks[k].length)
        group: list[int] = []
        for k in known:
            if group and not _as_long(tracks[group[-1]].length, tracks[k].length):
                yield unknown + group
                group = []
            group.append(k)
        yield unknown + group


def _as_long(length: float, longer: float) -> bool:
    """Whether two lengths [s] may be those of one recording."""
    return longer - length <= max(MAX_SAME_SECONDS, MAX_SAME_SHARE * longer)


def _song(track: Recorded) -> tuple[str, frozenset[Version]] | None:
    """The name of a song and its versions, by title and album; None without a title."""
    title = parse_title(track.title)
    if not title.core:
        return None
    return title.core, frozenset(title.versions) | _versions_of(track.album)


@lru_cache(maxsize=4096)
def _versions_of(album: str) -> frozenset[Version]:
    return frozenset(album_versions(album))


@lru_cache(maxsize=4096)
def artist_key(artist: str) -> str:
    """The first artist of a credit, normalised, without `the`; empty if there is none."""
    return normalise(main_artist(artist)).removeprefix("the ")
