"""Labels that contradict how their tracks sound, the surest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, logsumexp

Floats = NDArray[np.float64]
LISTED = 0.9  # doubt from which a label is listed by default
LEAST_PROBABILITY = 1e-6  # of a tag, and 1 minus it of the surest


@dataclass(frozen=True)
class DoubtfulLabel:
    """A label of a track, and how much its sound speaks against it.

    Attributes
    ----------
    track
        Number of the track.
    label
        The tag that it is labelled with.
    other
        The likeliest of the tags that it is known not to be labelled with; empty if there is none.
    doubt
        In 0..1, see `find_doubtful`.
    """

    track: int
    label: str
    other: str
    doubt: float


def find_doubtful(tags: Sequence[str], truth: Floats, probabilities: Floats) -> list[DoubtfulLabel]:
    """All labels of tracks, those first that fit worst to how the tracks sound.

    Parameters
    ----------
    tags
        (n_tags,) names.
    truth
        (n_tracks, n_tags) 1 where a track is labelled with a tag, 0 where it is known not to have
        it, NaN where that is not known; what is not known speaks neither for nor against a label.
    probabilities
        (n_tracks, n_tags) in 0..1, of each track by a model that has learned neither from it nor
        from its artist.

    Notes
    -----
    The doubt is what is left for the other tags if a track has either the label or one of the tags
    that it is not labelled with, the odds of each counting. It orders labels and is not how
    probable it is that one is wrong: that depends on how many of a library are.
    """
    odds = logit(np.clip(probabilities, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY))
    others = np.where(truth == 0, odds, -np.inf)
    tracks, labels = np.nonzero(truth == 1)
    if not tracks.size:
        return []
    against = logsumexp(others, axis=1)
    # Where a track has all tags, it has the label or nothing.
    against[~(truth == 0).any(axis=1)] = 0.0
    best = others.argmax(axis=1)
    has_other = np.isfinite(others.max(axis=1))
    doubts = expit(against[tracks] - odds[tracks, labels])
    return [
        DoubtfulLabel(
            track=int(tracks[k]),
            label=tags[labels[k]],
            other=tags[best[tracks[k]]] if has_other[tracks[k]] else "",
            doubt=float(doubts[k]),
        )
        for k in np.lexsort((labels, tracks, -doubts))
    ]
