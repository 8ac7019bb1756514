"""Tests of metrics: against mir_eval, textbook formulas, examples by hand, and invariants."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempo_core.paces import Pace
from trainer.evaluation.answers import Answer
from trainer.evaluation.measuring import by, confusion, decade, measure, measure_paces
from trainer.evaluation.metrics import (
    ERROR_RATIOS,
    OTHER_RATIO,
    acc1,
    acc2,
    bootstrap_interval,
    expected_calibration_error,
    octave_ratio,
    p_score,
    progress,
    reliability,
    signed,
    within,
)

tempi = st.floats(30, 300)


def answer(
    bpm: float, estimate: float | None, confidence: float | None = None, **fields: object
) -> Answer:
    known: dict[str, object] = {"path": Path("x"), "bpm": bpm, "group": "artist", **fields}
    return Answer(**known, estimator="e", estimate=estimate, confidence=confidence)  # type: ignore[arg-type]


def test_within_includes_the_boundary() -> None:
    assert within([100, 100, 100], [104, 104.01, 96]).tolist() == [True, False, True]


def test_accuracies() -> None:
    reference = [100, 100, 100, 100, 100]
    estimate = [101, 200, 50, 33.4, 150]
    assert acc1(reference, estimate) == pytest.approx(0.2)
    assert acc2(reference, estimate) == pytest.approx(0.8)


@settings(max_examples=60, deadline=None)
@given(tempi, tempi)
def test_within_is_what_mir_eval_finds(reference: float, estimate: float) -> None:
    tempi = np.array([reference, 0.0])
    import mir_eval  # which takes a second to load

    _, one, _ = mir_eval.tempo.detection(tempi, 1.0, np.array([estimate, 0.0]), tol=0.04)
    if abs(abs(estimate / reference - 1) - 0.04) > 1e-6:  # there rounding decides
        assert bool(within([reference], [estimate])[0]) == one


@pytest.mark.parametrize(
    ("reference", "estimate"), [([100], [1, 2]), ([0], [1]), ([np.nan], [1]), ([100], [-1])]
)
def test_bad_tempi_are_refused(reference: list[float], estimate: list[float]) -> None:
    with pytest.raises(ValueError, match=r"tempi must be positive|must match"):
        within(reference, estimate)


@settings(max_examples=60, deadline=None)
@given(tempi, st.sampled_from(sorted(ERROR_RATIOS)), st.floats(-0.012, 0.012))
def test_a_ratio_is_recognised_at_every_tempo(bpm: float, name: str, off: float) -> None:
    assert octave_ratio(bpm, bpm * ERROR_RATIOS[name] * (1 + off)) == name


@pytest.mark.parametrize("ratio", [0.25, 0.42, 0.58, 0.8, 1.2, 1.33, 1.75, 2.5, 4.0])
def test_what_is_no_simple_ratio_is_another_tempo(ratio: float) -> None:
    assert octave_ratio(100, 100 * ratio) == OTHER_RATIO


def test_p_score_counts_salience() -> None:
    assert p_score((60, 120), 0.7, 120, None) == (pytest.approx(0.3), True, False)
    assert p_score((60, 120), 0.7, 61, 119) == (pytest.approx(1.0), True, True)
    assert p_score((60, 120), 0.7, 90, 45) == (0.0, False, False)


@settings(max_examples=40, deadline=None)
@given(tempi, tempi, st.floats(0, 1), tempi, tempi)
def test_the_order_of_two_answers_is_no_matter(
    first: float, second: float, weight: float, one: float, other: float
) -> None:
    forth = p_score((first, second), weight, one, other)
    assert forth == p_score((first, second), weight, other, one)
    assert 0 <= forth[0] <= 1 + 1e-9


def test_calibration_error() -> None:
    assert expected_calibration_error([0.95] * 20, [1] * 19 + [0]) == pytest.approx(0.0)
    assert expected_calibration_error([0.95] * 10 + [0.55] * 10, [1] * 10 + [0] * 10) == (
        pytest.approx((0.05 + 0.55) / 2)
    )
    assert math.isnan(expected_calibration_error([], []))


def test_who_tells_the_truth_is_calibrated_and_who_boasts_is_not(rng: np.random.Generator) -> None:
    chance = rng.uniform(0, 1, 20_000)
    happens = rng.uniform(0, 1, chance.size) < chance
    assert expected_calibration_error(chance, happens) < 0.02
    assert expected_calibration_error(np.sqrt(chance), happens) > 0.1
    bins = reliability(chance, happens)
    assert sum(b.n for b in bins) == chance.size
    assert all(abs(b.accuracy - b.confidence) < 0.05 for b in bins)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        reliability([1.2], [True])


def test_measure_counts_failures_as_wrong() -> None:
    answers = [
        answer(100, 100.08, 0.9),
        answer(120, 60.0, 0.5, alternatives=(60.0,)),
        answer(80, 80.9, 0.8),
        answer(90, None),
    ]
    figures = measure(answers)
    assert (figures.n, figures.n_failed) == (4, 1)
    assert figures.acc1 == pytest.approx(0.5)
    assert figures.acc2 == pytest.approx(0.75)
    assert figures.within_1_percent_of_all == pytest.approx(0.25)
    assert figures.within_8_percent_of_all == pytest.approx(0.5)
    assert figures.within_10_bpm_of_all == pytest.approx(0.5)
    assert figures.within_1_percent == pytest.approx(0.5)
    assert figures.within_0_1_bpm == pytest.approx(0.5)
    assert figures.alternative == 1.0
    assert figures.error_mean == pytest.approx((0.08 + 60 + 0.9) / 3)
    assert figures.error_percentiles["50"] == pytest.approx(0.9)
    assert (figures.n_two_tempi, figures.p_score) == (1, pytest.approx(0.5))


def test_an_estimator_that_always_fails_has_accuracies_and_no_errors() -> None:
    figures = measure([answer(100, None), answer(120, None)])
    assert (figures.n_failed, figures.acc1, figures.acc2) == (2, 0.0, 0.0)
    assert math.isnan(figures.error_mean)
    assert math.isnan(figures.error_percentiles["95"])
    with pytest.raises(ValueError, match="nothing to measure"):
        measure([])


def test_one_track_has_an_interval_of_no_width() -> None:
    figures = measure([answer(100, 100.0, 1.0)])
    assert figures.acc1_interval == (1.0, 1.0)
    assert figures.ece == 0.0


def test_the_octave_confidence_is_judged_where_the_rate_is_right() -> None:
    answers = [
        answer(100, 100.0, 0.5, octave_confidence=0.9),
        answer(100, 200.0, 0.5, octave_confidence=0.9),
        answer(100, 133.0, 0.5, octave_confidence=0.1),  # another rate
        answer(100, None),
    ]
    figures = measure(answers)
    assert figures.octave_ece == pytest.approx(0.4)
    assert math.isnan(measure([answer(100, 100.0, 0.5)]).octave_ece)


def test_bootstrap_interval_of_a_proportion_is_that_of_the_textbook() -> None:
    values = [1.0] * 80 + [0.0] * 20
    low, high = bootstrap_interval(values, [str(k) for k in range(100)])
    half = 1.96 * np.sqrt(0.8 * 0.2 / 100)
    assert low == pytest.approx(0.8 - half, abs=0.015)
    assert high == pytest.approx(0.8 + half, abs=0.015)


def test_bootstrap_draws_groups_not_values() -> None:
    """The bootstrap draws groups: recordings of one artist make the interval wider."""
    values = [1.0] * 80 + [0.0] * 20
    low, high = bootstrap_interval(values, [str(k // 10) for k in range(100)])
    assert high - low > 0.4
    assert bootstrap_interval(values, ["one"] * 100) == (0.8, 0.8)
    with pytest.raises(ValueError, match="one group a value"):
        bootstrap_interval([], [])


def test_parts_hold_every_track_once() -> None:
    answers = [
        answer(60, 60, genre="waltz"),
        answer(69.9, 35, genre="waltz"),
        answer(128, 128, genre="house"),
        answer(174, None),
    ]
    parts = by(answers, decade)
    assert list(parts) == [" 60-69", "120-129", "170-179"]
    assert (parts[" 60-69"].n, parts[" 60-69"].acc1, parts[" 60-69"].acc2) == (2, 0.5, 1.0)
    assert math.isnan(parts["170-179"].error_median)
    genres = by(answers, lambda a: a.genre)
    assert {name: part.n for name, part in genres.items()} == {"house": 1, "waltz": 2}
    counts = confusion(answers)
    assert (counts["1"], counts["1/2"], sum(counts.values())) == (2, 1, 3)


def test_paces_are_compared_with_what_was_stated() -> None:
    judged = (Pace(120, 0.9), Pace(60, 0.6), Pace(240, 0.2), Pace(90, 0.1))
    # Stated are 60 and 241 (which is 240) and 100 (which was not looked at); 120 was not.
    one = replace(answer(120, 120), paces=(60.0, 241.0, 100.0), judged=judged)
    found = measure_paces([one, answer(100, 100)])
    assert found is not None
    assert (found.n_tracks, found.n_candidates) == (1, 5)
    assert found.accuracy == pytest.approx(2 / 5)
    assert found.offered == pytest.approx(1 / 3)
    assert found.stated == pytest.approx(1 / 2)
    failed = replace(answer(120, None), paces=(60.0,))
    both = measure_paces([one, failed])
    assert both is not None
    assert (both.n_tracks, both.offered) == (2, pytest.approx(1 / 4))
    assert measure_paces([answer(100, 100)]) is None


def test_what_is_logged_of_a_model_that_learns() -> None:
    found = progress([100, 100, 100, 100], [103, 107, 200, 111])
    assert found == {
        "validation_acc1": 0.25, "validation_within_8_percent": 0.5, "validation_acc2": 0.5,
        "validation_within_10_bpm": 0.5, "validation_error_50": 9.0,
        "validation_error_75": pytest.approx(33.25), "validation_error_90": pytest.approx(73.3),
        "validation_error_95": pytest.approx(86.65),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("share", "told"), [(0.031, "+3.1"), (-0.2, "-20.0"), (0.0004, "0.0"), (-0.0004, "0.0")]
)
def test_a_difference_that_rounds_to_nothing_has_no_sign(share: float, told: str) -> None:
    assert signed(share) == told
