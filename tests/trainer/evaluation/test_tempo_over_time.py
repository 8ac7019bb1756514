"""Tests of what a picture of a track's tempo shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tempo_core import Estimator, checkpoint
from tempo_core.tasks.tempo.axis import tempo_axis
from tempo_core.tasks.tempo.config import TempoGrid
from trainer.evaluation.tempo_over_time import N_PHASES, fold, tempo_over_time, tempogram

FPS = 86.13
GRID = TempoGrid()


def pulses(*tempi: float, seconds: float = 40.0) -> np.ndarray:
    """Onset strength (n_frames,) of beats at tempi that follow each other."""
    onsets = np.zeros(round(len(tempi) * seconds * FPS), np.float32)
    for k, bpm in enumerate(tempi):
        times = k * seconds + np.arange(0, seconds - 0.1, 60 / bpm)
        onsets[np.round(times * FPS).astype(int)] = 1.0
    return onsets


def strongest(folded: np.ndarray) -> np.ndarray:
    """The row where each column of a folded beat is strongest."""
    return np.asarray(folded.argmax(axis=0))


@pytest.mark.parametrize("bpm", [60.0, 121.3, 174.0])
def test_a_steady_beat_is_a_straight_row_in_the_middle(bpm: float) -> None:
    folded = fold(pulses(bpm), FPS, bpm)
    assert folded.width == pytest.approx(60 / bpm)
    assert folded.strength.shape == (N_PHASES, int(pulses(bpm).size / FPS / 60 * bpm))
    assert np.abs(strongest(folded.strength) - N_PHASES // 2).max() <= 2


def test_a_slower_beat_is_a_slope() -> None:
    """Every beat is later than the fold by the difference of the periods."""
    rows = strongest(fold(pulses(120.0, seconds=20), FPS, 121.0).strength)
    steps = np.diff(np.unwrap(rows.astype(float), period=N_PHASES))
    assert steps.mean() == pytest.approx(N_PHASES * (121 / 120 - 1), rel=0.2)


def test_the_tempogram_shows_the_tempo_of_each_part() -> None:
    onsets = np.stack([pulses(90.0, 130.0)] * 4)
    found = tempogram(onsets, FPS, 1.0, GRID)
    assert found.shape == (GRID.n_bins, 80)
    assert found.max() == 1
    assert found.min() >= 0
    for column, bpm in ((20, 90.0), (60, 130.0)):
        near = np.abs(np.log(tempo_axis(GRID) / bpm)) < 0.03
        assert found[near, column].max() > 0.4
        between = np.abs(np.log(tempo_axis(GRID) / 108)) < 0.03
        assert found[between, column].max() < 0.1


@pytest.mark.parametrize("duration", [1.5, 14.0])
def test_what_is_shown_of_a_file(duration: float, make_audio: Callable[..., Path]) -> None:
    path = make_audio("a.flac", bpm=126, duration=duration)
    estimator = Estimator(tasks=["tempo"], windows="all")
    model = checkpoint.load(checkpoint.resolve("default"))
    track = tempo_over_time(path, estimator, model)
    assert track.title == "a"
    assert track.duration == pytest.approx(duration, abs=0.1)
    assert track.swings.size == pytest.approx(duration / 0.05, abs=2)
    assert track.swings.max() > 0.5
    middles = [time for time, _ in track.tempo_at()]
    assert all(0 < time < duration for time in middles)
    assert len(middles) == len(track.tempo.curve)
