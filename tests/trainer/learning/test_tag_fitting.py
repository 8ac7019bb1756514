"""Tests of fitting a head: calibration, artists kept apart, and labels that say nothing."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.evaluation.calibration import platt
from trainer.evaluation.metrics import expected_calibration_error
from trainer.evaluation.tag_figures import area
from trainer.learning.tag_fitting import (
    N_FOLDS,
    calibrated,
    fit,
    odds_of_folds,
    out_of_fold,
    regress,
)
from trainer.trainingset.grouping import folds_of


def sounds(rng: np.random.Generator, n: int, n_dims: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings, and two tags that follow from them with a known probability."""
    x = 3 + 2 * rng.standard_normal((n, n_dims))
    odds = (x[:, :2] - 3) * [1.0, -0.5] - [0.0, 2.0]
    return x, (rng.random((n, 2)) < 1 / (1 + np.exp(-odds))).astype(float)


def test_the_head_says_how_probable_a_tag_is(rng: np.random.Generator) -> None:
    x, truth = sounds(rng, 3000)
    folds = folds_of([str(k // 5) for k in range(3000)], N_FOLDS, 0)
    weights, offsets = fit(x, truth, odds_of_folds(x, truth, folds))
    new, has = sounds(rng, 5000)
    found = 1 / (1 + np.exp(-(new @ weights.T + offsets)))
    for k in range(2):
        assert expected_calibration_error(found[:, k], has[:, k]) < 0.04
        assert found[:, k].mean() == pytest.approx(has[:, k].mean(), abs=0.03)


def test_an_artist_who_is_answered_was_not_learned_from(rng: np.random.Generator) -> None:
    """Of artists whose sound says nothing about the tag, nothing can be known."""
    of_artist = rng.standard_normal((60, 60))
    tags = (rng.random(60) < 0.5).astype(float)
    artists = np.arange(600) % 60
    x, truth = of_artist[artists], tags[artists][:, None]
    apart = out_of_fold(x, truth, [str(k) for k in artists])
    mixed = out_of_fold(x, truth, [str(k) for k in range(600)])
    assert area(truth[:, 0], mixed[:, 0]) > 0.8
    assert area(truth[:, 0], apart[:, 0]) < 0.65


def test_what_is_not_known_is_not_learned_from_but_answered(rng: np.random.Generator) -> None:
    x, truth = sounds(rng, 400)
    known = truth.copy()
    known[::4] = np.nan
    weights, _ = regress(x, known)
    there = np.delete(np.arange(400), np.s_[::4])
    # Only the standardisation sees the others.
    expected, _ = regress(x[there], truth[there])
    np.testing.assert_allclose(weights, expected, atol=0.03)
    found = out_of_fold(x, known, [str(k) for k in range(400)])
    assert np.isfinite(found).all()
    assert area(truth[::4, 0], found[::4, 0]) > 0.7


@pytest.mark.parametrize("groups", [["a"] * 40, [str(k) for k in range(40)]])
def test_labels_that_say_nothing(rng: np.random.Generator, groups: list[str]) -> None:
    """All have a tag, none has it, nothing is known; all tracks alike; a single artist."""
    truth = np.stack([np.ones(40), np.zeros(40), np.full(40, np.nan), np.arange(40) % 2.0], axis=1)
    found = out_of_fold(np.ones((40, 8)), truth, groups)
    assert ((found >= 0) & (found <= 1)).all()
    assert (found[:, 0] > 0.9).all()
    assert (found[:, 1] < 0.1).all()
    np.testing.assert_allclose(found[:, 3], 0.5, atol=0.05)
    assert out_of_fold(np.ones((40, 8)), truth[:, :0], groups).shape == (40, 0)


def test_extreme_numbers_are_no_problem() -> None:
    x = np.full((60, 4), 65504, np.float16)
    x[::2, 0] = -65504
    truth = (np.arange(60) % 2.0)[:, None]
    weights, offsets = fit(x, truth, odds_of_folds(x, truth, np.arange(60) % 3))
    found = calibrated(x.astype(float) @ weights.T.astype(float) + offsets, truth)
    assert np.isfinite(found).all()
    assert area(truth[:, 0], found[:, 0]) == 1


def test_the_line_through_log_odds_is_the_one_they_were_drawn_by(rng: np.random.Generator) -> None:
    odds = 3 * rng.standard_normal(20_000)
    truth = (rng.random(20_000) < 1 / (1 + np.exp(-(0.5 * odds - 1)))).astype(float)
    assert platt(odds, truth) == pytest.approx((0.5, -1.0), abs=0.06)
    slope, _ = platt(-odds, truth)
    assert slope > 0  # the order stays, even where it is wrong
    assert platt(odds[:0], truth[:0]) == (1.0, 0.0)
