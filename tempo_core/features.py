"""The only spectrogram and the only tempogram: audio → features → onsets → periodicity map.

Shapes: `audio` (n_samples,) → `features` (n_mels, n_frames) → `onsets` (n_mels, n_frames) → `map`
(3, n_mels, n_bins). Every function also takes leading batch dimensions. All are pure.
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
BLOCK = 128  # [frames] whose spectra are computed at a time: they stay in the processor's cache
N_BASS = 3  # lowest bands, up to about 200 Hz: where the kick drum and the bass are
N_MAPS = 3  # kinds of periodicity


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
    half = front_end.n_fft // 2
    padded = torch.nn.functional.pad(audio, (half, half))
    frames = padded.unfold(-1, front_end.n_fft, front_end.hop_length)
    window, bands = _hann(front_end.n_fft).to(audio.device), filterbank.T
    pieces = []
    for some in frames.split(BLOCK, dim=-2):
        spectrum = torch.view_as_real(torch.fft.rfft(some * window))
        power = spectrum[..., 0].square().addcmul_(spectrum[..., 1], spectrum[..., 1])
        pieces.append(power.sqrt_() @ bands)
    return torch.cat(pieces, dim=-2).transpose(-2, -1).contiguous()


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
    # Said explicitly, because a network is also built on a device without memory, for its shapes.
    k = torch.arange(grid.n_bins, dtype=torch.float64, device="cpu")
    return grid.bpm_min * 2.0 ** (k / grid.bins_per_octave)


def periodicity_map(onsets: Tensor, fps: float, grid: TempoGrid) -> Tensor:
    """How periodic each band is at each tempo of the grid.

    The autocorrelation shows a tempo and its sub-harmonics, the Fourier transform a tempo and its
    harmonics; only at the tempo itself are both large (Peeters, "Time variable tempo detection and
    beat marking", ICMC 2005). The correlation with the bass shows what neither does, because both
    forget the phase: whether a band sounds together with the bass or in turn with it. A snare
    drum between two kick drums is what makes people count twice as fast as the kick drum plays.

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
    centred = onsets - onsets.mean(dim=-1, keepdim=True)
    energy = centred.square().sum(dim=-1, keepdim=True)
    energy = energy.clamp_min(1e-9).maximum(BAND_FLOOR * energy.amax(dim=-2, keepdim=True))
    centred = centred / energy.sqrt()

    bass = centred[..., :N_BASS, :].sum(dim=-2, keepdim=True)
    bass = bass / bass.square().sum(dim=-1, keepdim=True).clamp_min(1e-9).sqrt()

    longest = math.ceil(60.0 * fps / grid.bpm_min) + 2  # [frames] lag that is looked at
    size = _fast_length(n_frames + min(n_frames, longest))
    spectrum = torch.fft.rfft(torch.cat([centred, bass], dim=-2), n=size)
    bands, bass = spectrum[..., :-1, :], spectrum[..., -1:, :]
    # The real part of a cross spectrum is the spectrum of the mean over both directions in time.
    cross = bands.real * bass.real + bands.imag * bass.imag
    power = bands.real.square() + bands.imag.square()
    correlations = torch.fft.irfft(torch.stack([power, cross], dim=-3), n=size)
    together = correlations[..., 1, :, :1]  # (..., n_mels, 1)
    sampled = _at_tempi(correlations, n_frames, fps, grid)

    _, basis = _sampling(n_frames, fps, grid)
    parts = centred @ basis.to(onsets.device)  # (..., n_mels, 2 * n_bins): real, imaginary parts
    dft = parts.unflatten(-1, (2, grid.n_bins)).square().sum(dim=-2).sqrt()
    return torch.stack([sampled[..., 0, :, :], dft, sampled[..., 1, :, :] - together], dim=-3)


def _fast_length(n: int) -> int:
    """The smallest length from `n` on that a Fourier transform likes: 2^k or 3 * 2^k."""
    power = 2 ** math.ceil(math.log2(n))
    return power * 3 // 4 if power * 3 // 4 >= n else power


def _at_tempi(correlations: Tensor, n_frames: int, fps: float, grid: TempoGrid) -> Tensor:
    """Correlations (..., n_lags) over `n_frames` frames at the lags of the tempi, (..., n_bins)."""
    lags, _ = _sampling(n_frames, fps, grid)
    lags = lags.to(correlations.device)
    lower = lags.floor().long().clamp(0, n_frames - 2)
    weight = (lags - lower).clamp(0.0, 1.0)
    sampled = torch.lerp(correlations[..., lower], correlations[..., lower + 1], weight)
    # A sum over n_frames - lag products: undo the shrinking, but not beyond half of the window,
    # where too few products are left to mean anything.
    sampled = sampled * (n_frames / (n_frames - lags).clamp_min(0.5 * n_frames))
    return torch.where(lags < n_frames - 1, sampled, torch.zeros_like(sampled))


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
