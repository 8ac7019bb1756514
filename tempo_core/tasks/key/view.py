"""What the key network sees of a track."""

from __future__ import annotations

import numpy as np

from ...heard import Heard
from ...model import Checkpoint
from ...spectrum import Array
from ...task import Batch, Results
from ...windows import by_length
from .config import KeyConfig
from .tuning import estimate_tuning, retuned

GAIN = 5.0  # of the compression: a band at the mean level comes out at log(1 + GAIN)
FRAMES = 2  # that are averaged into one the network sees


def view(heard: Heard, results: Results, checkpoint: Checkpoint[KeyConfig]) -> list[Batch]:
    """Every excerpt, in tune; it counts as much as it is long [s]."""
    bands_per_semitone = checkpoint.front_end.bands_per_semitone
    sounds = [sound.features for sound in heard.sounds(checkpoint.spectrum)]
    tuning = estimate_tuning(sounds, bands_per_semitone)
    octave = 12 * bands_per_semitone
    seen = [prepare(retuned(sound, tuning, bands_per_semitone), octave) for sound in sounds]
    return [
        Batch(
            (inputs,),
            np.array(which),
            np.array([seen[k].shape[-1] * FRAMES / checkpoint.spectrum.fps for k in which]),
            tuning,
        )
        for which, inputs in by_length(seen)
    ]


def prepare(features: Array, octave: int) -> Array:
    """(n_bands, n_frames) magnitudes → (2, n_bands, n_frames // 2), what the network takes.

    The first channel is the compressed level, independent of the recording's; the second is that
    without its mean over an octave on both sides, which leaves what stands out: tones.

    Parameters
    ----------
    octave
        Bands of an octave.
    """
    n_frames = features.shape[-1] // FRAMES * FRAMES
    if n_frames == 0:  # less than a frame of audio
        features, n_frames = np.repeat(features[:, :1], FRAMES, axis=1), FRAMES
    averaged = features[:, :n_frames].reshape(len(features), -1, FRAMES).mean(axis=-1)
    level = max(float(averaged.mean()), 1e-9)
    compressed = np.log1p(GAIN / level * averaged)
    return np.stack([compressed, compressed - _around(compressed, octave)]).astype(np.float32)


def _around(compressed: Array, reach: int) -> Array:
    """(n_bands, n_frames) the mean of the bands up to `reach` away; the outermost repeat."""
    padded = np.pad(compressed, ((reach + 1, reach), (0, 0)), mode="edge")
    sums = np.cumsum(padded, axis=0, dtype=np.float64)
    width = 2 * reach + 1
    return np.asarray((sums[width:] - sums[:-width]) / width, np.float32)
