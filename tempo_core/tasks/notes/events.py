"""From posteriors to notes: where each pitch begins, and how long it sounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOWEST = 21  # MIDI pitch of the lowest key of a piano: A0
N_PITCHES = 88

Posteriors = NDArray[np.float32]  # (N_PITCHES, n_frames), 0..1


@dataclass(frozen=True)
class Note:
    """A note: from `start` to `end` [s] of the recording.

    `pitch` is MIDI's, 21..108 (69 is A4); `velocity` MIDI's, 1..127, by how loud the note is among
    the notes of the track; `confidence` in 0..1.
    """

    start: float
    end: float
    pitch: int
    velocity: int = 80
    confidence: float = 1.0


@dataclass(frozen=True)
class Stretch:
    """Posteriors of a contiguous part of a recording.

    Frame k of `onsets` and `frames`, each (N_PITCHES, n_frames), lies at `start + k / fps` [s] of
    the recording. An onset says that a note begins there, a frame that it sounds. `levels` is
    (N_PITCHES, n_frames) of the same: how loud each pitch is, linear, ≥ 0.
    """

    start: float
    fps: float
    onsets: Posteriors
    frames: Posteriors
    levels: Posteriors


@dataclass(frozen=True)
class Thresholds:
    """Least posterior of the onset of a note and of its frames, each in 0..1."""

    onset: float
    frame: float


@dataclass(frozen=True)
class Transcription:
    """The notes of a track, in the order of their starts, and the posteriors they come from."""

    notes: tuple[Note, ...]
    stretches: tuple[Stretch, ...]
    thresholds: Thresholds


@dataclass(frozen=True)
class Annotation:
    """The notes of an excerpt of `n_frames`, whose frame k lies at `k / fps` [s]; a label."""

    notes: tuple[Note, ...]
    n_frames: int
    fps: float
