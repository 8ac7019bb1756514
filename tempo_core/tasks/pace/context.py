"""Inputs of the pace network about a candidate beside the folded music: its context."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...levels import RELATIONS, is_same
from ..tempo.axis import place
from ..tempo.config import TempoGrid

MAX_BPM_ERROR = 0.02  # relative, of a candidate that counts as a multiple of the headline tempo
KNOTS = tuple(40.0 * 2 ** (k / 2) for k in range(7))  # [BPM] 40 to 320
PULSE_MULTIPLES = (1 / 3, 1 / 2, 1.0, 2.0, 3.0)  # of a candidate, whose pulse is in its context
# Length of a context: ratio to the headline tempo as one of some classes (all zero for other
# ratios), place on the axis, and pulses.
N_CONTEXT = len(RELATIONS) + len(KNOTS) + len(PULSE_MULTIPLES)


def context(
    tempi: Sequence[float],
    bpm: float | None,
    strength: NDArray[np.floating],
    grid: TempoGrid,
) -> NDArray[np.float32]:
    """(n, N_CONTEXT) context of candidates.

    It has their ratio to the headline tempo, their place on the axis (one can walk or run only to
    some tempi), and the strength of the pulse of the track at multiples of them.

    Parameters
    ----------
    tempi
        (n,) candidates [BPM].
    bpm
        The headline tempo [BPM]; None leaves the ratio out.
    strength
        (n_bins,) strength of the pulse, see `Tempo.strength`.
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
