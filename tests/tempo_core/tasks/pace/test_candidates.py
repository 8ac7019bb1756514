"""Tests of the tempi that are candidates for paces."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tempo_core.levels import RELATIVES
from tempo_core.paces import FASTEST_PACE, SAME_PACE, SLOWEST_PACE
from tempo_core.tasks.pace.candidates import candidates
from tempo_core.tasks.tempo.config import TempoGrid

GRID = TempoGrid()


@given(st.floats(30.0, 300.0), st.integers(0, 2**31))
def test_candidates_are_distinct_and_hold_the_relatives(bpm: float, seed: int) -> None:
    pulse = np.random.default_rng(seed).random(GRID.n_bins)
    found = candidates(bpm, pulse, GRID)
    assert found[0] == bpm
    assert all(SLOWEST_PACE <= tempo <= FASTEST_PACE for tempo in found[1:])
    for i, a in enumerate(found):
        assert all(abs(a / b - 1) > SAME_PACE for b in found[:i])
    for ratio in RELATIVES:
        if SLOWEST_PACE <= bpm * ratio <= FASTEST_PACE:
            assert any(abs(bpm * ratio / tempo - 1) <= SAME_PACE for tempo in found)


def test_a_peak_of_the_tempogram_is_a_candidate() -> None:
    pulse = np.zeros(GRID.n_bins)
    k = 80
    pulse[k - 1 : k + 2] = 0.5, 1.0, 0.5
    peak = GRID.bpm_min * 2 ** (k / GRID.bins_per_octave)
    assert any(abs(tempo / peak - 1) < 1e-6 for tempo in candidates(100.0, pulse, GRID))


def test_a_peak_between_bins_is_placed_there() -> None:
    """Peaks are placed between bins: at a whole bin, up to 1 % off, a fold would drift."""
    exact = 93.7
    position = GRID.bins_per_octave * math.log2(exact / GRID.bpm_min)
    pulse = np.exp(-0.5 * (np.arange(GRID.n_bins) - position) ** 2 / 2**2)
    found = min(candidates(100.0, pulse, GRID), key=lambda tempo: abs(tempo - exact))
    assert abs(found / exact - 1) < 1e-3
