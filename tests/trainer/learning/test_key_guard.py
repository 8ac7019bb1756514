"""Tests of the guard set of keys: it is always the same, its parts differ, and it is no riddle."""

from __future__ import annotations

import numpy as np
import pytest

from tempo_core import checkpoint
from trainer.evaluation.keys import measure_keys
from trainer.learning.key_guard import N_COMPARED, answers, paint

MODEL = checkpoint.load(checkpoint.resolve("shipped", "key"), "key")


@pytest.mark.slow
def test_it_is_always_the_same_and_most_of_it_is_found() -> None:
    clips, again = (paint(MODEL.front_end, replay=False) for _ in range(2))
    assert len(clips) == N_COMPARED
    for one, other in zip(clips, again, strict=True):
        assert one.key == other.key
        np.testing.assert_array_equal(one.spectra, other.spectra)
    keys = [clip.key for clip in clips]
    assert len(set(keys)) > 18
    assert measure_keys(keys, answers(clips, MODEL)).exact > 0.5  # chance is a twenty-fourth


@pytest.mark.slow
def test_what_is_replayed_is_not_compared() -> None:
    compared, replayed = (
        {clip.spectra.tobytes() for clip in paint(MODEL.front_end, replay)}
        for replay in (False, True)
    )
    assert not compared & replayed
