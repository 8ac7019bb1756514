"""Candidates for paces: metrical relatives of the tempo, and peaks of the tempogram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...levels import RELATIVES, is_same
from ...paces import FASTEST_PACE, SAME_PACE, SLOWEST_PACE
from ..tempo.config import TempoGrid

MAX_PEAKS = 4  # peaks of the tempogram among the candidates


def candidates(bpm: float, strength: NDArray[np.floating], grid: TempoGrid) -> list[float]:
    """Candidate tempi of a track [BPM]: `bpm`, then its relatives, then peaks of the tempogram.

    Of candidates that are the same within `SAME_PACE` the first stays.

    Parameters
    ----------
    strength
        (n_bins,) strength of the pulse at each tempo of the grid, see `Tempo.strength`.
    """
    heights = strength.tolist()
    peaks = [
        k for k in range(1, grid.n_bins - 1)
        if heights[k] > 0 and heights[k - 1] < heights[k] >= heights[k + 1]
    ]  # fmt: skip
    peaks.sort(key=lambda k: -heights[k])
    tempi = [bpm, *(bpm * ratio for ratio in RELATIVES if ratio != 1.0)]
    for k in peaks[:MAX_PEAKS]:
        # A parabola through the peak: bins are 2 % apart, and rows folded at a whole bin drift.
        left, mid, right = heights[k - 1 : k + 2]
        offset = 0.5 * (left - right) / (left - 2 * mid + right)
        tempi.append(grid.bpm_min * 2.0 ** ((k + offset) / grid.bins_per_octave))
    chosen: list[float] = []
    for tempo in tempi:
        # The track's own tempo, which comes first, is always a candidate.
        inside = SLOWEST_PACE <= tempo <= FASTEST_PACE or not chosen
        if inside and not any(is_same(tempo, other, SAME_PACE) for other in chosen):
            chosen.append(tempo)
    return chosen
