"""From audio to features: spectrograms, their compression and their onsets.

Shapes: `audio` (n_samples,) → `features` (n_bands, n_frames) → `onsets` (n_bands, n_frames). Every
function also takes leading batch dimensions. All are pure.
"""

from __future__ import annotations

import hashlib
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .config import FrontEnd, HarmonyFrontEnd

Array = NDArray[np.float32]

LOG_GAIN = 10.0  # compression: a band at its mean level comes out at log(1 + LOG_GAIN)
FRAMES_AT_ONCE = 48  # whose spectra are computed together: they fit into the processor's cache


class Spectrum(Protocol):
    """A front end that is ready to be used; two with the same `key` give the same features."""

    @property
    def key(self) -> str: ...
    @property
    def sr(self) -> int:
        """Sample rate [Hz] of the audio it takes."""

    @property
    def fps(self) -> float:
        """Frames per second."""

    def features(self, audio: Array) -> Array:
        """(n_samples,) → (n_bands, n_frames)."""


class Mel:
    """Mel magnitude spectrogram, see `mel_spectrogram`."""

    def __init__(self, front_end: FrontEnd, filterbank: Array):
        self.front_end, self.filterbank = front_end, filterbank
        self.sr, self.fps = front_end.sr, front_end.fps

    @cached_property
    def key(self) -> str:
        digest = hashlib.sha256(self.front_end.digest().encode())
        digest.update(np.ascontiguousarray(self.filterbank).tobytes())
        return f"mel {digest.hexdigest()}"

    def features(self, audio: Array) -> Array:
        return mel_spectrogram(audio, self.front_end, self.filterbank)


def mel_spectrogram(audio: Array, front_end: FrontEnd, filterbank: Array) -> Array:
    """Mel magnitude spectrogram.

    Parameters
    ----------
    audio
        (..., n_samples) at `front_end.sr`.
    filterbank
        (n_mels, n_fft // 2 + 1), as stored in the checkpoint.

    Returns
    -------
    (..., n_mels, n_frames) linear magnitudes, ≥ 0; frame `k` is centred on sample `k * hop_length`.
    """
    half = front_end.n_fft // 2
    padded = np.pad(audio, [*((0, 0) for _ in audio.shape[:-1]), (half, half)])
    frames = sliding_window_view(padded, front_end.n_fft, axis=-1)
    frames = frames[..., :: front_end.hop_length, :]
    # In float64 NumPy's transform is three times as fast as in float32.
    window, bands = _hann(front_end.n_fft), np.ascontiguousarray(filterbank.T)
    n_frames = frames.shape[-2]
    features = np.empty((*frames.shape[:-1], len(filterbank)), np.float32)
    for first in range(0, n_frames, FRAMES_AT_ONCE):
        some = slice(first, min(n_frames, first + FRAMES_AT_ONCE))
        spectrum = np.fft.rfft(frames[..., some, :] * window)
        np.matmul(np.abs(spectrum.astype(np.complex64)), bands, out=features[..., some, :])
    return np.ascontiguousarray(features.swapaxes(-2, -1))


def compress(features: Array) -> Array:
    """Log-compressed features, independent of the recording's level; same shape.

    The level is the mean over all bands and frames given, so it is taken per model window.
    """
    level = np.maximum(features.mean(axis=(-2, -1), keepdims=True, dtype=np.float64), 1e-8)
    return np.log(1 + (LOG_GAIN / level).astype(np.float32) * features)


def onset_strength(compressed: Array) -> Array:
    """Half-wave rectified difference in time of each band; same shape, ≥ 0, first frame 0."""
    onsets = np.zeros_like(compressed)
    np.subtract(compressed[..., 1:], compressed[..., :-1], out=onsets[..., 1:])
    return np.maximum(onsets, 0, out=onsets)


@lru_cache(maxsize=32)
def _hann(n: int) -> NDArray[np.float64]:
    """(n,) periodic Hann window."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n))


LONG_SPECTRA_BATCH = 16  # spectra of `LogFrequency` that are computed at a time


class LogFrequency:
    """Magnitude spectrogram whose bands are equally far apart in pitch.

    Parameters
    ----------
    front_end
        The sizes.
    centres
        (n_bands, 1) centre of each band [Hz], as stored in the checkpoint, see `band_centres`.
    """

    def __init__(self, front_end: HarmonyFrontEnd, centres: Array):
        self.front_end, self.centres = front_end, centres
        self.sr, self.fps = front_end.sr, front_end.fps

    @cached_property
    def key(self) -> str:
        digest = hashlib.sha256(self.front_end.digest().encode())
        digest.update(np.ascontiguousarray(self.centres).tobytes())
        return f"log-frequency {digest.hexdigest()}"

    @cached_property
    def _octaves(self) -> list[tuple[slice, slice, Array]]:
        """Of every octave: its bands, the bins that they look at, and the weights of these.

        Products with weights that are mostly zero would take several times as long.
        """
        kernels = band_kernels(self.front_end, self.centres)
        per_octave = 12 * self.front_end.bands_per_semitone
        octaves = []
        for first in range(0, len(kernels), per_octave):
            bands = slice(first, first + per_octave)
            used = np.flatnonzero(kernels[bands].any(axis=0))
            bins = slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, 1)
            octaves.append((bands, bins, np.ascontiguousarray(kernels[bands, bins].T)))
        return octaves

    def features(self, audio: Array) -> Array:
        """(n_samples,) → (n_bands, n_frames) linear magnitudes.

        Frame k is centred on sample k * hop_length.
        """
        n_fft, hop = self.front_end.n_fft, self.front_end.hop_length
        padded = np.pad(audio, n_fft // 2)
        frames = sliding_window_view(padded, n_fft)[::hop]
        features = np.empty((len(frames), len(self.centres)), np.float32)
        for first in range(0, len(frames), LONG_SPECTRA_BATCH):
            spectrum = np.fft.rfft(frames[first : first + LONG_SPECTRA_BATCH] * _hann(n_fft))
            magnitudes = np.abs(spectrum.astype(np.complex64))
            for bands, bins, weights in self._octaves:
                features[first : first + LONG_SPECTRA_BATCH, bands] = magnitudes[:, bins] @ weights
        return np.ascontiguousarray(features.T)


def band_centres(front_end: HarmonyFrontEnd) -> Array:
    """(n_bands, 1) centre of each band [Hz]; the middle of a semitone is in tune with A 440."""
    per_octave = 12 * front_end.bands_per_semitone
    steps = np.arange(front_end.n_bands) - (front_end.bands_per_semitone - 1) / 2
    return np.asarray(front_end.lowest * 2.0 ** (steps / per_octave), np.float32)[:, None]


def band_kernels(front_end: HarmonyFrontEnd, centres: Array) -> Array:
    """(n_bands, n_fft // 2 + 1) triangular weights over the bins of a spectrum, each of sum 1.

    A triangle is as wide as the distance to the next band, and at least as a bin: the lowest bands
    are closer together than the bins.
    """
    bin_width = front_end.sr / front_end.n_fft
    frequencies = np.arange(front_end.n_fft // 2 + 1) * bin_width
    step = 2.0 ** (1 / (12 * front_end.bands_per_semitone)) - 1
    half_width = np.maximum(centres.astype(np.float64) * step, bin_width)
    weights = np.maximum(0, 1 - np.abs(frequencies - centres) / half_width)
    return np.asarray(weights / np.maximum(weights.sum(1, keepdims=True), 1e-9), np.float32)
