"""The logarithmic tempo axis."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...levels import TOLERANCE
from .config import TempoGrid


def tempo_axis(grid: TempoGrid) -> NDArray[np.float64]:
    """(n_bins,) tempi of the grid [BPM], ascending, equal ratios."""
    return np.asarray(grid.bpm_min * 2.0 ** (np.arange(grid.n_bins) / grid.bins_per_octave))


def place(bpm: float, grid: TempoGrid) -> float:
    """Where a tempo [BPM] is on the axis [bins]."""
    return grid.bins_per_octave * math.log2(bpm / grid.bpm_min)


def answerable(grid: TempoGrid) -> NDArray[np.bool_]:
    """(n_bins,) the tempi that may be answered."""
    tempi = tempo_axis(grid)
    return np.asarray((tempi >= grid.answer_min) & (tempi <= grid.answer_max))


def near(bpm: float, grid: TempoGrid) -> NDArray[np.bool_]:
    """(n_bins,) the tempi that count as this one [BPM]."""
    return np.asarray(np.abs(np.log(tempo_axis(grid) / bpm)) <= math.log(1 + TOLERANCE))
