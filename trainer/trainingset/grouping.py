"""Which tracks must stay together when some are held out: those of one artist, or of one recording.

It is the rule of `split`, for tracks that are not divided for good.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .split import Ties, members
from .tables import CollectedTrack

# What ties tracks together in `split` beyond what they are: lying in one folder says nothing here.
PLACES = ("folder:", "path:")


def groups_of(tracks: Sequence[CollectedTrack]) -> list[str]:
    """A name of the group of each track, in their order."""
    ties = Ties()
    tied = [_ties_of(track) for track in tracks]
    for things in tied:
        ties.tie(things)
    return [ties.root(things[0]) for things in tied]


def folds_of(groups: Sequence[str], n_folds: int, seed: int) -> NDArray[np.int64]:
    """(n,) numbers of folds from 0 for a cross validation: whole groups, at random."""
    names = sorted(set(groups))
    np.random.default_rng(seed).shuffle(names)
    fold_of = {name: k % n_folds for k, name in enumerate(names)}
    return np.array([fold_of[group] for group in groups], np.int64)


def _ties_of(track: CollectedTrack) -> list[str]:
    """Names of what ties a track to others, its path if nothing does."""
    unknown = () if track.id else ("file:",)
    found = [name for name in members(track) if not name.startswith((*PLACES, *unknown))]
    return found or [f"path:{track.path}"]
