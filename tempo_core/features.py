"""The only spectrogram and the only tempogram: audio → features → onsets → periodicity map.

Shapes: `audio` (n_samples,) → `features` (n_mels, n_frames) → `onsets` (n_mels, n_frames) → `map`
(2, n_mels, n_bins). Every function also takes leading batch dimensions. All are pure.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from .config import FrontEnd, TempoGrid

LOG_GAIN = 10.0  # compression: a band at its mean level comes out at log(1 + LOG_GAIN)
# A band this far below the loudest one (in onset energy) is noise; scaling it up to the level of
# the others would make codec artefacts look like music.
BAND_FLOOR = 1e-3


def mel_spectrogram(audio: Tensor, front_end: FrontEnd, filterbank: Tensor) -> Tensor:
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
    spectrum = torch.stft(
        audio,
        front_end.n_fft,
        front_end.hop_length,
        window=_hann(front_end.n_fft).to(audio.device),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    return filterbank @ spectrum.abs()


def compress(features: Tensor) -> Tensor:
    """Log-compressed features, independent of the recording's level; same shape.

    The level is the mean over all bands and frames given, so it is taken per model window.
    """
    level = features.mean(dim=(-2, -1), keepdim=True).clamp_min(1e-8)
    return torch.log1p(LOG_GAIN * features / level)


def onset_strength(compressed: Tensor) -> Tensor:
    """Half-wave rectified difference in time of each band; same shape, ≥ 0, first frame 0."""
    rise = torch.relu(compressed[..., 1:] - compressed[..., :-1])
    return torch.nn.functional.pad(rise, (1, 0))


def tempo_axis(grid: TempoGrid) -> Tensor:
    """(n_bins,) tempi of the grid [BPM], ascending, equal ratios."""
    k = torch.arange(grid.n_bins, dtype=torch.float64)
    return grid.bpm_min * 2.0 ** (k / grid.bins_per_octave)


def periodicity_map(onsets: Tensor, fps: float, grid: TempoGrid) -> Tensor:
    """How periodic each band is at each tempo of the grid.

    The autocorrelation shows a tempo and its sub-harmonics, the Fourier transform a tempo and its
    harmonics; only at the tempo itself are both large (Peeters, "Time variable tempo detection and
    beat marking", ICMC 2005).

    Parameters
    ----------
    onsets
        (..., n_mels, n_frames), ≥ 0.
    fps
        Frames per second.

    Returns
    -------
    (..., 2, n_mels, n_bins): autocorrelation in about -1..1, magnitude of the Fourier transform in
    0..1.
    """
    n_frames = onsets.shape[-1]
    centred = onsets - onsets.mean(dim=-1, keepdim=True)
    energy = centred.square().sum(dim=-1, keepdim=True)
    energy = energy.clamp_min(1e-9).maximum(BAND_FLOOR * energy.amax(dim=-2, keepdim=True))
    centred = centred / energy.sqrt()

    size = 2 ** math.ceil(math.log2(2 * n_frames))
    power = torch.fft.rfft(centred, n=size).abs().square()
    acf = torch.fft.irfft(power, n=size)[..., :n_frames]
    lags, basis = _sampling(n_frames, fps, grid)
    lags, basis = lags.to(onsets.device), basis.to(onsets.device)
    lower = lags.floor().long().clamp(0, n_frames - 2)
    weight = (lags - lower).clamp(0.0, 1.0)
    sampled = acf[..., lower] * (1 - weight) + acf[..., lower + 1] * weight
    # A sum over n_frames - lag products: undo the shrinking, but not beyond half of the window,
    # where too few products are left to mean anything.
    sampled = sampled * (n_frames / (n_frames - lags).clamp_min(0.5 * n_frames))
    sampled = torch.where(lags < n_frames - 1, sampled, torch.zeros_like(sampled))

    parts = centred @ basis  # (..., n_mels, 2 * n_bins): real parts, imaginary parts
    dft = parts.unflatten(-1, (2, grid.n_bins)).square().sum(dim=-2).sqrt()
    return torch.stack([sampled, dft], dim=-3)


@lru_cache(maxsize=32)
def _hann(n: int) -> Tensor:
    return torch.hann_window(n)


@lru_cache(maxsize=32)
def _sampling(n_frames: int, fps: float, grid: TempoGrid) -> tuple[Tensor, Tensor]:
    """Lags [frames] (n_bins,) of the tempi, and the Fourier basis (n_frames, 2 * n_bins)."""
    tempi = tempo_axis(grid)
    lags = 60.0 * fps / tempi
    phase = 2 * math.pi * torch.arange(n_frames, dtype=torch.float64)[:, None] * tempi / (60 * fps)
    window = torch.hann_window(n_frames, dtype=torch.float64)
    window = window / window.square().sum().sqrt()
    basis = torch.cat([window[:, None] * phase.cos(), window[:, None] * phase.sin()], dim=1)
    return lags.float(), basis.float()
