"""Tests of the inputs of the pace network that describe a candidate beside the music."""

from __future__ import annotations

import numpy as np
import pytest

from tempo_core.levels import RELATIONS
from tempo_core.tasks.pace.config import PaceModel
from tempo_core.tasks.pace.context import N_WITHOUT_KNOTS, PULSE_MULTIPLES, context
from tempo_core.tasks.tempo.config import TempoGrid

GRID = TempoGrid()


@pytest.mark.parametrize("n_context", [23, PaceModel().n_context])
def test_context_says_place_relation_and_pulse(n_context: int) -> None:
    strength = np.zeros(GRID.n_bins)
    strength[GRID.bins_per_octave * 2] = 1.0  # 80 BPM
    rows = context([160.0, 80.0, 47.0], 160.0, strength, GRID, n_context)
    assert rows.shape == (3, n_context)
    relations = rows[:, : len(RELATIONS)]
    assert [RELATIONS[k] for k in relations[:2].argmax(axis=1)] == [1.0, 0.5]
    assert not relations[2].any()
    assert not context([160.0], None, strength, GRID, n_context)[0, : len(RELATIONS)].any()
    knots = np.geomspace(40, 320, n_context - N_WITHOUT_KNOTS)
    places = rows[:, len(RELATIONS) :][:, : len(knots)]
    np.testing.assert_allclose(places.sum(axis=1), 1, rtol=1e-6)
    # Linear in the logarithm: the knots average to the place itself.
    np.testing.assert_allclose(places @ np.log2(knots), np.log2([160.0, 80.0, 47.0]), rtol=1e-6)
    pulses = rows[:, -len(PULSE_MULTIPLES) :]
    assert pulses[0].tolist() == [0, 1, 0, 0, 0]  # its half
    assert pulses[1].tolist() == [0, 0, 1, 0, 0]
