"""Tests of what is measured in a file beside the estimate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tempo_core import checkpoint
from tempo_core.errors import AudioError
from tempo_core.model import Checkpoint
from tempo_core.tasks.tempo.config import TempoConfig
from tests.audio import drum_pattern, write_audio
from tests.rows import mostly_slow
from trainer.trainingset.clean import UNSTEADY_SHARE
from trainer.trainingset.listen import Listening, listen, silence

SR = 11025


def song(bpm: float, style: str, seed: int, duration: float = 14) -> np.ndarray:
    return drum_pattern(bpm, duration, SR, style, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def original() -> np.ndarray:
    return song(124, "rock", 0)


@pytest.fixture(scope="module")
def model() -> Checkpoint[TempoConfig]:
    return checkpoint.load(checkpoint.resolve("default"))


@pytest.fixture
def hear(tmp_path: Path, model: Checkpoint) -> Callable[..., Listening]:
    def run(*parts: np.ndarray, longest: float = 900) -> Listening:
        path = write_audio(tmp_path / "a.wav", np.concatenate(parts), SR)
        return listen(path, model, longest)

    return run


def test_a_steady_song(hear: Callable[..., Listening], original: np.ndarray) -> None:
    found = hear(original)
    assert found.duration(SR) == found.stated == pytest.approx(14)
    assert found.bpm == pytest.approx(124, abs=0.1)
    assert (found.elsewhere, found.silent) == (0.0, 0.0)
    assert len(found.fingerprint) > 200


@mostly_slow("bpm", [100, 131, 150, 165], quick=2)
def test_another_tempo_in_the_second_half(bpm: float, hear: Callable[..., Listening]) -> None:
    found = hear(song(117, "house", 1, 24), song(bpm, "rock", 2, 24))
    assert found.elsewhere > UNSTEADY_SHARE


def test_a_third_at_another_tempo(hear: Callable[..., Listening]) -> None:
    found = hear(song(117, "house", 1, 48), song(147, "rock", 2, 24))
    assert found.bpm == pytest.approx(117, rel=0.01)
    assert found.elsewhere == pytest.approx(1 / 3, abs=0.1)


@mostly_slow("style", ["rock", "house", "dnb"], quick=1)
@pytest.mark.parametrize("drift", [0.02, 0.035])
def test_people_who_play_together_drift(
    drift: float, style: str, hear: Callable[..., Listening]
) -> None:
    """Music slower and faster by turns, by `drift` up and down, hardly counts as unsteady."""
    audio = song(118, style, 3, 72)
    speed = 1 + drift * np.sin(2 * np.pi * 2 * np.arange(audio.size) / audio.size)
    at = np.cumsum(speed)
    found = hear(np.interp(at[at < audio.size - 1], np.arange(audio.size), audio))
    assert found.elsewhere < UNSTEADY_SHARE / 2


def test_the_same_tempo_counted_twice_as_fast_is_no_change(hear: Callable[..., Listening]) -> None:
    found = hear(song(86, "rock", 1, 18), song(172, "rock", 1, 18))
    assert found.elsewhere == 0


def test_what_has_no_tempo(hear: Callable[..., Listening], original: np.ndarray) -> None:
    nothing = hear(np.zeros(10 * SR))
    assert (nothing.silent, nothing.bpm, len(nothing.fingerprint)) == (1.0, 0.0, 0)
    short = hear(original[: SR // 10])
    assert short.n_samples == SR // 10
    assert short.bpm == 0
    hours = hear(original, longest=10)
    assert (hours.bpm, hours.duration(SR)) == (0, 14)


def test_what_is_no_audio(model: Checkpoint[TempoConfig], bad_files: dict[str, Path]) -> None:
    for name in ("missing", "text", "no samples", "all NaN", "folder"):
        with pytest.raises(AudioError):
            listen(bad_files[name], model, 900)


@pytest.mark.parametrize(("quiet", "expected"), [(0, 0), (14, 0.5), (42, 0.75)])
def test_silence_is_counted_in_seconds(quiet: int, expected: float, original: np.ndarray) -> None:
    audio = np.concatenate([original, np.zeros(quiet * SR)])
    assert silence(audio, SR) == pytest.approx(expected)


def test_clicks_are_not_silence() -> None:
    audio = np.zeros(20 * SR)
    audio[:: SR // 2] = 0.5
    assert silence(audio, SR) == 0
    assert silence(np.zeros(SR), SR) == 1
    assert silence(np.full(10, 0.5), SR) == 0
