"""Tests that copies of a recording are found, and other music is not taken for a copy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempo_core.audio import read_excerpts
from tempo_core.config import FrontEnd
from tempo_core.spectrum import mel_spectrogram
from tests.audio import drum_pattern, write_audio
from tests.rows import mostly_slow
from trainer.inputs.views import filterbank
from trainer.trainingset.fingerprint import LONGEST_PRINT, distance, fingerprint, same_recordings

SR = 11025
FRONT_END = FrontEnd()
FPS = FRONT_END.fps
FILTERS = filterbank(FRONT_END)


def of(audio: np.ndarray):  # type: ignore[no-untyped-def]
    samples = np.asarray(audio, np.float32)
    return fingerprint(mel_spectrogram(samples, FRONT_END, FILTERS), FPS)


def song(seed: int, bpm: float = 124, style: str = "rock", duration: float = 14) -> np.ndarray:
    return drum_pattern(bpm, duration, SR, style, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def original() -> np.ndarray:
    return song(0)


def copies(original: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    noise = 0.01 * rng.standard_normal(len(original))
    return {
        "the same": original,
        "later": np.concatenate([np.zeros(7777), original]),
        "after a count-in": np.concatenate([song(9, 90, duration=2), original]),
        "cut": original[1234 : 9 * SR],
        "quieter": 0.1 * original,
        "clipped": np.clip(3 * original, -0.8, 0.8),
        "noisy": original + noise,
    }


@mostly_slow("name", list(copies(np.zeros(20 * SR))), quick=4)
def test_copies_are_found(name: str, original: np.ndarray) -> None:
    prints = [of(original), of(song(1)), of(copies(original)[name]), of(song(2, 124, "house"))]
    assert list(same_recordings(prints, FPS)) == [(0, 2)]


def test_a_copy_at_another_speed_is_none(original: np.ndarray) -> None:
    faster = np.interp(np.arange(0, len(original) - 1, 1.06), np.arange(len(original)), original)
    assert list(same_recordings([of(original), of(faster)], FPS)) == []


def test_a_lossy_copy_differs_in_few_bits(tmp_path: Path, original: np.ndarray) -> None:
    path = write_audio(tmp_path / "a.mp3", original, SR)
    copy = of(read_excerpts(path, SR, None)[0].audio)
    best = min(distance(of(original), copy, offset, FPS) for offset in range(-6, 7))
    assert best < 0.12
    assert list(same_recordings([of(original), copy], FPS)) == [(0, 1)]


def test_bands_with_the_same_drums_and_tempo_are_not_copies() -> None:
    """Bands with the same patterns and tempo, in another key and sound, are not copies."""
    prints = [of(song(seed, 120, style)) for style in ("rock", "house") for seed in range(4)]
    assert list(same_recordings(prints, FPS)) == []


def test_nothing_to_compare() -> None:
    nothing = of(np.zeros(5 * SR))
    assert list(same_recordings([], FPS)) == []
    assert list(same_recordings([nothing, nothing], FPS)) == []
    short = of(song(0, duration=2))
    assert list(same_recordings([short, short], FPS)) == []
    assert distance(short, short, 0, FPS) == 1.0


def test_no_more_than_two_minutes_are_kept() -> None:
    long = fingerprint(np.random.default_rng(0).random((40, 20000), np.float32), FPS)
    assert len(long) * 4 / FPS == pytest.approx(LONGEST_PRINT, abs=1)
