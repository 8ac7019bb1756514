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

from .config import FrontEnd

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
