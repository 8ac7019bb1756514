"""Tests of the periodicity map with known signals and against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tempo_core.config import FrontEnd
from tempo_core.spectrum import compress, mel_spectrogram, onset_strength
from tempo_core.tasks.tempo.axis import tempo_axis
from tempo_core.tasks.tempo.config import TempoGrid
from tempo_core.tasks.tempo.periodicity import N_MAPS, band_statistics, periodicity_map
from tests.audio import click_track
from tests.models import filterbank

FRONT_END, GRID = FrontEnd(), TempoGrid()


def _onsets(audio: np.ndarray) -> np.ndarray:
    return onset_strength(compress(mel_spectrogram(audio, FRONT_END, filterbank())))


def _map_of_clicks(bpm: float, duration: float = 12.0) -> np.ndarray:
    return periodicity_map(_onsets(click_track(bpm, duration, FRONT_END.sr)), FRONT_END.fps, GRID)


@pytest.mark.parametrize("bpm", [45, 61.3, 80, 99.5, 120, 143.7, 174, 200, 260])
def test_the_map_peaks_at_the_tempo_of_a_click_track(bpm: float) -> None:
    """The product of the two maps peaks at the tempo, not at its harmonics or sub-harmonics."""
    mean = _map_of_clicks(bpm).mean(axis=1)
    product = np.maximum(mean[0], 0) * mean[1]
    found = float(tempo_axis(GRID)[int(product.argmax())])
    assert abs(math.log2(found / bpm)) * GRID.bins_per_octave <= 1.0


def test_a_stretch_is_a_shift_of_the_axis() -> None:
    """A time stretch shifts the map along its axis, which network and augmentation rely on."""
    shift = 10  # [bins]
    slow, fast = _map_of_clicks(100.0), _map_of_clicks(100.0 * 2 ** (shift / GRID.bins_per_octave))
    for kind in range(N_MAPS):
        a, b = slow[kind].mean(axis=0)[36:144], fast[kind].mean(axis=0)[36 + shift : 144 + shift]
        assert np.corrcoef(a, b)[0, 1] > 0.97
        assert np.corrcoef(a, fast[kind].mean(axis=0)[36:144])[0, 1] < 0.5


@pytest.mark.parametrize("together", [True, False])
def test_the_correlation_with_the_bass_tells_in_turn_from_together(together: bool) -> None:
    """The third map tells kick and snare at 60 BPM in turn (120 BPM) from together (60 BPM)."""
    sr, n = FRONT_END.sr, round(12.0 * FRONT_END.sr)
    rng = np.random.default_rng(0)
    t = np.arange(n) / sr
    kick = np.sin(2 * np.pi * 70 * t) * np.exp(-30 * (t % 1.0))
    since = (t - (0.0 if together else 0.5)) % 1.0
    hiss = np.fft.rfft(rng.normal(size=n))
    hiss[np.fft.rfftfreq(n, 1 / sr) < 1500] = 0  # nothing of it in the bass
    snare = 0.5 * np.fft.irfft(hiss, n) * np.exp(-30 * since)
    audio = (kick + snare).astype(np.float32)
    result = periodicity_map(_onsets(audio), FRONT_END.fps, GRID)
    high = result[:, 25:].mean(axis=1)  # bands of the snare only
    tempi = tempo_axis(GRID)
    at_120, at_60 = int(abs(tempi - 120).argmin()), int(abs(tempi - 60).argmin())
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
        found = periodicity_map(_onsets(audio), FRONT_END.fps, GRID)
        assert found.shape == (N_MAPS, 40, GRID.n_bins)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()


@pytest.mark.parametrize("n_frames", [300, 700, 1034])
def test_the_correlations_are_those_of_the_definition(n_frames: int) -> None:
    """Correlations equal their definition and are not circular."""
    onsets = np.random.default_rng(n_frames).random((40, n_frames), np.float32)
    found = periodicity_map(onsets, FRONT_END.fps, GRID)[0, 7]
    x = onsets[7].astype(float)
    x = (x - x.mean()) / np.linalg.norm(x - x.mean())
    acf = np.correlate(x, x, "full")[n_frames - 1 :]
    lags = 60 * FRONT_END.fps / tempo_axis(GRID)
    expected = np.interp(lags, np.arange(n_frames), acf)
    expected *= n_frames / np.maximum(n_frames - lags, 0.5 * n_frames)
    expected[lags >= n_frames - 1] = 0  # as long as the window, or longer
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_batches_are_computed_like_single_windows() -> None:
    a, b = (_onsets(click_track(bpm, 6, FRONT_END.sr)) for bpm in (100, 140))
    both = periodicity_map(np.stack([a, b]), FRONT_END.fps, GRID)
    np.testing.assert_allclose(
        both[1], periodicity_map(b, FRONT_END.fps, GRID), rtol=1e-4, atol=1e-6
    )


def test_the_map_leaves_its_argument_alone() -> None:
    onsets = _onsets(click_track(100, 3, FRONT_END.sr))
    before = onsets.copy()
    periodicity_map(onsets, FRONT_END.fps, GRID)
    np.testing.assert_array_equal(onsets, before)


def test_statistics_are_means_and_deviations_of_each_band() -> None:
    compressed = np.array([[1, 3], [5, 5]], np.float32)
    onsets = np.array([[0, 2], [0, 0]], np.float32)
    found = band_statistics(compressed, onsets)
    np.testing.assert_allclose(found, [2, 5, math.sqrt(2), 0, 1, 0, math.sqrt(2), 0], rtol=1e-6)
