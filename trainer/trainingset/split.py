"""Division of recordings into splits (train, validation, test).

No artist is ever in two splits, and a recording stays in the split where it was before.

Tracks that share an artist (any credited one), a recording or a file are tied together, and so are
the tracks that those are tied to: such a *group* is in one split as a whole. A track without an
artist is tied to the others of its album; without an album, to those of its folder, if that is no
larger than an album.

Where genres are known, each split gets about its share of every genre (stratification), as far as
groups that stay whole allow.

Decisions are stored in `split-1.tsv`, one line for each artist, album, recording and file ever
seen. A later build reads them and decides only about groups with no known member. New tracks can
tie together two groups of different splits. The joint group then goes to the split that is used
most: train before validation before test. So a track may leave the test set, but no track that a
model was trained or selected on ever enters it.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tempo_core.console import counted
from tempo_core.errors import ConfigError, reason
from tempo_core.files import replace_file
from tempo_core.labels.titles import artist_names, normalise, parse_title

from .genres import main_genre
from .tables import SPLITS, CollectedTrack

SPLIT_FILE = "split-1.tsv"  # the number is the version of the layout
COLUMNS = ("split", "member")
SHARES = {"train": 0.7, "validation": 0.2, "test": 0.1}  # intended share of tracks in each split
LARGEST_ALBUM = 30  # [tracks] a folder with more is no album
# Parts of artist names that do not identify an artist.
_NO_ARTIST = frozenset(("", "the", "and", "his orchestra", "orchestra", "band", "choir"))


class Ties:
    """Sets of things that are tied together, as a union-find structure."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, thing: str) -> str:
        """The representative of a thing's set: the same for all things that are tied together."""
        parent = self._parent.setdefault(thing, thing)
        while parent != self._parent[parent]:
            self._parent[parent] = self._parent[self._parent[parent]]
            parent = self._parent[parent]
        self._parent[thing] = parent
        return parent

    def tie(self, things: Iterable[str]) -> None:
        """Join the sets of all these things (at least one)."""
        first, *others = things
        for other in others:
            a, b = sorted((self.root(first), self.root(other)))
            self._parent[b] = a


def members(track: CollectedTrack, crowded: Iterable[Path] = ()) -> list[str]:
    """Names of everything that may tie a track to others, most telling first; never empty.

    Parameters
    ----------
    crowded
        Folders that hold too many tracks to be an album.
    """
    found = [
        f"artist:{name}"
        for name in sorted(artist_names((track.artist, *parse_title(track.title).guests)))
        if name not in _NO_ARTIST
    ]
    if not found:
        album = normalise(track.album)
        if album:
            found.append(f"album:{album}")
        elif track.path.parent not in crowded:
            found.append(f"folder:{_digest(track.path.parent)}")
    if track.recording_id:
        found.append(f"recording:{' '.join(track.recording_id.split())}")
    # Content and path both identify the file: the content changes with its tags and the path when
    # it is moved, but seldom both at once.
    return [*found, f"file:{track.id}", f"path:{_digest(track.path)}"]


def _digest(path: Path) -> str:
    """Hash of a path: 16 hex digits."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def divide(
    tracks: Sequence[CollectedTrack],
    copies: Iterable[tuple[CollectedTrack, CollectedTrack]],
    known: Mapping[str, str],
    seed: int,
) -> tuple[dict[Path, tuple[str, str]], dict[str, str]]:
    """Divide tracks into `SPLITS`.

    Parameters
    ----------
    tracks
        Tracks to be divided, each path once.
    copies
        Pairs of tracks that are one recording; they need not be among `tracks`.
    known
        Earlier decisions: split by member.
    seed
        Seed for the order in which groups of the same size are assigned.

    Returns
    -------
    (group, split) by path, and all decisions, including the earlier ones.

    Raises
    ------
    ConfigError
        If there are fewer groups than splits.
    """
    names, ties = _tie(tracks, list(copies))
    belonging: defaultdict[str, set[str]] = defaultdict(set)
    for own in names.values():
        belonging[ties.root(own[0])].update(own)
    # Members of a group stay in its split, even if their tracks are gone.
    sides = {
        root: min((known[m] for m in group if m in known), key=SPLITS.index, default="")
        for root, group in belonging.items()
    }
    genres: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for track in tracks:
        genres[ties.root(names[track.path][0])][main_genre(track.genre)] += 1
    _check(tracks, len(genres))
    sides |= _assign(genres, sides, seed)

    decided = dict(known)
    for root, group in belonging.items():
        if sides[root]:
            decided.update(dict.fromkeys(group, sides[root]))
    placed = {}
    for track in tracks:
        root = ties.root(names[track.path][0])
        placed[track.path] = root, sides[root]
    return placed, decided


def _tie(
    tracks: Sequence[CollectedTrack], copies: Sequence[tuple[CollectedTrack, CollectedTrack]]
) -> tuple[dict[Path, list[str]], Ties]:
    """The members of each track and of each copy, by path, and how they are tied together."""
    everybody = {t.path: t for t in (*tracks, *(t for pair in copies for t in pair))}
    folders = Counter(path.parent for path in everybody)
    crowded = {folder for folder, n_tracks in folders.items() if n_tracks > LARGEST_ALBUM}
    names = {path: members(track, crowded) for path, track in everybody.items()}
    ties = Ties()
    for own in names.values():
        ties.tie(own)
    for a, b in copies:
        ties.tie((names[a.path][0], names[b.path][0]))
    return names, ties


def _assign(
    genres: Mapping[str, Counter[str]], sides: Mapping[str, str], seed: int
) -> dict[str, str]:
    """The split of each group that has none yet, so that the splits come close to `SHARES`.

    They do so as a whole and in every genre: each group, the largest first, goes where the squared
    distances of all counts from what they should be, over the share of the split, grow least (after
    iterative stratification; Sechidis, Tsoumakas & Vlahavas, ECML PKDD 2011). Tracks without a
    genre count as those of one genre.

    Parameters
    ----------
    genres
        Number of tracks of each genre in each group.
    sides
        Split of each group, empty where it is not decided.
    seed
        Seed for the order in which groups of the same size are assigned.
    """
    wanted = sum(genres.values(), Counter())
    n_tracks = wanted.total()
    counts = {split: Counter[str]() for split in SPLITS}
    for root, own in genres.items():
        if sides[root]:
            counts[sides[root]].update(own)

    def order(root: str) -> tuple[int, str]:
        return -genres[root].total(), hashlib.sha256(f"{seed} {root}".encode()).hexdigest()

    def growth(split: str, own: Counter[str]) -> float:
        there, share = counts[split], SHARES[split]
        parts = [(own.total(), there.total() - share * n_tracks)]
        parts += [(n, there[name] - share * wanted[name]) for name, n in own.items()]
        return sum(n * n + 2 * n * above for n, above in parts) / share

    assigned: dict[str, str] = {}
    new = sorted((root for root in genres if not sides[root]), key=order)
    for k, root in enumerate(new):
        empty = [split for split in SPLITS if not counts[split]]
        # The last groups are reserved for the splits that are still empty.
        choice = empty if len(empty) >= len(new) - k else list(SPLITS)
        assigned[root] = min(choice, key=lambda split: growth(split, genres[root]))
        counts[assigned[root]].update(genres[root])
    return assigned


def _check(tracks: Sequence[CollectedTrack], n_groups: int) -> None:
    """Refuse tracks of fewer groups than there are splits.

    Raises
    ------
    ConfigError
        If there are too few groups; it says what to do.
    """
    if n_groups >= len(SPLITS):
        return
    if not tracks:
        raise ConfigError("no track is left to learn from; dropped.tsv says why")
    who = "one artist" if n_groups == 1 else f"{n_groups} artists"
    n_tracks = counted(len(tracks), "track")
    raise ConfigError(
        f"{n_tracks} by {who} (or their guests): nothing can be held out; label tracks of at "
        f"least {len(SPLITS)} artists who do not play together, better of fifty"
    )


def read_split(path: Path) -> dict[str, str]:
    """Earlier decisions, split by member; empty if the file does not exist.

    Raises
    ------
    ConfigError
        If the file is not a table of splits. It is not replaced: without it, nobody would know
        which tracks models were tested on.
    """
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            header = next(rows, [])
            known = {member: split for split, member in rows}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(
            f"{path}: no table of splits ({reason(error)}); give another folder"
        ) from error
    if tuple(header) != COLUMNS or not set(known.values()) <= set(SPLITS):
        raise ConfigError(f"{path}: no table of splits; give another folder")
    return known


def write_split(path: Path, known: Mapping[str, str]) -> None:
    """Write decisions, split by member, atomically."""
    lines = ["\t".join(COLUMNS), *(f"{side}\t{member}" for member, side in sorted(known.items()))]
    replace_file(path, ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))
