"""Figures of tagging."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trainer.evaluation.metrics import bootstrap_groups
from trainer.evaluation.tag_figures import area, drawn_figures, macro, precision, tag_figures

NAN = float("nan")


def test_a_perfect_order_has_both_areas_one() -> None:
    truth, scores = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.3, 0.9])
    assert area(truth, scores) == 1.0
    assert precision(truth, scores) == 1.0


def test_areas_by_hand() -> None:
    truth, scores = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.9, 0.8, 0.7, 0.1])
    assert area(truth, scores) == pytest.approx(3 / 4)  # pairs in order
    assert precision(truth, scores) == pytest.approx((1 + 2 / 3) / 2)


def test_what_is_not_known_counts_nowhere() -> None:
    truth = np.array([1.0, NAN, 0.0, NAN])
    assert area(truth, np.array([0.9, 1.0, 0.1, 0.0])) == 1.0
    figures = tag_figures(
        ("rock",), truth[:, None], np.array([[0.9], [1.0], [0.1], [0.0]]), list("abcd")
    )
    assert (figures.tags[0].n, figures.tags[0].n_with) == (2, 1)


def test_a_tag_that_all_tracks_have_has_no_area_and_leaves_the_mean_alone() -> None:
    truth = np.array([[1.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    scores = np.array([[0.9, 0.9], [0.2, 0.3], [0.4, 0.8]])
    assert math.isnan(area(truth[:, 0], scores[:, 0]))
    assert macro(area, truth, scores) == 1.0


def test_intervals_draw_whole_artists() -> None:
    # One artist has all of the errors: draws without them are perfect, others are not.
    truth = np.tile([[1.0], [0.0]], (40, 1))
    scores = np.where(truth == 1, 0.8, 0.2)
    scores[:20] = 1 - scores[:20]
    groups = ["wrong"] * 20 + [f"right {k // 2}" for k in range(60)]
    figures = tag_figures(("rock",), truth, scores, groups)
    low, high = figures.auc_roc_interval
    assert low < figures.auc_roc < high == pytest.approx(1.0)


def test_calibration_of_a_tag() -> None:
    truth = np.array([[1.0], [0.0]] * 10)
    figures = tag_figures(("rock",), truth, np.full((20, 1), 0.9), [str(k) for k in range(20)])
    assert figures.ece == pytest.approx(0.4)


def test_figures_of_draws_are_those_of_the_drawn_tracks() -> None:
    """Also where scores are equal, where some is not known, and where no track has a tag."""
    rng = np.random.default_rng(0)
    scores = rng.random((120, 3)).round(1)
    truth = (rng.random((120, 3)) < 0.2).astype(float)
    truth[rng.random((120, 3)) < 0.1] = np.nan
    truth[:, 2] = 0
    groups = [str(k) for k in rng.integers(0, 25, 120)]
    found = drawn_figures(truth, scores, groups, seed=3, n_draws=20)
    for draw, which in enumerate(bootstrap_groups(groups, 20, 3)):
        for figure, values in ((area, found.auc_roc), (precision, found.auc_pr)):
            expected = [figure(truth[which, k], scores[which, k]) for k in range(3)]
            np.testing.assert_allclose(values[draw], expected)
