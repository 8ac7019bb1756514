"""What the notes network sees of a track: overlapping windows of every excerpt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...heard import Heard, Sound
from ...model import Checkpoint
from ...spectrum import Array
from ...task import Batch, Results
from ...windows import window_starts
from .config import NotesConfig
from .events import N_PITCHES

GAIN = 20.0  # of the compression: a band at the mean level comes out at log(1 + GAIN)


@dataclass(frozen=True)
class Place:
    """Where a window lies: `first` is its first frame in an excerpt that begins at `start` [s].

    `levels` (N_PITCHES, n_frames) are linear magnitudes of the pitches in the window.
    """

    start: float
    fps: float
    first: int
    levels: NDArray[np.float16]


def view(heard: Heard, results: Results, checkpoint: Checkpoint[NotesConfig]) -> list[Batch]:
    """The windows one by one: together they would take much memory and no less time."""
    config, per_semitone = checkpoint.config, checkpoint.front_end.bands_per_semitone
    batches: list[Batch] = []
    for sound in heard.sounds(checkpoint.spectrum):
        seen = prepare(sound.features)
        n_frames = seen.shape[1]
        for first in window_starts(n_frames, config.n_frames, config.n_frames - 2 * config.margin):
            last = min(n_frames, first + config.n_frames)
            place = Place(sound.start, sound.fps, first, _levels(sound, first, last, per_semitone))
            number = np.array([len(batches)])
            batches.append(Batch((seen[None, :, first:last],), number, np.ones(1), place))
    return batches


def prepare(features: Array) -> Array:
    """(2 * n_bands, n_frames) magnitudes → (2, n_frames, n_bands), what the network takes.

    It is compressed, and independent of the level of the recording.
    """
    halves = features.reshape(2, -1, features.shape[-1])
    level = np.maximum(halves.mean(axis=(1, 2), keepdims=True, dtype=np.float64), 1e-9)
    compressed = np.log1p((GAIN / level).astype(np.float32) * halves)
    return np.ascontiguousarray(compressed.swapaxes(1, 2))


def _levels(sound: Sound, first: int, last: int, per_semitone: int) -> NDArray[np.float16]:
    """(N_PITCHES, last - first) the loudest sharp band of each pitch."""
    sharp = sound.features[: per_semitone * N_PITCHES, first:last]
    return sharp.reshape(N_PITCHES, per_semitone, -1).max(axis=1).astype(np.float16)
