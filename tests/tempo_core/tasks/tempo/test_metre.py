"""Tests of telling beats divided by two from beats divided by three."""

from __future__ import annotations

import numpy as np
import pytest

from tempo_core.tasks.tempo.metre import COMPOUND, is_compound
from tempo_core.tasks.tempo.refine import Envelope

FPS = 86.13


def _pulse(accents: list[float], bpm: float, duration: float, seed: int = 0) -> list[Envelope]:
    """Onset envelope with noise: bars of `len(accents)` even steps at `bpm` steps a minute."""
    rng = np.random.default_rng(seed)
    values = 0.05 * rng.random((4, round(duration * FPS)))
    for k in range(int(duration * bpm / 60)):
        place = round(k * 60 * FPS / bpm)
        if place < values.shape[1]:
            values[:, place] += accents[k % len(accents)]
    # The features smear an onset over some frames.
    values = np.apply_along_axis(np.convolve, 1, values, np.hanning(7), "same")
    return [Envelope(values - values.mean(axis=1, keepdims=True), 0.0)]


# Eighth notes of a bar in 12/8 and in 4/4, at 200 a minute.
TWELVE_EIGHT = [1.0, 0.3, 0.3, 0.8, 0.3, 0.3, 0.9, 0.3, 0.3, 0.8, 0.3, 0.3]
FOUR_FOUR = [1.0, 0.4, 0.8, 0.4, 0.9, 0.4, 0.8, 0.5]


@pytest.mark.parametrize("duration", [12.0, 40.0])
def test_a_beat_of_two_eighths_is_wrong_in_twelve_eight(duration: float) -> None:
    envelopes = _pulse(TWELVE_EIGHT, 200, duration)
    assert is_compound(envelopes, 100.0, FPS)
    assert not is_compound(envelopes, 100.0 * COMPOUND, FPS)


@pytest.mark.parametrize("duration", [12.0, 40.0])
@pytest.mark.parametrize("level", [50.0, 100.0, 200.0])
def test_music_in_four_stays_as_it_is(duration: float, level: float) -> None:
    assert not is_compound(_pulse(FOUR_FOUR, 200, duration), level, FPS)


def test_a_waltz_counted_in_three_stays_as_it_is() -> None:
    assert not is_compound(_pulse([1.0, 0.6, 0.6], 150, 40), 150.0, FPS)


def test_noise_and_short_pieces_say_nothing() -> None:
    noise = np.random.default_rng(1).normal(size=(4, 4000))
    assert not is_compound([Envelope(noise, 0.0)], 100.0, FPS)
    assert not is_compound(_pulse(TWELVE_EIGHT, 200, 8.0), 100.0, FPS)
    assert not is_compound([], 100.0, FPS)
