"""Tests of encoding, decoding and preferring tempi on the grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempo_core.task import Batch, Scored
from tempo_core.tasks.tempo.axis import answerable, near, place, tempo_axis
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.decode import (
    AGREED_WEIGHT,
    MAX_READINGS,
    activate,
    enough,
    highest,
    mass_near,
    octave_share,
    pool,
    prefer,
    pulse_strength,
)
from tempo_core.tasks.tempo.decode import encode as encode_readings
from tempo_core.tasks.tempo.periodicity import N_MAPS
from tempo_core.tasks.tempo.view import Summary

CONFIG = TempoConfig()
GRID = CONFIG.grid


def encode(readings: list[tuple[float, float]]) -> np.ndarray:
    """A target as one distribution, (n_bins,), over all readings."""
    target = encode_readings(readings, CONFIG)
    assert target.shape == (MAX_READINGS, GRID.n_bins)
    return np.asarray(target.sum(axis=0))


def scored(*windows: np.ndarray, weights: tuple[float, ...] | None = None) -> Scored:
    """A batch of windows with some posteriors."""
    n = len(windows)
    known = np.ones(n) if weights is None else np.array(weights)
    pulse = np.ones((N_MAPS, GRID.n_bins)) * known.sum()
    summary = Summary(pulse, np.arange(n, dtype=float))
    return Batch((), np.arange(n), known, summary), np.stack(windows)


@given(st.floats(31.0, 290.0))
@settings(max_examples=200, deadline=None)
def test_decode_inverts_encode_without_bias(bpm: float) -> None:
    assert highest(encode([(bpm, 1.0)]), GRID).bpm == pytest.approx(bpm, rel=1e-3)


@pytest.mark.parametrize("bpm", [30.0, 300.0, 12.0, 500.0])
def test_the_edges_decode_to_themselves(bpm: float) -> None:
    """At the ends of the axis tempi are decoded within half a bin, since a neighbour is missing."""
    inside = min(max(bpm, 30.0), 300.0)
    assert highest(encode([(bpm, 1.0)]), GRID).bpm == pytest.approx(inside, rel=0.02)


@given(st.floats(GRID.bpm_min, 600.0))
def test_a_place_on_the_axis_is_that_of_its_tempo(bpm: float) -> None:
    bins = np.arange(GRID.n_bins)
    assert np.interp(place(bpm, GRID), bins, np.log(tempo_axis(GRID))) == pytest.approx(
        math.log(bpm), abs=1e-9
    )
    assert abs(tempo_axis(GRID)[near(bpm, GRID)] / bpm - 1).max(initial=0) <= 0.04 + 1e-9


def test_an_uncertain_octave_is_shared_out() -> None:
    target = encode([(80.0, 0.5), (160.0, 0.5)])
    assert float(target.sum()) == pytest.approx(1.0, abs=1e-5)
    assert mass_near(target, GRID, 80.0) == pytest.approx(mass_near(target, GRID, 160.0), rel=1e-2)


def test_only_answerable_tempi_get_probability() -> None:
    scores = activate(np.zeros((3, GRID.n_bins), np.float32), CONFIG)
    assert float(scores[:, ~answerable(GRID)].max()) == 0.0
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def test_a_higher_temperature_is_less_sure() -> None:
    logits = 3 * np.random.default_rng(1).standard_normal((1, GRID.n_bins)).astype(np.float32)
    assert activate(logits, CONFIG, 2.0).max() < activate(logits, CONFIG, 1.0).max()


def test_large_logits_are_no_overflow() -> None:
    logits = np.zeros((1, GRID.n_bins), np.float32)
    logits[0, 90] = 1e4
    assert activate(logits, CONFIG)[0, 90] == 1


def test_pool_is_the_mean_over_windows() -> None:
    pooled = pool([scored(encode([(100.0, 1.0)]), encode([(140.0, 1.0)]))], CONFIG)
    assert float(pooled.posterior.sum()) == pytest.approx(1.0, abs=1e-5)
    assert mass_near(pooled.posterior, GRID, 100.0) == pytest.approx(0.5, abs=0.06)
    np.testing.assert_allclose(pooled.pulse, 1)


def test_windows_count_by_their_weight_whatever_batch_they_are_in() -> None:
    slow, fast = encode([(100.0, 1.0)]), encode([(140.0, 1.0)])
    together = pool([scored(slow, fast, fast, weights=(1.0, 0.25, 0.25))], CONFIG)
    apart = pool([scored(fast, weights=(0.25,)), scored(slow, fast, weights=(1.0, 0.25))], CONFIG)
    np.testing.assert_allclose(together.posterior, apart.posterior, atol=1e-9)
    np.testing.assert_allclose(together.pulse, apart.pulse)
    assert together.clearest == apart.clearest == 1
    share = mass_near(together.posterior, GRID, 100.0) / mass_near(slow, GRID, 100.0)
    assert share == pytest.approx(2 / 3, rel=1e-3)


def test_windows_that_agree_surely_are_enough() -> None:
    sure, other = encode([(120.0, 1.0)]), encode([(121.5, 1.0)])
    assert enough([scored(sure, sure)], CONFIG)
    assert enough([scored(sure), scored(sure)], CONFIG)
    assert not enough([], CONFIG)
    assert not enough([scored(sure)], CONFIG)  # one proves nothing
    assert not enough([scored(sure, sure, weights=(1.0, AGREED_WEIGHT - 1.01))], CONFIG)
    assert not enough([scored(sure, other)], CONFIG)  # all of it counts as 120, but it drifts
    # One that is unclear beside the others is not asked.
    assert enough([scored(sure, sure, other, weights=(1.0, 1.0, 0.1))], CONFIG)
    unsure = encode([(120.0, 0.6), (60.0, 0.4)])
    assert not enough([scored(unsure, unsure)], CONFIG)


@pytest.mark.parametrize(
    ("bpm", "bounds", "expected"),
    [
        (160.0, (70.0, 140.0), 80.0),
        (80.0, (100.0, 200.0), 160.0),
        (120.0, (70.0, 140.0), 120.0),
        (44.0, (90.0, 180.0), 176.0),
        (100.0, (60.0, 70.0), 100.0),  # no octave of it lies there: left as it is
    ],
)
def test_a_preferred_range_moves_by_octaves(
    bpm: float, bounds: tuple[float, float], expected: float
) -> None:
    posterior = prefer(encode([(bpm, 1.0)]).astype(float), GRID, bounds)
    assert highest(posterior, GRID).bpm == pytest.approx(expected, rel=0.01)
    assert float(posterior.sum()) == pytest.approx(1.0, abs=1e-4)


def test_preferring_leaves_its_argument_alone() -> None:
    posterior = encode([(160.0, 1.0)]).astype(float)
    before = posterior.copy()
    prefer(posterior, GRID, (70.0, 140.0))
    np.testing.assert_array_equal(posterior, before)


def test_mass_near_counts_four_percent() -> None:
    posterior = np.zeros(GRID.n_bins)
    k = 93
    posterior[k] = 1.0
    bpm = GRID.bpm_min * 2 ** (k / GRID.bins_per_octave)
    assert mass_near(posterior, GRID, bpm * 1.039) == 1.0
    assert mass_near(posterior, GRID, bpm * 1.045) == 0.0
    assert math.isclose(highest(posterior, GRID).bpm, bpm, rel_tol=1e-6)


def test_pulse_needs_both_autocorrelation_and_fourier() -> None:
    pulse = np.zeros((N_MAPS, GRID.n_bins))
    pulse[0, 50], pulse[1, 70] = 1.0, 1.0
    pulse[:2, 90] = 0.5
    strength = pulse_strength(pulse)
    assert int(strength.argmax()) == 90
    assert strength[90] == 1
    assert not pulse_strength(0 * pulse).any()


def test_how_sure_the_octave_is_does_not_depend_on_how_sure_the_rate_is() -> None:
    def share(**masses: float) -> float:
        posterior = sum(mass * encode([(float(bpm[1:]), 1.0)]) for bpm, mass in masses.items())
        return octave_share(np.asarray(posterior), GRID, 90.0)

    assert share(_90=1.0) == pytest.approx(1.0, abs=0.01)
    assert share(_90=0.6, _180=0.3, _45=0.1) == pytest.approx(0.6, abs=0.01)
    assert share(_90=0.3, _180=0.15, _45=0.05, _101=0.5) == pytest.approx(0.6, abs=0.02)
    assert share(_90=0.5, _270=0.3, _30=0.2) == pytest.approx(0.5, abs=0.03)
    assert octave_share(np.zeros(GRID.n_bins), GRID, 90.0) == 0.0
