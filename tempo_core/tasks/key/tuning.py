"""How far a recording is from A 440, and its spectrum as if it were not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...spectrum import Array

OCTAVES = (1, 6)  # counted from the lowest band: what is below is too coarse, above mostly noise


def estimate_tuning(features: Sequence[Array], bands_per_semitone: int) -> float:
    """How much higher than A 440 music is tuned [semitones], in -0.5..0.5.

    The peaks of every frame vote, by the root of their height, for where in a semitone they lie;
    the answer is the circular mean of the votes.

    Parameters
    ----------
    features
        Log-frequency spectrograms (n_bands, n_frames) of one recording.
    """
    per_octave = 12 * bands_per_semitone
    lowest, highest = (octave * per_octave for octave in OCTAVES)
    votes = 0j
    for piece in features:
        bands = piece[lowest:highest]
        below, here, above = bands[:-2], bands[1:-1], bands[2:]
        is_peak = (here > below) & (here > above)
        row, frame = np.nonzero(is_peak)
        a, b, c = below[row, frame], here[row, frame], above[row, frame]
        # The top of the parabola through a peak and its neighbours; a peak is above both of them.
        place = lowest + 1 + row + 0.5 * (a - c) / (a - 2 * b + c)
        turns = (place - (bands_per_semitone - 1) / 2) / bands_per_semitone
        votes += (np.sqrt(b) * np.exp(2j * np.pi * turns)).sum()
    return float(np.angle(votes) / (2 * np.pi))


def retuned(features: Array, tuning: float, bands_per_semitone: int) -> Array:
    """Features (n_bands, n_frames) of music that is tuned so many semitones higher, as at A 440."""
    n_bands = len(features)
    place = np.clip(np.arange(n_bands) + tuning * bands_per_semitone, 0, n_bands - 1)
    lower = np.minimum(place.astype(int), n_bands - 2)
    weight = (place - lower).astype(np.float32)[:, None]
    return features[lower] * (1 - weight) + features[lower + 1] * weight
