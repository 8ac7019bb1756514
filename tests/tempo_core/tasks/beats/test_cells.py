"""Tests of the places of folds in a track, and of the music in them."""

from __future__ import annotations

import numpy as np
import pytest

from tempo_core.config import FrontEnd
from tempo_core.tasks.beats.cells import LEAST_BEATS, fold, n_rows, place_of

FPS = FrontEnd().fps


def ticks(times: list[float], n_frames: int, start: float = 0.0) -> np.ndarray:
    """Features of 40 bands that are 1 in the frames at some times of the track [s]."""
    features = np.full((40, n_frames), 1e-3, np.float32)
    for time in times:
        features[:, round((time - start) * FPS)] = 1.0
    return features


@pytest.mark.parametrize("start", [0.0, 0.2, 31.7])
def test_the_first_row_is_a_whole_number_of_beats_from_the_beginning(start: float) -> None:
    place = place_of(start, 1000, FPS, 120.0, 1.0)
    assert place is not None
    assert place.time(0) >= start - 1e-9
    assert place.time(0) - start < 0.5
    assert place.time(0) / 0.5 == pytest.approx(round(place.time(0) / 0.5))
    assert place.time(n_rows(place, start, 1000, FPS)) <= start + 1000 / FPS


def test_a_window_too_short_for_some_beats_has_no_place() -> None:
    enough = round(LEAST_BEATS * 0.5 * FPS) + 2
    assert place_of(0.0, enough, FPS, 120.0, 1.0) is not None
    assert place_of(0.0, enough // 2, FPS, 120.0, 1.0) is None


@pytest.mark.parametrize("bpm", [60.0, 97.3, 174.0])
@pytest.mark.parametrize("offset", [0.05, 0.4, 0.9])
def test_onsets_lie_at_the_phase_of_their_time(bpm: float, offset: float) -> None:
    """Onsets at a phase of the track are in the cells of that phase, wherever the window begins."""
    start, n_frames, period = 12.34, 1033, 60 / bpm
    beats = [(k + offset) * period for k in range(200)]
    inside = [t for t in beats if start < t < start + (n_frames - 2) / FPS]
    window = ticks(inside, n_frames, start)
    place = place_of(start, n_frames, FPS, bpm, 1.0)
    assert place is not None
    folded = fold(window, start, FPS, place, 24)
    onsets = folded[20:].mean(axis=(0, 1))
    turn = np.exp(2j * np.pi * (np.arange(24) + 0.5) / 24)
    phase = float(np.angle((onsets * turn).sum()) / (2 * np.pi)) % 1
    away = (phase - offset + 0.5) % 1 - 0.5
    assert abs(away) < 0.6 / 24
