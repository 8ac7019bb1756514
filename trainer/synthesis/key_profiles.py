"""Keys without learning: a chromagram compared with profiles, the baseline for the key network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tempo_core.config import HarmonyFrontEnd
from tempo_core.keys import Key
from tempo_core.spectrum import Array
from tempo_core.tasks.key.tuning import estimate_tuning, retuned

Floats = NDArray[np.float64]

# How well each pitch class fits a major and a minor key, from the tonic upwards.
PROFILES: dict[str, Floats] = {
    # Krumhansl, "Cognitive foundations of musical pitch", 1990.
    "krumhansl": np.array(
        [
            [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88],
            [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17],
        ]
    ),
    # Sha'ath, "Estimation of key in digital music recordings", 2011: the same, adjusted to pop.
    "shaath": np.array(
        [
            [6.6, 2.0, 3.5, 2.3, 4.6, 4.0, 2.5, 5.2, 2.4, 3.7, 2.3, 3.4],
            [6.5, 2.7, 3.5, 5.4, 2.6, 3.5, 2.5, 5.2, 4.0, 2.7, 4.3, 3.2],
        ]
    ),
}
OCTAVES = (1, 6)  # counted from the lowest band: what is below is too coarse, above mostly noise


def chroma(features: Array, front_end: HarmonyFrontEnd) -> Floats:
    """(12,) how much each pitch class stands out, on average over the frames of a spectrogram.

    Parameters
    ----------
    features
        (n_bands, n_frames) log-frequency magnitudes.
    """
    per_octave, per_semitone = 12 * front_end.bands_per_semitone, front_end.bands_per_semitone
    tuned = retuned(features, estimate_tuning([features], per_semitone), per_semitone)
    bands = tuned[OCTAVES[0] * per_octave : OCTAVES[1] * per_octave].astype(np.float64)
    kernel = np.ones(2 * per_octave + 1) / (2 * per_octave + 1)
    around = np.apply_along_axis(np.convolve, 0, bands, kernel, "same")
    standing_out = np.maximum(0, bands - around) / np.maximum(around, 1e-6)
    n_frames = bands.shape[1]
    tones = standing_out.reshape(-1, 12, per_semitone, n_frames).max(axis=2).sum(axis=0)
    tones /= np.maximum(tones.sum(axis=0), 1e-9)
    return np.asarray(tones.mean(axis=1))


def key_of_profile(weights: Floats, profiles: Floats) -> Key:
    """The key whose profile correlates best with how much each pitch class (12,) sounds."""
    found = [
        (float(np.corrcoef(np.roll(profile, tonic), weights)[0, 1]), tonic, minor)
        for minor, profile in enumerate(profiles)
        for tonic in range(12)
    ]
    _, tonic, minor = max(found)
    return Key(tonic, bool(minor))
