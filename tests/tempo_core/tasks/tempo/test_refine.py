"""Tests of refining a tempo to 0.1 BPM, and of its stability."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempo_core.audio import read_excerpts
from tempo_core.config import FrontEnd
from tempo_core.excerpts import Excerpt
from tempo_core.spectrum import mel_spectrogram
from tempo_core.tasks.tempo.refine import (
    Envelope,
    Lines,
    claimed,
    envelope,
    refine,
    spectra,
    stability,
)
from tests.audio import Audio, applause, drum_pattern, speech, write_audio
from tests.models import filterbank
from tests.rows import mostly_slow

SR = FrontEnd().sr
FPS = FrontEnd().fps


def _lines(excerpts: list[Excerpt]) -> list[Lines]:
    envelopes = [
        envelope(mel_spectrogram(e.audio, FrontEnd(), filterbank()), e.start) for e in excerpts
    ]
    return spectra(envelopes, FPS)


def _cut(audio: Audio, *starts: float, duration: float = 12.0) -> list[Excerpt]:
    return [Excerpt(audio[round(s * SR) : round((s + duration) * SR)], s) for s in starts]


def _music(bpm: float, duration: float, style: str = "house") -> Audio:
    return drum_pattern(bpm, duration, SR, style, np.random.default_rng(4))


@mostly_slow("bpm", [63.27, 87.5, 99.99, 127.98, 143.21, 174.03], quick=(0, 3))
@pytest.mark.parametrize("style", ["house", "rock"])
@pytest.mark.parametrize("off", [-0.015, 0.012])
def test_a_steady_track_is_found_within_0_02_bpm(bpm: float, style: str, off: float) -> None:
    lines = _lines(_cut(_music(bpm, 60, style), 0, duration=60))
    assert refine(lines, bpm * (1 + off)) == pytest.approx(bpm, abs=0.02)


@pytest.mark.parametrize("bpm", [87.5, 127.98, 174.03])
@pytest.mark.parametrize("distance", [30.3, 101.7])
def test_two_windows_that_go_on_in_time_are_as_good(bpm: float, distance: float) -> None:
    audio = _music(bpm, 125, "rock")
    lines = _lines(_cut(audio, 5, 5 + distance))
    assert refine(lines, bpm * 1.01) == pytest.approx(bpm, abs=0.01)
    assert refine(list(reversed(lines)), bpm * 1.01) == pytest.approx(bpm, abs=0.01)


def test_phases_far_apart_are_left_alone() -> None:
    """Half an hour apart, phases fit a tempo every 0.03 BPM, so only magnitudes are used."""
    near, far = _cut(_music(127.98, 125), 5, 105)
    found = [
        refine(_lines([near, Excerpt(far.audio, start)]), 127.0) for start in (1805.0, 1805.25)
    ]
    assert found[0] == found[1] == pytest.approx(127.98, abs=0.1)


@pytest.mark.parametrize("shift", [0.11, 0.23, 0.31])
def test_an_edit_between_the_windows_does_little_harm(shift: float) -> None:
    audio = _music(127.98, 125)
    first, second = _cut(audio, 5, 105)
    lines = _lines([first, Excerpt(second.audio, second.start + shift)])
    assert refine(lines, 127.0) == pytest.approx(127.98, abs=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp3", pytest.param("m4a", marks=pytest.mark.slow)])
def test_lossy_coding_does_not_move_the_tempo(tmp_path: Path, suffix: str) -> None:
    audio = drum_pattern(127.98, 40, 44100, "house", np.random.default_rng(1))
    path = write_audio(tmp_path / f"a.{suffix}", audio, 44100)
    lines = _lines(read_excerpts(path, SR, None))
    assert refine(lines, 126.5) == pytest.approx(127.98, abs=0.02)


def test_nothing_to_refine_by_leaves_the_tempo() -> None:
    assert refine(spectra([Envelope(np.zeros((4, 1000)), 0.0)], FPS), 120.0) == 120.0
    assert refine([], 120.0) == 120.0


def test_pieces_know_their_place() -> None:
    """The phase of a line belongs to its time in the recording, in a whole envelope or parts."""
    t = 7.0 + np.arange(round(30 * FPS)) / FPS
    values = np.tile(np.cos(2 * np.pi * 2 * (t - 7.3)), (4, 1))
    pieces = spectra([Envelope(values, 7.0)], FPS)
    assert len(pieces) == 3
    for piece in pieces:
        line = piece.at(np.array([120.0]))[0, 2, 0]  # the beat itself
        assert np.angle(line * np.exp(2j * np.pi * 2 * (7.3 - piece.centre))) == pytest.approx(
            0, abs=0.05
        )


def test_clear_and_unclear() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(12 * SR).astype(np.float32)
    for style in ("house", "rock", "waltz"):
        assert _lines([Excerpt(_music(118.0, 12, style), 0.0)])[0].weight == 1
    for audio in (speech(12, SR, rng), applause(12, SR, rng), noise, 0 * noise):
        assert _lines([Excerpt(audio, 0.0)])[0].weight < 0.25


def _warped(audio: Audio, tempo: np.ndarray) -> Audio:
    """Play a track at a relative tempo that is given for every sample of the result."""
    position = np.cumsum(tempo)
    position = position[position < len(audio) - 1]
    return np.interp(position, np.arange(len(audio)), audio).astype(np.float32)


class TestStability:
    def test_steady(self) -> None:
        for style in ("house", "rock", "waltz"):
            lines = _lines(_cut(_music(118.0, 110, style), 3, 50, 95))
            for n in (2, 3):
                assert stability(lines[:n], 118.0) == pytest.approx(1, abs=0.02)

    def test_one_piece_tells_nothing(self) -> None:
        assert stability(_lines(_cut(_music(118.0, 12), 0)), 118.0) is None
        assert stability([], 118.0) is None

    def test_nothing_that_strays_is_steady(self) -> None:
        silent = spectra([Envelope(np.zeros((4, 3000)), 0.0)], FPS)
        assert stability(silent, 118.0) == 1

    @pytest.mark.parametrize("other", [105.0, 122.0, 131.0, 150.0])
    def test_the_share_in_another_tempo(self, other: float) -> None:
        steady = _cut(_music(118.0, 60), 0, 20, 40)
        strange = [Excerpt(e.audio, e.start + 60) for e in _cut(_music(other, 60), 0, 20)]
        assert stability(_lines(steady + strange), 118.0) == pytest.approx(
            1 - 0.4 * min(1, abs(other / 118 - 1) / 0.04), abs=0.06
        )

    def test_drift_by_how_much(self) -> None:
        t = np.arange(120 * SR) / SR
        found = []
        for depth in (0.002, 0.01, 0.02, 0.04):
            wave = 1 + depth * np.sin(2 * np.pi * t / 80)
            audio = _warped(_music(118.0, 121, "rock"), wave)
            value = stability(_lines(_cut(audio, 5, 25, 45, 65, 85, 105)), 118.0)
            assert value is not None
            found.append(value)
        assert found == sorted(found, reverse=True)
        assert found[0] > 0.95
        # The mean deviation of a sine is 2/π of its depth.
        assert found[1] == pytest.approx(1 - 0.01 * 2 / np.pi / 0.04, abs=0.07)
        assert found[3] < 0.6

    def test_accelerando(self) -> None:
        t = np.arange(120 * SR) / SR
        audio = _warped(_music(100.0, 150), 1 + 0.2 * t / 120)
        value = stability(_lines(_cut(audio, 5, 30, 55, 80, 105)), 110.0)
        assert value is not None
        assert value < 0.6


def test_no_more_is_claimed_of_a_track_than_was_heard() -> None:
    claims = [claimed(1.0, 12.0 * n, 240.0) for n in (1, 2, 5, 10, 20)]
    assert claims == sorted(claims)
    assert claims[1] < 0.97 < claims[2]
    assert claims[-1] == 1.0
    assert claimed(0.8, 240.0, 240.0) == 0.8
    assert claimed(0.8, 300.0, 240.0) == 0.8
