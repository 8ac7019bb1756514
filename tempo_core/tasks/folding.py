"""Music cut into beats of a tempo, one beat a row, as the networks of several tasks see it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..spectrum import compress, onset_strength

Array = NDArray[np.float32]


def prepare(window: Array) -> Array:
    """Window of features (n_mels, n_frames) → signal to be folded (n_mels, n_frames).

    It has level and onsets of pairs of bands, because neighbouring bands are alike.
    """
    compressed = compress(window)
    both = np.stack([compressed, onset_strength(compressed)])
    pairs = (both[:, 0::2] + both[:, 1::2]) / np.float32(2)
    return np.asarray(pairs.reshape(-1, window.shape[1]), np.float32)


def fold_beats(
    signal: Array,
    fps: float,
    tempi: Sequence[float],
    starts: Sequence[float],
    n_beats: int,
    n_phases: int,
) -> Array:
    """Folds of a signal at tempi: rows are beats, columns are phases within the beat.

    A cell is the mean of the signal over a stretch of time. The ends of the stretch are not rounded
    to frames but interpolated linearly, because a beat is not a whole number of frames, and the
    rows would drift apart.

    Parameters
    ----------
    signal
        (n_channels, n_frames).
    tempi, starts
        (n,) tempo [BPM] and beginning [frames] of each fold, which must end within the signal.

    Returns
    -------
    (n, n_channels, n_beats, n_phases)
    """
    beat = 60.0 * fps / np.asarray(tempi, float)  # [frames]
    cells = np.arange(n_beats * n_phases + 1) / n_phases
    edges = np.asarray(starts, float)[:, None] + beat[:, None] * cells
    edges = np.clip(edges, 0, signal.shape[-1])
    lower = np.minimum(edges.astype(int), signal.shape[-1] - 1)
    # Sum of the signal up to the start of each frame. Channels are last, so that the values of one
    # look-up lie together; float64, because small differences of large sums are taken.
    integral = np.zeros((signal.shape[-1] + 1, len(signal)))
    np.cumsum(signal.T, axis=0, dtype=float, out=integral[1:])
    # The sum up to an edge is that up to its frame, and a share of the frame itself.
    at = integral[lower] + (edges - lower)[..., None] * signal.T[lower]
    width = (beat / n_phases)[:, None, None]
    folded = ((at[:, 1:] - at[:, :-1]) / width).astype(np.float32)  # (n, cells, n_channels)
    return np.ascontiguousarray(folded.swapaxes(1, 2)).reshape(
        len(folded), len(signal), n_beats, n_phases
    )
