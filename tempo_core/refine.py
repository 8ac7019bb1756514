"""From a tempo on the grid (right to about 1 %) to the audio's tempo (right to 0.1 BPM).

A steady pulse at `f` beats a second puts a line at `f` and its multiples into the spectrum of the
onset envelope. The longer the audio and the higher the multiple, the sharper it pins the tempo
down: over 60 s the eighth multiple resolves 0.1 BPM. So the refined tempo is where the lines under
the multiples of the beat are strongest together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .features import compress, onset_strength

SEARCH = 0.02  # relative, to both sides: one bin of the tempo grid
STEP = 0.02  # [BPM]
# Multiples of the beat that are looked at: its divisions in duple and triple metre.
MULTIPLES = (1, 2, 3, 4, 6, 8)
N_GROUPS = 4  # bands are summed in groups, so that a loud bass cannot drown the hi-hat
# Played music drifts: over a longer stretch the lines of its beats spread instead of sharpening.
MAX_COHERENT = 60.0  # [s]
PADDING = 8  # spectra are interpolated this densely


@dataclass(frozen=True)
class Envelope:
    """Onset strength over time of a few groups of bands.

    `values` is (N_GROUPS, n_frames) float64 without mean, `start` its place in the recording [s].
    """

    values: NDArray[np.float64]
    start: float


def envelope(features: Tensor, start: float) -> Envelope:
    """The onset envelope of features (n_mels, n_frames)."""
    onsets = onset_strength(compress(features)).double().numpy()
    groups = np.stack([g.sum(axis=0) for g in np.array_split(onsets, N_GROUPS)])
    return Envelope(groups - groups.mean(axis=1, keepdims=True), start)


def refine(envelopes: Sequence[Envelope], bpm: float, fps: float) -> float:
    """The tempo within `SEARCH` of `bpm` that the envelopes support best [BPM].

    Spectra of separate pieces are added as magnitudes, so a gap between them of unknown length, or
    a slow drift, does no harm.
    """
    tempi = np.arange(bpm * (1 - SEARCH), bpm * (1 + SEARCH), STEP)
    support = np.zeros(tempi.size)
    for piece in envelopes:
        for values in _pieces(piece.values, round(MAX_COHERENT * fps)):
            support += _support(values, tempi, fps)
    if not support.any():
        return bpm
    k = int(support.argmax())
    if not 0 < k < tempi.size - 1:
        # No line of its own here, only the slope of another one: nothing to refine by.
        return bpm
    left, mid, right = support[k - 1 : k + 2]
    curvature = left - 2 * mid + right
    return float(tempi[k] + (STEP * 0.5 * (left - right) / curvature if curvature < 0 else 0.0))


def _pieces(values: NDArray[np.float64], longest: int) -> list[NDArray[np.float64]]:
    n = max(1, math.ceil(values.shape[1] / longest))
    return [piece for piece in np.array_split(values, n, axis=1) if piece.shape[1] > 1]


def _support(
    values: NDArray[np.float64], tempi: NDArray[np.float64], fps: float
) -> NDArray[np.float64]:
    """Summed spectral magnitude at the multiples of each tempo, every group at the same weight."""
    n_frames = values.shape[1]
    size = PADDING * 2 ** math.ceil(math.log2(n_frames))
    spectra = np.abs(np.fft.rfft(values * np.hanning(n_frames), size))
    level = np.sqrt(np.square(spectra).mean(axis=1, keepdims=True))
    total = (spectra / np.maximum(level, 1e-12)).sum(axis=0)
    bins = np.arange(total.size)
    # A piece counts by its length: a long one pins the tempo down better.
    return n_frames * np.sum(
        [np.interp(tempi * m / 60.0 / fps * size, bins, total) for m in MULTIPLES], axis=0
    )
