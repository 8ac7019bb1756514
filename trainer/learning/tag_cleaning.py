"""From what people write into a field of their tracks to tags that can be learned.

What is not known is not said to be absent: a track without a value is left out, and a track of a
wider or narrower genre neither has a tag nor lacks it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np
from numpy.typing import NDArray

from tempo_core.config import LONGEST_NAME, told
from tempo_core.errors import ConfigError
from tempo_core.genres import genre_tree
from tempo_core.sound_tags import word_of

from .options import GENRES, MIN_TRACKS

MIN_ARTISTS = 5  # with a tag, and as many without it; one tells who plays, not how it sounds
GENRE_FIELDS = ("genre", GENRES)  # fields whose values stand in beets' tree of genres


@dataclass(frozen=True)
class TagRules:
    """What somebody says of the names in a field.

    Attributes
    ----------
    field
        The field that the names are from; those of `GENRE_FIELDS` are brought together by the tree
        and the spellings of beets' plugin `lastgenre`.
    min_tracks
        The fewest tracks with a tag that is learned.
    merge
        Names that count as another one, which may count as a third one in turn.
    drop
        Names that count as if nobody had written them.
    """

    field: str = GENRES
    min_tracks: int = MIN_TRACKS
    merge: Mapping[str, str] = dataclass_field(default_factory=dict)
    drop: Sequence[str] = ()


@dataclass(frozen=True)
class LeftOut:
    """A tag that is not learned: how many tracks by how many artists have it, and why not."""

    name: str
    n_tracks: int
    n_artists: int
    reason: str


@dataclass(frozen=True, eq=False)
class CleanTags:
    """Tags that can be learned.

    Attributes
    ----------
    names
        The tags as most people write them, those of most tracks first.
    tracks
        (n,) numbers of the tracks that have any value; the others are left out.
    truth
        (n, n_tags) 1 where a track has a tag, 0 where it has not, NaN where that is not known.
    left_out
        The tags that are not learned, those of most tracks first.
    """

    names: tuple[str, ...]
    tracks: NDArray[np.int64]
    truth: NDArray[np.float64]
    left_out: tuple[LeftOut, ...]


def clean(
    values: Sequence[Iterable[str]], groups: Sequence[str], rules: TagRules, most: int
) -> CleanTags:
    """Clean the names in a field.

    Parameters
    ----------
    values
        (n_tracks,) the names that each track has, none where nothing is known.
    groups
        (n_tracks,) artists.
    most
        The most tags that are learned.

    Raises
    ------
    ConfigError
        If names to merge count as each other in a circle.
    """
    names = _Names(rules)
    of_tracks = [names.words(written) for written in values]
    counts = Counter(word for words in of_tracks for word in words)
    wider = names.wider({word for word, n in counts.items() if n < rules.min_tracks})
    if wider:
        of_tracks = [{wider.get(word, word) for word in words} for words in of_tracks]
    tracks = np.array([k for k, words in enumerate(of_tracks) if words], np.int64)
    _, artists = np.unique([groups[k] for k in tracks], return_inverse=True)
    having: defaultdict[str, list[int]] = defaultdict(list)
    for row, k in enumerate(tracks):
        for word in of_tracks[k]:
            having[word].append(row)
    relatives = names.relatives(having)
    kept: list[str] = []
    columns: list[NDArray[np.float64]] = []
    left_out: list[LeftOut] = []
    for word in sorted(having, key=lambda word: (-len(having[word]), word)):
        rows = having[word]
        n_artists = len(set(artists[rows].tolist()))
        if len(rows) < rules.min_tracks or n_artists < MIN_ARTISTS:
            needed = f"at least {rules.min_tracks} tracks by {MIN_ARTISTS} artists are needed"
            left_out.append(LeftOut(names.spelled(word), len(rows), n_artists, needed))
            continue
        column = np.zeros(len(tracks))
        column[[row for other in relatives[word] for row in having[other]]] = np.nan
        column[rows] = 1
        if len(set(artists[column == 0].tolist())) < MIN_ARTISTS:
            reason = "hardly a track is known to be without it"
        elif len(kept) >= most:
            reason = f"a model has at most {most} of them"
        else:
            kept.append(word)
            columns.append(column)
            continue
        left_out.append(LeftOut(names.spelled(word), len(rows), n_artists, reason))
    return CleanTags(
        names=tuple(names.spelled(word) for word in kept),
        tracks=tracks,
        truth=np.stack(columns, axis=1) if columns else np.zeros((len(tracks), 0)),
        left_out=tuple(left_out),
    )


def merged(into: Mapping[str, str]) -> dict[str, str]:
    """What each name that counts as another one counts as in the end: c of a > b and b > c.

    Raises
    ------
    ConfigError
        If names count as each other in a circle.
    """
    ends: dict[str, str] = {}
    for name in into:
        end, way = name, set()
        while end not in ends and into.get(end, end) != end:
            if end in way:
                raise ConfigError(f"merge goes in a circle at {told(name)}; leave a line out")
            way.add(end)
            end = into[end]
        ends |= dict.fromkeys(way | {name}, ends.get(end, end))
    return ends


class _Names:
    """The names that people write, by the words that they stand for.

    Names with one word are one tag: `Hip-Hop`, `hip hop`, and of a genre every spelling that beets
    knows.
    """

    def __init__(self, rules: TagRules):
        self._tree = genre_tree() if rules.field in GENRE_FIELDS else None
        self._longest = LONGEST_NAME - len(f"{rules.field}:")
        self._canonical: dict[str, str] = {}
        self._spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._words: dict[str, tuple[str, str]] = {}  # by the names as they are written
        merge = {self._word(old)[0]: self._word(new) for old, new in rules.merge.items()}
        spelled = dict(merge.values())
        ends = merged({old: new for old, (new, _) in merge.items()})
        self._merge = {old: (end, spelled[end]) for old, end in ends.items()}
        self._drop = {self._word(name)[0] for name in rules.drop} | {""}

    def words(self, written: Iterable[str]) -> set[str]:
        """The words of the names of a track."""
        found = set()
        for name in written:
            word, spelling = self._word(name)
            word, spelling = self._merge.get(word, (word, spelling))
            if word not in self._drop:
                self._spellings[word][spelling] += 1
                found.add(word)
        return found

    def spelled(self, word: str) -> str:
        """A name as most people write it."""
        ways = self._spellings.get(word)
        return max(sorted(ways), key=ways.__getitem__) if ways else self._canonical[word]

    def wider(self, words: Iterable[str]) -> dict[str, str]:
        """The genre that `lastgenre` lists in place of each that it does not list."""
        if self._tree is None:
            return {}
        found = {}
        for word in words:
            listed = self._tree.listed(self._canonical[word])
            other = word_of(listed)
            if other not in (word, *self._drop):
                self._canonical.setdefault(other, listed)
                found[word] = other
        return found

    def relatives(self, words: Iterable[str]) -> dict[str, list[str]]:
        """By each word those of the others that are wider or narrower genres."""
        found: dict[str, list[str]] = {word: [] for word in words}
        if self._tree is None:
            return found
        for word in found:
            for above in self._tree.lineage(self._canonical[word]):
                other = word_of(above)
                if other != word and other in found:
                    found[word].append(other)
                    found[other].append(word)
        return found

    def _word(self, name: str) -> tuple[str, str]:
        """The word of a name, and the name in printable characters and at most the longest."""
        if name not in self._words:
            plain = "".join(c if c.isprintable() else " " for c in name)
            spelling = " ".join(plain.split())[: self._longest].strip()
            canonical = self._tree.canonical(spelling) if self._tree else spelling.replace("_", " ")
            word = word_of(canonical)
            self._canonical.setdefault(word, canonical)
            self._words[name] = word, spelling
        return self._words[name]
