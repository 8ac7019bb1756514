"""What is said of a tempo over time: points of a curve, and the range that they cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Windows with a tempo from which on there is a range: of fewer, one that is wrong would be its end.
FEWEST = 4
QUANTILES = (0.05, 0.95)  # of the tempi by confidence, that are the ends of a range
LEAST_CHANGE = 0.02  # relative; a range that is narrower is no change of tempo
AROUND = 3  # windows whose median counts as the tempo of the one in the middle


@dataclass(frozen=True)
class TempoPoint:
    """Tempo of one window: it begins at `start` in the recording [s].

    `bpm` has two decimals, in the octave of the whole track; None where there is no clear pulse,
    and that holds until the next point. `confidence` in 0..1 is the probability of `bpm`, whatever
    its octave.
    """

    start: float
    bpm: float | None
    confidence: float


def tempo_range(points: Sequence[TempoPoint]) -> tuple[float, float] | None:
    """(lowest, highest) tempo [BPM] of a track whose tempo changes.

    The ends are robust: quantiles by confidence, after a median over neighbours, so that neither
    end is the word of one window. None if the tempo is steady, or too few windows have one.
    """
    known = [(p.bpm, p.confidence) for p in points if p.bpm is not None]
    if len(known) < FEWEST:
        return None
    tempi, weights = np.array(known).T
    low, high = _quantiles(_smoothed(tempi), weights).tolist()
    return (low, high) if high > (1 + LEAST_CHANGE) * low else None


def _smoothed(tempi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Medians of `AROUND` neighbours each; at the ends, of the first and last ones."""
    inner = np.median(np.lib.stride_tricks.sliding_window_view(tempi, AROUND), axis=1)
    return np.pad(inner, AROUND // 2, mode="edge")


def _quantiles(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """`QUANTILES` of weighted values."""
    order = values.argsort()
    share = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    return np.asarray(np.interp(QUANTILES, share, values[order]))
