"""Which side of a split a recording stands on: never one artist on two sides, and never another
side than before.

Tracks that share an artist (any credited one), a recording or a file are tied together, and so are
those they are tied to: such a *group* stands on one side as a whole. A track without an artist is
tied to its album, without an album to its folder, if that is no larger than an album.

What was decided is kept in `split-1.tsv`, one line for each artist, album and recording ever seen.
A later build asks there first and decides only about groups in which nobody is known. New tracks
can tie two groups together that stood on different sides. Then all of it goes to the most *used*
side: train before validation before test. So a track may leave the test set, but none that was
trained or selected on ever enters it.
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

from .tables import SPLITS, CollectedTrack

FILE = "split-1.tsv"  # the number is that of the layout
COLUMNS = ("split", "member")
SHARES = {"train": 0.7, "validation": 0.2, "test": 0.1}
ALBUM = 30  # tracks; a larger folder is no album
_NOBODY = frozenset(("", "the", "and", "his orchestra", "orchestra", "band", "choir"))


class Ties:
    """Sets of things that are tied together, by union and find."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, thing: str) -> str:
        """One thing that stands for all that are tied to this one."""
        parent = self._parent.setdefault(thing, thing)
        while parent != self._parent[parent]:
            self._parent[parent] = self._parent[self._parent[parent]]
            parent = self._parent[parent]
        self._parent[thing] = parent
        return parent

    def tie(self, things: Iterable[str]) -> None:
        """Tie things together."""
        first, *others = things
        for other in others:
            a, b = sorted((self.root(first), self.root(other)))
            self._parent[b] = a


def members(track: CollectedTrack, crowded: Iterable[Path] = ()) -> list[str]:
    """What ties a track to others, most telling first; never empty.

    Parameters
    ----------
    crowded
        Folders that are no albums.
    """
    found = [
        f"artist:{name}"
        for name in sorted(artist_names((track.artist, *parse_title(track.title).guests)))
        if name not in _NOBODY
    ]
    if not found:
        album = normalise(track.album)
        if album:
            found.append(f"album:{album}")
        elif track.path.parent not in crowded:
            found.append(f"folder:{_digest(track.path.parent)}")
    if track.recording_id:
        found.append(f"recording:{' '.join(track.recording_id.split())}")
    # Tags change, and with them the file's content, or a file is moved; seldom both at once.
    return [*found, f"file:{track.id}", f"path:{_digest(track.path)}"]


def _digest(path: Path) -> str:
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
        What is to be divided, each path once.
    copies
        Pairs of one recording; they need not be among `tracks`.
    known
        Earlier decisions, split by member.
    seed
        Of the order in which groups of one size are decided about.

    Returns
    -------
    (group, split) by path, and all decisions, the earlier ones included.

    Raises
    ------
    ConfigError
        If there are fewer groups than sides.
    """
    copies = list(copies)
    everybody = {t.path: t for t in (*tracks, *(t for pair in copies for t in pair))}
    folders = Counter(path.parent for path in everybody)
    crowded = {folder for folder, n_tracks in folders.items() if n_tracks > ALBUM}
    names = {path: members(track, crowded) for path, track in everybody.items()}
    ties = Ties()
    for own in names.values():
        ties.tie(own)
    for a, b in copies:
        ties.tie((names[a.path][0], names[b.path][0]))

    belonging: defaultdict[str, set[str]] = defaultdict(set)
    for own in names.values():
        belonging[ties.root(own[0])].update(own)
    # Who was in a group once stays in it, tracks or not.
    sides = {
        root: min((known[m] for m in group if m in known), key=SPLITS.index, default="")
        for root, group in belonging.items()
    }
    sizes = Counter(ties.root(names[track.path][0]) for track in tracks)
    _check(tracks, sizes)
    counts = Counter(dict.fromkeys(SPLITS, 0))
    for root, size in sizes.items():
        if sides[root]:
            counts[sides[root]] += size

    def order(root: str) -> tuple[int, str]:
        return -sizes[root], hashlib.sha256(f"{seed} {root}".encode()).hexdigest()

    new = sorted((root for root in sizes if not sides[root]), key=order)
    for k, root in enumerate(new):
        empty = [split for split in SPLITS if not counts[split]]
        # The last groups are for the sides that have nobody yet.
        choice = empty if len(empty) >= len(new) - k else list(SPLITS)
        sides[root] = max(choice, key=lambda split: SHARES[split] * len(tracks) - counts[split])
        counts[sides[root]] += sizes[root]

    decided = dict(known)
    for root, group in belonging.items():
        if sides[root]:
            decided.update(dict.fromkeys(group, sides[root]))
    placed = {}
    for track in tracks:
        root = ties.root(names[track.path][0])
        placed[track.path] = root, sides[root]
    return placed, decided


def _check(tracks: Sequence[CollectedTrack], sizes: Mapping[str, int]) -> None:
    n_groups = len(sizes)
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
    """Earlier decisions, none if there are none.

    Raises
    ------
    ConfigError
        If the file is something else. It is not replaced: without it nobody knows which tracks a
        model has been tested on.
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
    """Write decisions atomically."""
    lines = ["\t".join(COLUMNS), *(f"{side}\t{member}" for member, side in sorted(known.items()))]
    replace_file(path, ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))
