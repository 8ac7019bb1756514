"""Pace candidates, their probability, and how they are written."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tempo_core.config import TempoGrid
from tempo_core.paces import (
    FASTEST,
    RATIOS,
    SAME,
    SLOWEST,
    Pace,
    candidates,
    format_paces,
    parse_paces,
    pulse_strength,
)

GRID = TempoGrid()


@given(st.floats(30.0, 300.0), st.integers(0, 2**31))
def test_candidates_are_distinct_and_hold_the_relatives(bpm: float, seed: int) -> None:
    pulse = torch.rand(GRID.n_bins, generator=torch.Generator().manual_seed(seed))
    found = candidates(bpm, pulse, GRID)
    assert found[0] == bpm
    assert all(SLOWEST <= tempo <= FASTEST for tempo in found[1:])
    for i, a in enumerate(found):
        assert all(abs(a / b - 1) > SAME for b in found[:i])
    for ratio in RATIOS:
        if SLOWEST <= bpm * ratio <= FASTEST:
            assert any(abs(bpm * ratio / tempo - 1) <= SAME for tempo in found)


def test_a_peak_of_the_tempogram_is_a_candidate() -> None:
    pulse = torch.zeros(GRID.n_bins)
    k = 80
    pulse[k - 1 : k + 2] = torch.tensor([0.5, 1.0, 0.5])
    peak = GRID.bpm_min * 2 ** (k / GRID.bins_per_octave)
    assert any(abs(tempo / peak - 1) < 1e-6 for tempo in candidates(100.0, pulse, GRID))


def test_a_peak_between_bins_is_placed_there() -> None:
    """A fold at a whole bin, up to 1 % off, would drift by a sixth of a beat over 16 beats."""
    exact = 93.7
    position = GRID.bins_per_octave * math.log2(exact / GRID.bpm_min)
    pulse = torch.exp(-0.5 * (torch.arange(GRID.n_bins) - position) ** 2 / 2**2)
    found = min(candidates(100.0, pulse, GRID), key=lambda tempo: abs(tempo - exact))
    assert abs(found / exact - 1) < 1e-3


def test_pulse_needs_both_autocorrelation_and_fourier() -> None:
    pulse = torch.zeros(2, GRID.n_bins)
    pulse[0, 50], pulse[1, 70] = 1.0, 1.0
    pulse[:, 90] = 0.5
    assert int(pulse_strength(pulse).argmax()) == 90


def test_written_and_read() -> None:
    paces = (Pace(128.0, 0.97), Pace(64.0, 0.71), Pace(85.3, 0.08))
    assert format_paces(paces) == "128:0.97 64:0.71 85.3:0.08"
    assert parse_paces(format_paces(paces)) == paces
    assert parse_paces("") == ()
    with pytest.raises(ValueError, match="could not convert"):
        parse_paces("128=0.97")
