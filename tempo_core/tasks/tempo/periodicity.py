"""Inputs of the tempo network: the periodicity map of a window, and statistics of its bands.

Shapes: `onsets` (n_mels, n_frames) → `map` (3, n_mels, n_bins). Every function also takes leading
batch dimensions. All are pure.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .axis import tempo_axis
from .config import TempoGrid

Array = NDArray[np.float32]

# A band whose onset energy is below this share of that of the loudest band is noise. It is not
# scaled up to the level of the others, because artefacts of codecs would look like music.
BAND_FLOOR = 1e-3
N_BASS = 3  # number of lowest bands, up to about 200 Hz, with kick drum and bass
N_MAPS = 3  # kinds of periodicity in a map, see `periodicity_map`
N_STATISTICS = 4  # of each band: mean and deviation of level and of onset strength


def periodicity_map(onsets: Array, fps: float, grid: TempoGrid) -> Array:
    """Periodicity of each band at each tempo of the grid, measured in three ways.

    The autocorrelation shows a tempo and its sub-harmonics, the Fourier transform a tempo and its
    harmonics; only at the tempo itself are both large (Peeters, "Time variable tempo detection and
    beat marking", ICMC 2005). Both ignore the phase, that is, whether a band sounds together with
    the bass or alternates with it, which the third map shows. People count twice as fast as the
    kick drum plays if a snare drum sounds between its strokes.

    Parameters
    ----------
    onsets
        (..., n_mels, n_frames), ≥ 0.
    fps
        Frames per second.

    Returns
    -------
    (..., N_MAPS, n_mels, n_bins): autocorrelation in about -1..1; magnitude of the Fourier
    transform in 0..1; correlation with the bass, earlier and later alike, minus that at the same
    time, in about -2..2.
    """
    n_frames = onsets.shape[-1]
    centred = onsets - onsets.mean(axis=-1, keepdims=True)
    energy = np.einsum("...t,...t->...", centred, centred)[..., None]
    loudest = energy.max(axis=-2, keepdims=True)
    centred /= np.sqrt(np.maximum(np.maximum(energy, 1e-9), BAND_FLOOR * loudest))

    bass = centred[..., :N_BASS, :].sum(axis=-2, keepdims=True)
    bass /= np.sqrt(np.maximum(np.square(bass).sum(axis=-1, keepdims=True), 1e-9))

    size = _transform_length(n_frames, fps, grid)
    spectrum = np.fft.rfft(np.concatenate([centred, bass], axis=-2), n=size).astype(np.complex64)
    bands, bass = spectrum[..., :-1, :], spectrum[..., -1:, :]
    # The real part of a cross spectrum is the spectrum of the mean over both directions in time.
    cross = bands.real * bass.real + bands.imag * bass.imag
    power = np.square(bands.real) + np.square(bands.imag)
    lags, at_once, basis = _sampling(n_frames, fps, grid)
    autocorrelation = power @ lags
    with_bass = cross @ lags - (cross @ at_once)[..., None]
    parts = np.square(centred @ basis)  # (..., n_mels, 2 * n_bins): real, imaginary parts
    fourier = np.sqrt(parts[..., : grid.n_bins] + parts[..., grid.n_bins :])
    return np.stack([autocorrelation, fourier, with_bass], axis=-3)


def band_statistics(compressed: Array, onsets: Array) -> Array:
    """Statistics of level and onsets of each band, which describe the sound without its rhythm.

    Both inputs are (..., n_mels, n_frames), the result is (..., 4 * n_mels).
    """
    parts = [
        compressed.mean(-1), compressed.std(-1, ddof=1), onsets.mean(-1), onsets.std(-1, ddof=1),
    ]  # fmt: skip
    return np.concatenate(parts, axis=-1)


def _transform_length(n_frames: int, fps: float, grid: TempoGrid) -> int:
    """Length of Fourier transform at which correlations do not wrap around at the lags used."""
    longest = math.ceil(60.0 * fps / grid.bpm_min) + 2  # [frames] longest lag
    n = n_frames + min(n_frames, longest)
    power = 2 ** math.ceil(math.log2(n))  # 2^k and 3 * 2^k are quick
    return power * 3 // 4 if power * 3 // 4 >= n else power


@lru_cache(maxsize=32)
def _sampling(n_frames: int, fps: float, grid: TempoGrid) -> tuple[Array, Array, Array]:
    """Matrices that periodicity maps of windows of `n_frames` are computed with.

    Returns
    -------
    (n_frequencies, n_bins) from the spectrum of a correlation to its values at the lags of the
    tempi; (n_frequencies,) the same at lag 0; (n_frames, 2 * n_bins) the Fourier basis at the
    frequencies of the tempi.
    """
    tempi = tempo_axis(grid)
    lags = (60.0 * fps / tempi).astype(np.float32).astype(float)  # [frames]
    size = _transform_length(n_frames, fps, grid)
    lower = np.clip(np.floor(lags), 0, n_frames - 2)
    weight = np.clip(lags - lower, 0.0, 1.0)
    # A sum over n_frames - lag products: undo the shrinking, but not beyond half of the window,
    # where too few products are left to mean anything.
    scale = n_frames / np.maximum(n_frames - lags, 0.5 * n_frames) * (lags < n_frames - 1)
    frequency = np.arange(size // 2 + 1)
    # An inverse transform is even in the lag; all frequencies but the first and last stand for two.
    twice = np.where((frequency == 0) | (2 * frequency == size), 1.0, 2.0) / size

    def inverse(at: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(twice[:, None] * _turns(2 * np.pi / size * at, frequency.size).real)

    matrix = scale * ((1 - weight) * inverse(lower) + weight * inverse(lower + 1))
    waves = _turns(2 * math.pi * tempi / (60 * fps), n_frames)
    taper = 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(n_frames) / n_frames)
    taper /= np.sqrt(np.square(taper).sum())
    basis = taper[:, None] * np.concatenate([waves.real, waves.imag], axis=1)
    return matrix.astype(np.float32), twice.astype(np.float32), basis.astype(np.float32)


def _turns(angles: NDArray[np.float64], n: int) -> NDArray[np.complex128]:
    """(n, n_angles) points of the unit circle at 0, 1, … n - 1 times each angle [rad].

    They are products of few sines: a sine takes ten times as long as a multiplication.
    """
    step = math.isqrt(n) + 1
    fine = np.exp(1j * np.outer(np.arange(step), angles))
    coarse = np.exp(1j * np.outer(np.arange(step) * step, angles))
    return np.asarray((coarse[:, None] * fine).reshape(-1, angles.size)[:n])
