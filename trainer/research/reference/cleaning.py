"""From tracks with tags to what a network learns: which tags, and which tracks on which side."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tempo_core.console import counted
from tempo_core.errors import ConfigError
from tempo_core.labels.titles import artist_names, normalise

from ...learning.tag_cleaning import merged
from ...trainingset.split import divide
from ...trainingset.tables import SPLITS, CollectedTrack
from .recipe import ARROW, Cleaning
from .sources import TaggedTrack, tag_name

PARTS = 8  # of the artists to learn from one part validates, where the source states no such side


@dataclass(frozen=True)
class TagSet:
    """Tracks, the tags that are learned, and which track has which.

    `truth` (n_tracks, n_tags) is 1 where a track has a tag and 0 where it has not. What a source
    does not name a track counts as something that the track has not: it was asked for all tags.
    """

    tracks: tuple[TaggedTrack, ...]
    tags: tuple[str, ...]

    @property
    def truth(self) -> NDArray[np.float64]:
        return np.array([[tag in t.tags for tag in self.tags] for t in self.tracks], np.float64)

    def of_split(self, split: str) -> TagSet:
        """The tracks of a side."""
        return replace(self, tracks=tuple(t for t in self.tracks if t.split == split))

    @property
    def groups(self) -> list[str]:
        """(n_tracks,) the artist of each track; one without an artist is alone."""
        return [t.artist.casefold() or str(t.path) for t in self.tracks]


def clean(tracks: Sequence[TaggedTrack], cleaning: Cleaning) -> TagSet:
    """The tags that are learned, and the tracks that have any of them.

    Tracks without such a tag are left out, as in the usual figures of the published data sets.

    Raises
    ------
    ConfigError
        If no tag is left.
    """
    into = merged(
        {tag_name(a): tag_name(b) for a, _, b in (m.partition(ARROW) for m in cleaning.merge)}
    )
    dropped = set(map(tag_name, cleaning.drop))
    named = [
        replace(t, tags=frozenset(into.get(tag, tag) for tag in t.tags) - dropped) for t in tracks
    ]
    counts = Counter(tag for track in named for tag in track.tags)
    enough = [(tag, n) for tag, n in counts.items() if n >= cleaning.least]
    tags = tuple(tag for tag, _ in sorted(enough, key=lambda e: (-e[1], e[0]))[: cleaning.most])
    if not tags:
        most = max(counts.values(), default=0)
        raise ConfigError(
            f"no tag is left of {len(counts)}: the most frequent one has "
            f"{counted(most, 'track')}, {cleaning.least} are needed (cleaning.least)"
        )
    kept = (replace(t, tags=t.tags & set(tags)) for t in named)
    return TagSet(tuple(t for t in kept if t.tags), tags)


def on_sides(tag_set: TagSet, cleaning: Cleaning, seed: int) -> tuple[TagSet, list[str]]:
    """The tracks with their sides, and lines about those that were left out or doubt it.

    Raises
    ------
    ConfigError
        If the artists are too few to be divided, or a side is empty.
    """
    tracks, told = list(tag_set.tracks), []
    stated = any(track.split for track in tracks)
    if not stated or cleaning.sides == "anew":
        tracks = _divided(tracks, tag_set.tags, seed)
    else:
        without = sum(not track.split for track in tracks)
        if without:
            told.append(f"{counted(without, 'track')} without a split left out")
        tracks = [track for track in tracks if track.split]
        if not any(track.split == "validation" for track in tracks):
            tracks = [_validating(track, seed) for track in tracks]
        twice = _on_two_sides(tracks)
        if twice and cleaning.sides == "stated":
            told.append(
                f"{counted(len(twice), 'track')} by artists that are held out, too: as stated, but "
                "the figures flatter"
            )
        elif twice:
            told.append(f"{counted(len(twice), 'track')} by artists that are held out left out")
            tracks = [track for k, track in enumerate(tracks) if k not in twice]
    found = replace(tag_set, tracks=tuple(tracks))
    for split in SPLITS:
        if not any(track.split == split for track in tracks):
            raise ConfigError(
                f"no track is on the {split} side; another split is needed, "
                'or "sides": "anew" in the recipe'
            )
    return found, told


def _divided(tracks: Sequence[TaggedTrack], tags: Sequence[str], seed: int) -> list[TaggedTrack]:
    """Tracks divided by artist, each side with about its share of every tag."""
    order = {tag: k for k, tag in enumerate(tags)}
    collected = [
        CollectedTrack(
            t.path, 0.0, "table", t.artist, t.title, t.album,
            # The rarest tag counts: the others are spread well enough by themselves.
            max(t.tags, key=order.__getitem__), id=str(k),
        )
        for k, t in enumerate(tracks)
    ]  # fmt: skip
    placed, _ = divide(collected, (), {}, seed)
    return [replace(track, split=placed[track.path][1]) for track in tracks]


def _names(track: TaggedTrack) -> frozenset[str]:
    """Everybody who plays, as compared; nobody where no artist is known."""
    return frozenset(artist_names((track.artist,))) or frozenset(
        filter(None, [normalise(track.artist)])
    )


def _validating(track: TaggedTrack, seed: int) -> TaggedTrack:
    """A track to learn from, or to validate on if its artist is drawn for that."""
    if track.split != "train":
        return track
    who = min(_names(track), default=str(track.path))
    drawn = int(hashlib.sha256(f"{seed} {who}".encode()).hexdigest(), 16) % PARTS
    return replace(track, split="validation") if drawn == 0 else track


def _on_two_sides(tracks: Sequence[TaggedTrack]) -> frozenset[int]:
    """Numbers of the tracks whose artist stands on a later side, too: tests are the latest."""
    side: dict[str, int] = {}
    for track in tracks:
        for name in _names(track):
            side[name] = max(side.get(name, 0), SPLITS.index(track.split))
    return frozenset(
        k for k, track in enumerate(tracks)
        if any(side[name] > SPLITS.index(track.split) for name in _names(track))
    )  # fmt: skip


def counts_of(tag_set: TagSet) -> Mapping[str, int]:
    """How many tracks have each tag, the most frequent first."""
    return dict(zip(tag_set.tags, tag_set.truth.sum(axis=0).astype(int).tolist(), strict=True))
