"""Onset envelope and its spectra of one excerpt, by which a tempo is refined and weighed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...config import Windows
from ...heard import Sound
from ...windows import window_spans
from . import refine


@dataclass(frozen=True)
class Rhythm:
    """The onset envelope of an excerpt, and the spectra of its pieces."""

    envelope: refine.Envelope
    lines: tuple[refine.Lines, ...]


def rhythm(sound: Sound) -> Rhythm:
    """Onset envelope and spectra of one excerpt."""
    envelope = refine.envelope(sound.features, sound.start)
    return Rhythm(envelope, tuple(refine.spectra([envelope], sound.fps)))


def clarity(sound: Sound, plan: Windows) -> NDArray[np.float64]:
    """(n_windows,) weights of windows in 0..1, by how clear their pulse is.

    The weight of a window is that of the piece whose centre is nearest to its own. Training and
    estimation use the same weights.
    """
    lines = sound.once(rhythm).lines
    spans = window_spans(sound.features.shape[-1], sound.fps, plan)
    centres = [sound.start + (first + last) / 2 / sound.fps for first, last in spans]
    # Many windows lie half-way between two pieces, and rounding decides between them. In float32 it
    # chooses the piece that the models were calibrated with.
    middles = np.array(centres, np.float32)
    pieces = np.array([piece.centre for piece in lines], np.float32)
    nearest = np.abs(middles[:, None] - pieces).argmin(axis=1)
    return np.array([piece.weight for piece in lines])[nearest]
