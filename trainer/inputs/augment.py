"""Augmentation in two steps: draw the parameters once, then apply them to the input and the label.

Augmentation changes the network's inputs, not the audio. A time stretch is a shift of the
logarithmic tempo axis, a change of tone is a smooth curve added to the log-compressed band levels,
and a missing part of the spectrum is a run of bands set to zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .views import STRETCH_MARGIN

TONE = 0.3  # standard deviation of the random equaliser, on the scale of log-compressed levels
MASKED = 0.3  # share of windows of which some bands are silenced


@dataclass(frozen=True)
class Augmentation:
    """Parameters of the augmentation of one window.

    The tempo axis is shifted by `shift` [bins], and the label is multiplied by
    2 ** (shift / bins_per_octave). `tone` (n_mels,) is added to the mean levels of the bands, and
    the bands `masked` are silenced.
    """

    shift: int
    tone: NDArray[np.float32]
    masked: slice

    def stretch(self, bins_per_octave: int) -> float:
        """Factor by which the tempo changes."""
        return float(2.0 ** (self.shift / bins_per_octave))


NO_CHANGE = Augmentation(0, np.zeros(1, np.float32), slice(0, 0))


def draw(
    rng: np.random.Generator,
    n_mels: int,
    stretched: int = STRETCH_MARGIN,
    tone: float = TONE,
    masked: float = MASKED,
) -> Augmentation:
    """Draw the parameters of one augmentation.

    Parameters
    ----------
    stretched
        Greatest shift [bins].
    tone
        Standard deviation of the equaliser.
    masked
        Share of windows, 0..1, of which some bands are silenced.
    """
    shift = int(rng.integers(-stretched, stretched + 1)) if rng.random() < 0.8 else 0
    knots = rng.normal(0.0, tone, 5)  # a smooth random equaliser
    curve = np.interp(np.linspace(0, 4, n_mels), np.arange(5), knots).astype(np.float32)
    n_masked = int(rng.integers(1, n_mels // 4)) if rng.random() < masked else 0
    first = int(rng.integers(0, n_mels - n_masked + 1))
    return Augmentation(shift, curve, slice(first, first + n_masked))


def apply_to_map(periodicity: np.ndarray, change: Augmentation) -> NDArray[np.float32]:
    """Cut the grid's bins out of the maps of a window, stretched and with masked bands.

    Parameters
    ----------
    periodicity
        (N_MAPS, n_mels, n_bins + 2 * STRETCH_MARGIN) maps.

    Returns
    -------
    (N_MAPS, n_mels, n_bins) maps. The peaks of a faster track are further up the axis, so the cut
    begins further down.
    """
    first = STRETCH_MARGIN - change.shift
    result = periodicity[..., first : first + periodicity.shape[-1] - 2 * STRETCH_MARGIN].astype(
        np.float32
    )
    result[:, change.masked] = 0.0
    return result


def apply_to_statistics(statistics: np.ndarray, change: Augmentation) -> NDArray[np.float32]:
    """The statistics (4 * n_mels,) of a window with another tone and with masked bands silent."""
    result = statistics.reshape(4, -1).astype(np.float32)
    result[0] = np.maximum(0.0, result[0] + change.tone)
    result[:, change.masked] = 0.0
    return result.ravel()


def stretched_window(
    features: np.ndarray, first: float, n_frames: int, stretch: float
) -> NDArray[np.float32]:
    """A window of features as if the recording were played `stretch` times as fast.

    Frames are interpolated linearly; after the end of the recording its last frame is repeated.

    Parameters
    ----------
    features
        (n_mels, n_all_frames) of the recording.
    first
        Frame of the recording at which the window begins.

    Returns
    -------
    (n_mels, n_frames) features.
    """
    places = first + stretch * np.arange(n_frames)
    low = np.clip(places.astype(int), 0, features.shape[1] - 2)
    part = np.clip(places - low, 0, 1)
    window = features[:, low] * (1 - part) + features[:, low + 1] * part
    return window.astype(np.float32)


def tone_gains(
    n_mels: int, tilt: float, mask: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """(n_mels, 1) random factors of bands: a change of tone, and at times a run of missing bands.

    Parameters
    ----------
    tilt
        Standard deviation of the change of tone [dB].
    mask
        Probability, 0..1, that bands are missing.
    """
    knots = rng.normal(0, tilt, 4)
    gains = 10 ** (np.interp(np.linspace(0, 3, n_mels), range(4), knots) / 20)
    if rng.random() < mask:
        size = int(rng.integers(2, n_mels // 3))
        begin = int(rng.integers(0, n_mels - size))
        gains[begin : begin + size] = 1e-4
    return gains.astype(np.float32)[:, None]
