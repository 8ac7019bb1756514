"""Tests of how alike embeddings are."""

from __future__ import annotations

import numpy as np
import pytest

from tempo_core import similarity
from tempo_core.similarity import directions, mean_of, similarities


def test_it_is_the_cosine_of_what_is_not_common(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    embeddings = (rng.normal(size=(1000, 16)) + 5).astype(np.float16)
    exact = embeddings.astype(np.float64)
    exact -= exact.mean(axis=0)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    middle = exact[[3, 8]].mean(axis=0)
    expected = exact @ middle / np.linalg.norm(middle)
    for block in (7, 4096):
        monkeypatch.setattr(similarity, "BLOCK", block)
        np.testing.assert_allclose(similarities(embeddings, [3, 8]), expected, atol=1e-4)
    assert similarities(embeddings, [3]).argmax() == 3


def test_large_numbers_do_not_overflow() -> None:
    embeddings = np.array([[65504, 0], [65504, 65504], [0, 65504]], np.float16)
    assert np.isfinite(mean_of(embeddings)).all()
    alike = similarities(embeddings, [0])
    assert alike[0] == pytest.approx(1, abs=1e-3)
    assert np.isfinite(alike).all()


def test_all_equal_none_and_one() -> None:
    same = np.ones((5, 3), np.float16)
    np.testing.assert_array_equal(similarities(same, [0]), np.zeros(5))
    np.testing.assert_array_equal(similarities(same[:1], [0]), [0])
    assert directions(same, mean_of(same)).shape == (5, 3)


def test_opposites_have_no_middle() -> None:
    embeddings = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], np.float16)
    np.testing.assert_array_equal(similarities(embeddings, [0, 1]), np.zeros(4))
