"""Which tracks to label next, so that the labels say most about how somebody counts.

A label is worth most on a track whose octave is unsure and that stands for many others like it
(active learning; Settles, "Active learning literature survey", 2009). Tracks are chosen one after
another, each for what it says about tracks that those before it, and those labelled already, do not
stand for yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SURE_OCTAVE = 0.9  # octave confidence above which there is no need to ask
MOST_CONSIDERED = 3000  # candidates that are compared with each other: the most doubtful ones
# How much one track stands for another, from 0 to 1: tempi this far apart [octaves] by e^-½,
TEMPO_WIDTH = 1 / 6
# and other genres and artists by these factors. Where one of two genres is unknown it is no other.
OTHER_GENRE, OTHER_ARTIST = 0.5, 0.7


@dataclass(frozen=True)
class SuggestionCandidate:
    """A track that could be labelled, or is: what an analysis and its tags say of it.

    `bpm` is the tempo as it is counted now [BPM], > 0; the confidences are in 0..1. Texts are empty
    where nothing is known.
    """

    bpm: float
    confidence: float = 1.0
    octave_confidence: float = 1.0
    artist: str = ""
    album: str = ""
    genre: str = ""

    @property
    def doubt(self) -> float:
        """Probability, 0..1, that the rate is right and the octave is wrong."""
        if not self.octave_confidence:
            return 0.0
        return min(1.0, self.confidence / self.octave_confidence) * (1 - self.octave_confidence)


def suggest(
    candidates: Sequence[SuggestionCandidate], labelled: Sequence[SuggestionCandidate], n: int
) -> list[int]:
    """Indices of the candidates to label next, the most valuable first; at most `n`.

    The value of a candidate is its doubt times the sum of the doubts of all candidates, each as far
    as this one stands for it and none that is labelled or chosen does.

    Parameters
    ----------
    labelled
        Tracks that have a label.
    """
    unsure = [k for k, one in enumerate(candidates) if one.octave_confidence <= SURE_OCTAVE]
    unsure = [k for k in unsure if candidates[k].doubt > 0]
    unsure.sort(key=lambda k: -candidates[k].doubt)
    unsure = unsure[:MOST_CONSIDERED]
    if not unsure:
        return []
    considered = [candidates[k] for k in unsure]
    doubt = np.array([one.doubt for one in considered])
    describe = _Describing()
    own = describe(considered)
    covered = np.zeros(len(considered))
    for start in range(0, len(labelled), MOST_CONSIDERED):  # not all at once: memory
        some = describe(labelled[start : start + MOST_CONSIDERED])
        covered = np.maximum(covered, _likeness(some, own).max(axis=0))
    likeness = _likeness(own, own)
    chosen: list[int] = []
    for _ in range(min(n, len(considered))):
        gains = doubt * (np.maximum(likeness - covered, 0) @ doubt)
        gains[chosen] = -1.0
        chosen.append(int(gains.argmax()))
        covered = np.maximum(covered, likeness[chosen[-1]])
    return [unsure[k] for k in chosen]


class _Describing:
    """Tracks as numbers: (n, 4) logarithms of their tempi [octaves], and codes of their texts."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {"": 0}

    def __call__(self, tracks: Sequence[SuggestionCandidate]) -> NDArray[np.float64]:
        return np.array([
            (np.log2(t.bpm), *(self._code(text) for text in (t.artist, t.album, t.genre)))
            for t in tracks
        ]).reshape(-1, 4)  # fmt: skip

    def _code(self, text: str) -> int:
        return self._codes.setdefault(text.strip().casefold(), len(self._codes))


def _likeness(some: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, m) how much each of `n` described tracks stands for each of `m` others, in 0..1."""
    tempo, artist, album, genre = (
        (a[:, None], b[None, :]) for a, b in zip(some.T, others.T, strict=True)
    )
    near = np.exp(-0.5 * np.square((tempo[0] - tempo[1]) / TEMPO_WIDTH))
    same = ((artist[0] == artist[1]) & (artist[0] > 0)) | ((album[0] == album[1]) & (album[0] > 0))
    other_genre = (genre[0] != genre[1]) & (genre[0] > 0) & (genre[1] > 0)
    return np.asarray(
        near * np.where(same, 1.0, OTHER_ARTIST) * np.where(other_genre, OTHER_GENRE, 1.0)
    )
