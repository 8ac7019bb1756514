"""Tests of finding labels that contradict the sound."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.evaluation.tag_doubts import find_doubtful

NAN = float("nan")
TAGS = ["rock", "house", "jazz"]


def test_labels_in_the_order_of_doubt() -> None:
    truth = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1.0]])
    probabilities = np.array([[0.5, 0.2, 0.2], [0.1, 0.9, 0.2], [0.1, 0.1, 0.9]])
    found = find_doubtful(TAGS, truth, probabilities)
    assert [(one.track, one.label, one.other) for one in found] == [
        (1, "rock", "house"), (0, "rock", "house"), (2, "jazz", "rock"),
    ]  # fmt: skip
    # The odds are 1 to 9 of rock, 9 of house, 1 to 4 of jazz.
    assert found[0].doubt == pytest.approx((9 + 1 / 4) / (9 + 1 / 4 + 1 / 9))


def test_what_is_not_known_speaks_for_nothing() -> None:
    probabilities = np.array([[0.5, 0.99, 0.5]])
    (found,) = find_doubtful(TAGS, np.array([[1, NAN, 0]]), probabilities)
    assert (found.other, found.doubt) == ("jazz", pytest.approx(0.5))
    (alone,) = find_doubtful(TAGS, np.array([[1, NAN, NAN]]), np.array([[0.3, 0.9, 0.9]]))
    assert (alone.other, alone.doubt) == ("", pytest.approx(0.7))


def test_each_of_several_labels_is_judged_for_itself() -> None:
    truth, probabilities = np.array([[1, 1, 0.0]]), np.array([[0.9, 0.1, 0.5]])
    first, second = find_doubtful(TAGS, truth, probabilities)
    assert (first.label, second.label) == ("house", "rock")
    assert first.doubt == pytest.approx(0.9)
    assert second.doubt == pytest.approx(0.1)


def test_certainties_and_nothing() -> None:
    (found,) = find_doubtful(TAGS, np.array([[1, 0, 0.0]]), np.array([[0.0, 1.0, 0.0]]))
    assert 0.999 < found.doubt <= 1
    assert find_doubtful(TAGS, np.zeros((4, 3)), np.full((4, 3), 0.5)) == []
    assert find_doubtful([], np.zeros((4, 0)), np.zeros((4, 0))) == []
    assert find_doubtful(TAGS, np.zeros((0, 3)), np.zeros((0, 3))) == []
