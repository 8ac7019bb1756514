"""What is known of a candidate beside the music folded at it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...levels import RELATIONS, is_same
from ..tempo.axis import place
from ..tempo.config import TempoGrid

MAX_BPM_ERROR = 0.02  # relative: a candidate further off is not meant as that tempo
KNOTS = tuple(40.0 * 2 ** (k / 2) for k in range(7))  # [BPM] 40 to 320
PULSE_MULTIPLES = (1 / 3, 1 / 2, 1.0, 2.0, 3.0)  # multiples of the candidate whose pulse is given
# Tempo relative to the headline as classes (anything else is none of them), place on the axis, and
# pulses.
N_CONTEXT = len(RELATIONS) + len(KNOTS) + len(PULSE_MULTIPLES)


def context(
    tempi: Sequence[float],
    bpm: float | None,
    strength: NDArray[np.floating],
    grid: TempoGrid,
) -> NDArray[np.float32]:
    """What is known of candidates beside their folds, (n, N_CONTEXT).

    Their place on the axis (one can walk or run to some tempi only), their relation to the headline
    `bpm` (None: as if there were none), and how strongly the track pulses at multiples of them.

    Parameters
    ----------
    strength
        (n_bins,) see `Tempo.strength`.
    """
    rows = np.zeros((len(tempi), N_CONTEXT), np.float32)
    for row, tempo in zip(rows, tempi, strict=True):
        for k, ratio in enumerate(RELATIONS):
            if bpm is not None and is_same(tempo, ratio * bpm, MAX_BPM_ERROR):
                row[k] = 1.0
        knot = 2 * math.log2(min(max(tempo, KNOTS[0]), KNOTS[-1]) / KNOTS[0])
        k = min(int(knot), len(KNOTS) - 2)
        row[len(RELATIONS) + k] = 1 - (knot - k)
        row[len(RELATIONS) + k + 1] = knot - k
        for k, multiple in enumerate(PULSE_MULTIPLES, start=len(RELATIONS) + len(KNOTS)):
            centre = place(multiple * tempo, grid)
            first, last = max(0, math.floor(centre)), min(grid.n_bins, math.ceil(centre) + 1)
            row[k] = float(strength[first:last].max()) if first < last else 0.0
    return rows
