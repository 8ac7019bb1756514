"""Tests of finding wrong labels by cross validation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.evaluation.tag_doubts import DoubtfulLabel, find_doubtful
from trainer.evaluation.tag_figures import area
from trainer.learning.tag_checking import FITS_A_TAG, check_labels

TAGS = ["rock", "house", "jazz"]
N = 120


def sounds(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64], list[str]]:
    """Embeddings of three genres that overlap, the genres, and artists with two tracks each."""
    rng = np.random.default_rng(seed)
    genre = np.arange(N) // 2 % 3
    return rng.normal(size=(N, 8)) + 2 * np.eye(8)[genre], genre, [str(k // 2) for k in range(N)]


def test_wrong_labels_come_first() -> None:
    embeddings, genre, artists = sounds()
    wrong = np.arange(0, N, 10)
    stated = genre.copy()
    stated[wrong] = (stated[wrong] + 1) % 3
    calls = []
    found = check_labels(
        TAGS, embeddings, np.eye(3)[stated], artists, go_on=lambda: calls.append(1)
    )
    assert len(calls) == FITS_A_TAG * len(TAGS)
    assert len(found.doubtful) == N
    doubts = np.zeros(N)
    for one in found.doubtful:
        doubts[one.track] = one.doubt
        assert one.label == TAGS[stated[one.track]]
    assert area(np.isin(np.arange(N), wrong).astype(float), doubts) > 0.95
    first = found.doubtful[0]
    assert first.other == TAGS[genre[first.track]]


def test_what_is_surely_wrong_misleads_only_once() -> None:
    """Without the labels that fit worst, wrong and right ones are told apart better."""
    embeddings, genre, artists = sounds()
    wrong = np.arange(0, N, 5)
    stated = genre.copy()
    stated[wrong] = (stated[wrong] + 1) % 3
    truth = np.eye(3)[stated]
    found = check_labels(TAGS, embeddings, truth, artists)
    once = find_doubtful(TAGS, truth, found.probabilities)

    def gap(doubtful: list[DoubtfulLabel]) -> float:
        doubts = np.array([one.doubt for one in sorted(doubtful, key=lambda one: one.track)])
        right = np.setdiff1d(np.arange(N), wrong)
        return float(doubts[wrong].mean() - doubts[right].mean())

    assert gap(found.doubtful) > gap(once) + 0.01


def test_the_same_again_and_a_stop() -> None:
    embeddings, genre, artists = sounds()
    truth = np.eye(3)[genre]
    one, other = (check_labels(TAGS, embeddings, truth, artists) for _ in range(2))
    assert one.doubtful == other.doubtful
    assert np.array_equal(one.probabilities, other.probabilities)
    assert np.array_equal(truth, np.eye(3)[genre])  # as it was

    def stop() -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        check_labels(TAGS, embeddings, truth, artists, go_on=stop)


def test_one_artist_tells_nothing() -> None:
    embeddings, genre, _ = sounds()
    found = check_labels(TAGS, embeddings, np.eye(3)[genre], ["x"] * N)
    assert np.ptp(found.probabilities, axis=0) == pytest.approx(0)
