"""Windows of a track as the beats network sees them: folded, on a clock that counts beats."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..folding import fold_beats, prepare

Array = NDArray[np.float32]

LEAST_BEATS = 4  # that a window must hold
MOST_BEATS = 64  # of a window that are folded: at 300 BPM more than those of twelve seconds


@dataclass(frozen=True)
class Place:
    """Where the rows of a fold are in the track.

    The first row begins `first` periods after time 0, and a row lasts one `period` [s]. So the same
    phase of two folds with one period is the same phase of the track. `weight` in 0..1 says how
    clear the pulse is.
    """

    first: int
    period: float
    weight: float

    def time(self, row: float, phase: float = 0.0) -> float:
        """Time in the track [s] of a phase (in beats) of a row."""
        return (self.first + row + phase) * self.period


def place_of(start: float, n_frames: int, fps: float, bpm: float, weight: float) -> Place | None:
    """Place of the first whole beat of a window that begins at `start` [s].

    None if the window is too short for `LEAST_BEATS`.
    """
    place = Place(math.ceil(start * bpm / 60 - 1e-6), 60 / bpm, weight)
    return place if n_rows(place, start, n_frames, fps) >= LEAST_BEATS else None


def n_rows(place: Place, start: float, n_frames: int, fps: float) -> int:
    """Number of whole beats of a window from `place` on, at most `MOST_BEATS`."""
    end = start + (n_frames - 1) / fps
    return min(MOST_BEATS, math.floor((end - place.time(0)) / place.period + 1e-6))


def fold(window: Array, start: float, fps: float, place: Place, n_phases: int) -> Array:
    """Window of features (n_mels, n_frames) → (n_channels, n_beats, n_phases)."""
    # Frame k is centred on its time, and a cell is a mean over frames as wide as they are apart.
    begin = (place.time(0) - start) * fps + 0.5
    n = n_rows(place, start, window.shape[-1], fps)
    return fold_beats(prepare(window), fps, [60 / place.period], [begin], n, n_phases)[0]
