"""Tests of clicks over music: where they are, and the phase that is found for them."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from tempo_core.clicks import best_phase, with_clicks, write_wav

from ..audio import click_track, drum_pattern

SR = 44100


@pytest.mark.parametrize("bpm", [63.5, 87.0, 127.98, 174.0])
@pytest.mark.parametrize("offset", [0.0, 0.1, 0.23])
def test_the_phase_of_clicks(bpm: float, offset: float, rng: np.random.Generator) -> None:
    clicks = np.concatenate([np.zeros(round(offset * SR), np.float32), click_track(bpm, 10, SR)])
    noise = 0.01 * rng.standard_normal(len(clicks)).astype(np.float32)
    period = 60 / bpm
    error = (best_phase(clicks + noise, SR, bpm) - offset + period / 2) % period - period / 2
    assert abs(error) < 0.008


@pytest.mark.parametrize(("style", "bpm"), [("house", 126.0), ("rock", 96.0)])
def test_the_phase_of_a_band(style: str, bpm: float, rng: np.random.Generator) -> None:
    """At the tempo the clicks are with the drums, of which the first is at time 0."""
    phase = best_phase(drum_pattern(bpm, 10, SR, style, rng), SR, bpm)
    assert min(phase, abs(phase - 60 / bpm)) < 0.02


def test_silence_and_too_little_audio_have_some_phase() -> None:
    for length in (0, 100, SR // 4, 3 * SR):
        assert 0 <= best_phase(np.zeros(length, np.float32), SR, 120) < 0.5


def test_clicks_are_where_they_should_be_and_nowhere_else() -> None:
    beats = [(0.5, 1), (1.0, 2), (1.9999, None), (2.5, 1), (-0.1, 1)]
    mixed = with_clicks(np.zeros(2 * SR, np.float32), SR, beats)
    loud = np.flatnonzero(np.abs(mixed) > 0.25)
    starts = loud[np.diff(loud, prepend=-SR) > 0.1 * SR] / SR
    assert starts == pytest.approx([0.5, 1.0, 1.9999], abs=1e-4)
    assert np.abs(mixed[: round(0.49 * SR)]).max() == 0


def test_music_is_brought_below_the_clicks_and_not_changed() -> None:
    audio = np.linspace(-8, 8, SR, dtype=np.float32)
    before = audio.copy()
    mixed = with_clicks(audio, SR, [(0.1, None), (0.2, 1)])
    assert np.abs(mixed).max() < 1
    assert (audio == before).all()


def test_a_file_of_it(tmp_path: Path) -> None:
    audio = np.array([0.0, 0.5, -1.0, 2.0], np.float32)
    write_wav(tmp_path / "a.wav", audio, SR)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (1, SR, 2)
        samples = np.frombuffer(file.readframes(9), "<i2")
    assert samples.tolist() == [0, 16383, -32767, 32767]


def test_a_downbeat_sounds_higher() -> None:
    """Over silence the click of a downbeat and that of another beat differ in pitch alone."""
    sr = 44100
    pitches = []
    for place in (1, 2, None):
        heard = with_clicks(np.zeros(sr, np.float32), sr, [(0.5, place)])
        strongest = int(np.abs(np.fft.rfft(heard)).argmax())
        pitches.append(strongest)
        assert np.abs(heard).max() > 0.4
    assert pitches[0] > 1.3 * pitches[1]
    assert pitches[1] == pitches[2]
