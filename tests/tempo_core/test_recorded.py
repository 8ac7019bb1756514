"""Tests of audio in memory, which is analysed like a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempo_core.audio import AudioFile, Recorded
from tempo_core.errors import AudioError
from tempo_core.excerpts import MIN_DURATION
from tempo_core.resampling import MOST_MIXED_CHANNELS, mix
from tests.audio import click_track, write_audio
from tests.rows import mostly_slow

SR = 11025


def _tone(duration: float, sr: int) -> np.ndarray:
    """A tone that rises by 100 Hz a second, so that every place in it sounds different."""
    t = np.arange(round(duration * sr)) / sr
    return (0.5 * np.sin(2 * np.pi * (200 * t + 50 * t**2))).astype(np.float32)


def pitch(audio: np.ndarray) -> float:
    """Frequency of a second of audio at `SR` [Hz]."""
    return float(np.argmax(np.abs(np.fft.rfft(audio * np.hanning(audio.size)))))


@mostly_slow("sr", [8000, 11025, 44100, 48000, 192000], quick=(0, 2, 4))
@mostly_slow("channels", [0, 1, 2, 3, 6, 7, MOST_MIXED_CHANNELS], quick=(0, 1, 2, 5, 6))
def test_any_rate_and_number_of_channels(sr: int, channels: int) -> None:
    audio = _tone(4, sr) if channels == 0 else np.tile(_tone(4, sr), (channels, 1))
    recorded = Recorded(audio, sr)
    assert recorded.duration == pytest.approx(4)
    (whole,) = recorded.read(SR, [(0.0, 4.0)])
    assert whole.audio.dtype == np.float32
    assert whole.audio.ndim == 1
    assert whole.audio.size == pytest.approx(4 * SR, abs=2)
    # More than two channels are added up as libav does it.
    most = 0.55 if channels <= 3 else 1.6
    assert 0.45 < np.abs(whole.audio[1000:-1000]).max() < most
    (part,) = recorded.read(SR, [(2.0, 1.0)])
    assert (part.start, part.audio.size) == (2.0, SR)
    assert pitch(part.audio) == pytest.approx(200 + 100 * 2.5, abs=5)


@pytest.mark.parametrize("sr", [22050, 44100])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_it_is_what_its_file_is(tmp_path: Path, sr: int, n_channels: int) -> None:
    rng = np.random.default_rng(0)
    samples = 0.2 * rng.standard_normal((n_channels, 5 * sr)).astype(np.float32)
    path = write_audio(tmp_path / "a.wav", samples.T, sr, subtype="FLOAT")
    recorded = Recorded(samples, sr)
    with AudioFile(path) as file:
        assert recorded.duration == pytest.approx(file.duration)
        spans = [(0.0, 2.0), (1.5, 1.0), (4.0, 3.0)]
        theirs, ours = file.read(SR, spans), recorded.read(SR, spans)
        assert [e.start for e in ours] == pytest.approx([e.start for e in theirs])
        for a, b in zip(ours, theirs, strict=True):
            assert abs(a.audio.size - b.audio.size) <= 2
            # A filter settles where a span of a file begins, at any place between two samples.
            middle = slice(200, min(a.audio.size, b.audio.size) - 200)
            shifted = (np.roll(b.audio, k) for k in (-1, 0, 1))
            assert max(np.corrcoef(a.audio[middle], c[middle])[0, 1] for c in shifted) > 0.6
            assert np.std(a.audio) == pytest.approx(np.std(b.audio), rel=0.02)
        theirs, ours = list(file.stream(SR, 2.0)), list(recorded.stream(SR, 2.0))
        assert [e.start for e in ours] == pytest.approx([e.start for e in theirs], abs=0.01)
        whole = [np.concatenate([e.audio for e in found]) for found in (ours, theirs)]
        assert abs(whole[0].size - whole[1].size) <= 2
        n = min(part.size for part in whole)
        np.testing.assert_allclose(whole[0][:n], whole[1][:n], atol=1e-4)
        for time in (0.0, 4.0, 5.5, 100.0):
            assert recorded.goes_on(time) == file.goes_on(time)
        assert recorded.packet_runs()[0] == pytest.approx(file.packet_runs()[0], abs=0.1)
        assert len(recorded.sounding_runs()) == len(file.sounding_runs()) == 1
        assert recorded.sounding_runs()[0] == pytest.approx(file.sounding_runs()[0], abs=0.15)


def test_a_span_past_the_end_is_shorter_or_missing() -> None:
    recorded = Recorded(click_track(120, 5.0), 22050)
    (short,) = recorded.read(SR, [(4.0, 3.0)])
    assert short.audio.size / SR == pytest.approx(1.0, abs=0.01)
    assert recorded.read(SR, [(60.0, 3.0)]) == []
    assert recorded.read(SR, []) == []


def test_pieces_have_no_seams() -> None:
    recorded = Recorded(_tone(50, 22050), 22050)
    (whole,) = recorded.read(SR, [(0.0, 60.0)])
    pieces = list(recorded.stream(SR, 12.0))
    assert [piece.audio.size for piece in pieces[:-1]] == [12 * SR] * 4
    assert [piece.start for piece in pieces] == pytest.approx([0, 12, 24, 36, 48])
    np.testing.assert_array_equal(np.concatenate([p.audio for p in pieces]), whole.audio)


def test_long_audio_goes_through_in_frames_without_seams() -> None:
    """The audio is longer than a frame, which has a million samples."""
    tone = _tone(60, 44100) * 0 + np.sin(2 * np.pi * 441 / 44100 * np.arange(60 * 44100))
    (whole,) = Recorded(tone, 44100).read(SR, [(0.0, 60.0)])
    assert whole.audio.size == pytest.approx(60 * SR, abs=2)
    expected = np.sin(2 * np.pi * 441 / SR * np.arange(whole.audio.size))
    assert np.abs(whole.audio - expected)[100:-100].max() < 1e-3


def test_where_it_sounds() -> None:
    sr = 8000
    noise = 0.3 * np.random.default_rng(0).standard_normal(3 * sr)
    silence = np.zeros(5 * sr)
    click = np.r_[np.ones(1), np.zeros(sr // 100)]
    left = np.concatenate([silence, noise, silence, 0 * noise, click, silence])
    right = np.concatenate([silence, 0 * noise, silence, noise, click, silence])
    runs = Recorded(np.stack([left, right]), sr).sounding_runs()
    assert [end - begin >= MIN_DURATION for begin, end in runs] == [True, True]
    assert runs[0] == pytest.approx((5.0, 8.0), abs=0.15)
    assert runs[1] == pytest.approx((13.0, 16.0), abs=0.2)
    assert Recorded(np.stack([left, right]), sr).packet_runs() == [(0.0, left.size / sr)]
    assert Recorded(silence, sr).sounding_runs() == []
    assert Recorded(np.full(sr, 0.5), sr).sounding_runs() == []


def test_channels_are_mixed_as_those_of_files(rng: np.random.Generator) -> None:
    one = (0.3 * rng.standard_normal(3 * SR)).astype(np.float32)
    for channels in ([one, -one], [one, one], [one, 0 * one]):
        both = np.stack(channels)
        (found,) = Recorded(both, SR).read(SR, [(0.0, 3.0)])
        np.testing.assert_allclose(found.audio, mix(both, SR), atol=1e-6)
        assert found.audio.any()


@pytest.mark.parametrize(
    ("shape", "sr"),
    [((2, 2, 100), SR), ((0, 100), SR), ((MOST_MIXED_CHANNELS + 1, 100), SR), ((100, 2), SR),
     ((100,), 0), ((100,), -1)],
)  # fmt: skip
def test_what_cannot_be_audio_is_refused(shape: tuple[int, ...], sr: int) -> None:
    with pytest.raises(AudioError, match=r"give \(n_samples,\) or \(n_channels, n_samples\)"):
        Recorded(np.zeros(shape, np.float32), sr)


def test_nothing_at_all() -> None:
    recorded = Recorded(np.zeros(0, np.float32), SR)
    assert recorded.duration is None
    assert recorded.read(SR, [(0.0, 1.0)]) == []
    assert list(recorded.stream(SR, 1.0)) == []
    assert recorded.sounding_runs() == []
    assert not recorded.goes_on(0.0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", [0, 1])
def test_samples_that_are_no_numbers(value: float, channel: int) -> None:
    audio = np.tile(click_track(120, 3.0), (2, 1))
    audio[channel, 1000] = value
    with pytest.raises(AudioError, match="finite"):
        Recorded(audio, 22050).read(SR, [(0.0, 3.0)])


def test_what_is_too_loud_is_scaled_down() -> None:
    (loud,) = Recorded(1e6 * click_track(120, 3.0), 22050).read(SR, [(0.0, 3.0)])
    assert np.abs(loud.audio).max() == pytest.approx(1.0)


@given(st.integers(0, 3000), st.sampled_from([4000, 11025, 44100]), st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_any_length(n: int, sr: int, channels: int) -> None:
    audio = np.random.default_rng(n).uniform(-1, 1, (channels, n)).astype(np.float32)
    found = Recorded(audio, sr).read(SR, [(0.0, 10.0)])
    n_samples = sum(excerpt.audio.size for excerpt in found)
    if n >= 500:  # of less the filter may make nothing
        assert n_samples == pytest.approx(n * SR / sr, abs=4)


def test_the_array_is_left_alone() -> None:
    audio = click_track(120, 3.0).astype(np.float32)
    kept = audio.copy()
    recorded = Recorded(audio, 22050)
    (first,) = recorded.read(22050, [(0.0, 3.0)])
    recorded.sounding_runs()
    np.testing.assert_array_equal(audio, kept)
    np.testing.assert_allclose(first.audio, audio, atol=1e-6)


@pytest.mark.parametrize(
    ("audio", "sr"),
    [
        (np.zeros(9, complex), SR), (["a", "b"], SR), ([[1.0], [1.0, 2.0]], SR),
        (np.full(9, 1e300), SR), (np.zeros(9), float("nan")), (np.zeros(9), 1e10), (np.zeros(9), 0),
    ],
)  # fmt: skip
def test_what_is_no_audio_is_one_error(audio: Any, sr: Any) -> None:
    with pytest.raises(AudioError):
        Recorded(audio, sr)
