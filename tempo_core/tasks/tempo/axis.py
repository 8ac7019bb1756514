"""The logarithmic tempo axis: its tempi, and the places of tempi on it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...levels import TOLERANCE
from .config import TempoGrid


def tempo_axis(grid: TempoGrid) -> NDArray[np.float64]:
    """(n_bins,) tempi of the grid [BPM], ascending in equal ratios."""
    return np.asarray(grid.bpm_min * 2.0 ** (np.arange(grid.n_bins) / grid.bins_per_octave))


def place(bpm: float, grid: TempoGrid) -> float:
    """Place of a tempo [BPM] on the axis [bins], with fraction; outside of it for other tempi."""
    return grid.bins_per_octave * math.log2(bpm / grid.bpm_min)


def answerable(grid: TempoGrid) -> NDArray[np.bool_]:
    """(n_bins,) True at the tempi that may be answers."""
    tempi = tempo_axis(grid)
    return np.asarray((tempi >= grid.answer_min) & (tempi <= grid.answer_max))


def near(bpm: float, grid: TempoGrid) -> NDArray[np.bool_]:
    """(n_bins,) True at the tempi within `TOLERANCE` of a tempo [BPM]."""
    return np.asarray(np.abs(np.log(tempo_axis(grid) / bpm)) <= math.log(1 + TOLERANCE))
