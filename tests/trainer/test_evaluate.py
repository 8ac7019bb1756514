"""Metrics against values worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempo_core.estimate import Estimate
from trainer.dataset import Recording
from trainer.evaluate import (
    acc1,
    acc2,
    bootstrap_interval,
    by_style,
    expected_calibration_error,
    measure,
    plot_reliability,
    within,
)


def test_within_includes_the_boundary() -> None:
    assert within([100, 100, 100], [104, 104.01, 96]).tolist() == [True, False, True]


def test_accuracies() -> None:
    reference = [100, 100, 100, 100, 100]
    estimate = [101, 200, 50, 33.4, 150]
    assert acc1(reference, estimate) == pytest.approx(0.2)
    assert acc2(reference, estimate) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("reference", "estimate"), [([100], [1, 2]), ([0], [1]), ([np.nan], [1]), ([100], [-1])]
)
def test_bad_tempi_are_refused(reference: list[float], estimate: list[float]) -> None:
    with pytest.raises(ValueError, match=r"tempi must be positive|must match"):
        within(reference, estimate)


def test_calibration_error() -> None:
    assert expected_calibration_error([0.95] * 20, [1] * 19 + [0]) == pytest.approx(0.0)
    assert expected_calibration_error([0.95] * 10 + [0.55] * 10, [1] * 10 + [0] * 10) == (
        pytest.approx((0.05 + 0.55) / 2)
    )


def _recording(bpm: float, alternatives: tuple[float, ...] = ()) -> Recording:
    return Recording(Path("x"), "songs", ((bpm, 1.0),), "validation", "artist", alternatives)


def test_measure_counts_failures_as_wrong() -> None:
    recordings = [_recording(100), _recording(120, (60.0,)), _recording(80), _recording(90)]
    estimates = [
        Estimate(100.08, 0.9, ()),
        Estimate(60.0, 0.5, ()),
        Estimate(80.9, 0.8, ()),
        None,
    ]
    figures = measure(recordings, estimates)
    assert figures.n == 4
    assert figures.n_failed == 1
    assert figures.acc1 == pytest.approx(0.5)
    assert figures.acc2 == pytest.approx(0.75)
    assert figures.within_1_percent == pytest.approx(0.5)
    assert figures.within_0_1_bpm == pytest.approx(0.5)
    assert figures.alternative == 1.0


def test_bootstrap_interval_of_a_proportion_is_that_of_the_textbook() -> None:
    values = [1.0] * 80 + [0.0] * 20
    low, high = bootstrap_interval(values, [str(k) for k in range(100)])
    half = 1.96 * np.sqrt(0.8 * 0.2 / 100)
    assert low == pytest.approx(0.8 - half, abs=0.015)
    assert high == pytest.approx(0.8 + half, abs=0.015)


def test_bootstrap_draws_groups_not_values() -> None:
    """Ten recordings of one artist are one piece of evidence, so the interval is wider."""
    values = [1.0] * 80 + [0.0] * 20
    low, high = bootstrap_interval(values, [str(k // 10) for k in range(100)])
    assert high - low > 0.4
    assert bootstrap_interval(values, ["one"] * 100) == (0.8, 0.8)
    with pytest.raises(ValueError, match="one group a value"):
        bootstrap_interval([], [])


def test_styles_are_listed_from_the_worst() -> None:
    def clip(style: str, bpm: float) -> Recording:
        return Recording(Path("x"), f"synthesis:{style}", ((bpm, 1.0),), "test", "clip")

    recordings = [clip("house", 120), clip("house", 124), clip("waltz", 90), clip("waltz", 96)]
    estimates = [Estimate(120, 1, ()), Estimate(62, 1, ()), Estimate(120, 1, ()), None]
    assert list(by_style(recordings, estimates).items()) == [
        ("waltz", (2, 0.0, 0.0)),
        ("house", (2, 0.5, 1.0)),
    ]


def test_reliability_plot_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "r.png"
    plot_reliability([0.9, 0.8, 0.2], [True, False, False], "three", path)
    assert path.read_bytes().startswith(b"\x89PNG")
