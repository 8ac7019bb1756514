"""Files of a few seconds: loops, and what is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tempo_core import Estimator, checkpoint
from tempo_core.audio import read_excerpts
from tempo_core.checkpoint import Checkpoint
from tempo_core.estimate import analyse, excerpt_features, from_analysis
from tempo_core.loops import n_beats, repeat, same_pulse
from tests.audio import drum_pattern, write_audio

SR = 22050


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator()


@pytest.fixture(scope="module")
def model() -> Checkpoint:
    return checkpoint.load(checkpoint.resolve("default"))


@pytest.mark.parametrize(
    ("duration", "bpm", "beats"),
    [
        (2.0, 120.0, 4),
        (2.0, 121.4, 4),  # a little off, as it is heard in two seconds
        (2.0, 122.0, None),
        (2.5, 120.0, None),  # five beats are no loop
        (8.0, 119.9, 16),
        (0.2, 60.0, None),
    ],
)
def test_a_loop_is_a_number_of_beats(duration: float, bpm: float, beats: int | None) -> None:
    assert n_beats(duration, bpm) == beats


def test_levels_of_one_pulse() -> None:
    assert all(same_pulse(120 * ratio, 121, 0.04) for ratio in (1 / 3, 1 / 2, 1, 2, 3))
    assert not any(same_pulse(120 * ratio, 120, 0.04) for ratio in (2 / 3, 3 / 4, 1.1, 3 / 2))


def test_round_and_round() -> None:
    assert repeat(np.arange(3), 8).tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("style", "bpm", "beats"),
    [("house", 126.3, 4), ("house", 126.3, 8), ("rock", 97.1, 4), ("dnb", 173.2, 16)],
)
def test_the_tempo_of_a_loop_is_exact(
    estimator: Estimator, tmp_path: Path, style: str, bpm: float, beats: int
) -> None:
    duration = beats * 60 / bpm
    # From the second repetition of the chords on, so that it begins with the end of the last note.
    music = drum_pattern(bpm, 3 * duration, SR, style, np.random.default_rng(2))
    loop = music[round(duration * SR) :][: round(duration * SR)]
    found = estimator.estimate(write_audio(tmp_path / "a.wav", loop, SR))
    level = min((1 / 2, 1, 2), key=lambda k: abs(found.bpm / bpm - k))
    assert found.bpm == pytest.approx(level * bpm, abs=0.015 * level)
    assert found.stability is None


@pytest.mark.parametrize("beats", [2.8, 3.1, 4.5, 5.9, 8.1])
def test_a_random_cut_is_taken_as_it_is(
    estimator: Estimator, model: Checkpoint, tmp_path: Path, beats: float
) -> None:
    music = drum_pattern(126, 9, SR, "house", np.random.default_rng(0))
    cut = music[round(1.1 * SR) :][: round(beats * 60 / 126 * SR)]
    path = write_audio(tmp_path / "a.wav", cut, SR)
    excerpts = read_excerpts(path, model.front_end.sr, None)
    with torch.inference_mode():
        analysis = analyse(excerpt_features(excerpts, model), model)
        alone = from_analysis(analysis, model, None, estimator._pace_model)
    assert estimator.estimate(path) == alone
