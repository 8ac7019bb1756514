"""Figures of tagging."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trainer.evaluation.tag_figures import area, macro, precision, tag_figures

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
