"""Features and the periodicity map, against known signals and against librosa."""

from __future__ import annotations

import math

import librosa
import numpy as np
import pytest
import torch

from tempo_core.config import FrontEnd, TempoGrid
from tempo_core.features import (
    N_MAPS,
    compress,
    mel_spectrogram,
    onset_strength,
    periodicity_map,
    tempo_axis,
)
from tests.audio import click_track
from trainer.dataset import filterbank

FRONT_END, GRID = FrontEnd(), TempoGrid()


def _features(audio: np.ndarray) -> torch.Tensor:
    return mel_spectrogram(torch.from_numpy(audio), FRONT_END, filterbank(FRONT_END))


def _map_of_clicks(bpm: float, duration: float = 12.0) -> torch.Tensor:
    onsets = onset_strength(compress(_features(click_track(bpm, duration, FRONT_END.sr))))
    return periodicity_map(onsets, FRONT_END.fps, GRID)


def test_mel_spectrogram_is_that_of_librosa() -> None:
    audio = np.random.default_rng(0).normal(size=3 * FRONT_END.sr).astype(np.float32)
    expected = librosa.feature.melspectrogram(
        y=audio, sr=FRONT_END.sr, n_fft=FRONT_END.n_fft, hop_length=FRONT_END.hop_length,
        n_mels=FRONT_END.n_mels, fmin=FRONT_END.fmin, fmax=FRONT_END.fmax, power=1.0,
        pad_mode="constant",
    )  # fmt: skip
    np.testing.assert_allclose(_features(audio).numpy(), expected, rtol=1e-3, atol=1e-4)


def test_level_does_not_matter() -> None:
    features = _features(click_track(120, 6, FRONT_END.sr))
    torch.testing.assert_close(compress(features), compress(0.01 * features), rtol=1e-3, atol=1e-4)


def test_compress_and_onsets_leave_their_argument_alone() -> None:
    features = _features(click_track(120, 3, FRONT_END.sr))
    before = features.clone()
    onset_strength(compress(features))
    assert torch.equal(features, before)


@pytest.mark.parametrize("bpm", [45, 61.3, 80, 99.5, 120, 143.7, 174, 200, 260])
def test_the_map_peaks_at_the_tempo_of_a_click_track(bpm: float) -> None:
    """Autocorrelation times Fourier magnitude: neither harmonics nor sub-harmonics win."""
    mean = _map_of_clicks(bpm).mean(dim=1)
    product = mean[0].clamp_min(0) * mean[1]
    found = float(tempo_axis(GRID)[int(product.argmax())])
    assert abs(math.log2(found / bpm)) * GRID.bins_per_octave <= 1.0


def test_a_stretch_is_a_shift_of_the_axis() -> None:
    """What makes the network shift-equivariant in tempo, and augmentation an index."""
    shift = 10  # [bins]
    slow, fast = _map_of_clicks(100.0), _map_of_clicks(100.0 * 2 ** (shift / GRID.bins_per_octave))
    for kind in range(N_MAPS):
        a, b = slow[kind].mean(dim=0)[36:144], fast[kind].mean(dim=0)[36 + shift : 144 + shift]
        assert np.corrcoef(a, b)[0, 1] > 0.97
        assert np.corrcoef(a, fast[kind].mean(dim=0)[36:144])[0, 1] < 0.5


@pytest.mark.parametrize("together", [True, False])
def test_the_correlation_with_the_bass_tells_in_turn_from_together(together: bool) -> None:
    """Kick and snare at 60 a minute each: in turn they make 120, together they stay at 60."""
    sr, n = FRONT_END.sr, round(12.0 * FRONT_END.sr)
    rng = np.random.default_rng(0)
    t = np.arange(n) / sr
    kick = np.sin(2 * np.pi * 70 * t) * np.exp(-30 * (t % 1.0))
    since = (t - (0.0 if together else 0.5)) % 1.0
    hiss = np.fft.rfft(rng.normal(size=n))
    hiss[np.fft.rfftfreq(n, 1 / sr) < 1500] = 0  # nothing of it in the bass
    snare = 0.5 * np.fft.irfft(hiss, n) * np.exp(-30 * since)
    audio = (kick + snare).astype(np.float32)
    result = periodicity_map(onset_strength(compress(_features(audio))), FRONT_END.fps, GRID)
    high = result[:, 25:].mean(dim=1)  # bands of the snare only
    tempi = tempo_axis(GRID)
    at_120, at_60 = int((tempi - 120).abs().argmin()), int((tempi - 60).abs().argmin())
    # Each alone is the same either way: only the third map knows.
    assert high[0, at_60] > high[0, at_120] + 0.3
    if together:
        assert high[2, at_120] < -0.3
        assert abs(high[2, at_60]) < 0.15
    else:
        assert high[2, at_120] > 0.3
        assert abs(high[2, at_60]) < 0.15


@pytest.mark.parametrize("duration", [1.0, 2.5, 12.0, 40.0])
def test_the_map_is_finite_for_any_length_and_for_silence(duration: float) -> None:
    for audio in (click_track(120, duration, FRONT_END.sr), np.zeros(round(duration * 11025), "f")):
        onsets = onset_strength(compress(_features(audio)))
        assert torch.isfinite(periodicity_map(onsets, FRONT_END.fps, GRID)).all()


@pytest.mark.parametrize("n_frames", [300, 700, 1034])
def test_the_correlations_are_those_of_the_definition(n_frames: int) -> None:
    """Not circular: what is off one end does not come back at the other."""
    onsets = torch.rand(40, n_frames, generator=torch.Generator().manual_seed(n_frames))
    found = periodicity_map(onsets, FRONT_END.fps, GRID)[0, 7]
    x = onsets[7].double().numpy()
    x = (x - x.mean()) / np.linalg.norm(x - x.mean())
    acf = np.correlate(x, x, "full")[n_frames - 1 :]
    lags = 60 * FRONT_END.fps / tempo_axis(GRID).numpy()
    expected = np.interp(lags, np.arange(n_frames), acf)
    expected *= n_frames / np.maximum(n_frames - lags, 0.5 * n_frames)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


def test_batches_are_computed_like_single_windows() -> None:
    a = onset_strength(compress(_features(click_track(100, 6, FRONT_END.sr))))
    b = onset_strength(compress(_features(click_track(140, 6, FRONT_END.sr))))
    both = periodicity_map(torch.stack([a, b]), FRONT_END.fps, GRID)
    torch.testing.assert_close(both[1], periodicity_map(b, FRONT_END.fps, GRID))
