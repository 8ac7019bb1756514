"""Inputs of the pace network about a candidate beside the folded music: its context."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...levels import RELATIONS, is_same
from ...paces import FASTEST_PACE, SLOWEST_PACE
from ..tempo.axis import place
from ..tempo.config import TempoGrid

MAX_BPM_ERROR = 0.02  # relative, of a candidate that counts as a multiple of the headline tempo
PULSE_MULTIPLES = (1 / 3, 1 / 2, 1.0, 2.0, 3.0)  # of a candidate, whose pulse is in its context
# Numbers in a context that are no knots: ratio to the headline tempo as one of some classes (all
# zero for other ratios), and pulses.
N_WITHOUT_KNOTS = len(RELATIONS) + len(PULSE_MULTIPLES)


def context(
    tempi: Sequence[float],
    bpm: float | None,
    strength: NDArray[np.floating],
    grid: TempoGrid,
    n_context: int,
) -> NDArray[np.float32]:
    """(n, n_context) context of candidates.

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
    n_context
        Length of a context; the place is given by as many knots as this leaves, two at least, which
        divide `SLOWEST_PACE` to `FASTEST_PACE` evenly on a logarithmic axis.
    """
    n_knots = n_context - N_WITHOUT_KNOTS
    per_octave = (n_knots - 1) / math.log2(FASTEST_PACE / SLOWEST_PACE)
    rows = np.zeros((len(tempi), n_context), np.float32)
    for row, tempo in zip(rows, tempi, strict=True):
        for k, ratio in enumerate(RELATIONS):
            if bpm is not None and is_same(tempo, ratio * bpm, MAX_BPM_ERROR):
                row[k] = 1.0
        inside = min(max(tempo, SLOWEST_PACE), FASTEST_PACE)
        knot = per_octave * math.log2(inside / SLOWEST_PACE)
        k = min(int(knot), n_knots - 2)
        row[len(RELATIONS) + k] = 1 - (knot - k)
        row[len(RELATIONS) + k + 1] = knot - k
        for k, multiple in enumerate(PULSE_MULTIPLES, start=len(RELATIONS) + n_knots):
            centre = place(multiple * tempo, grid)
            first, last = max(0, math.floor(centre)), min(grid.n_bins, math.ceil(centre) + 1)
            row[k] = float(strength[first:last].max()) if first < last else 0.0
    return rows
