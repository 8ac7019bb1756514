"""What the tags network sees of a track: pieces of every excerpt."""

from __future__ import annotations

import numpy as np

from ...heard import Heard
from ...model import Checkpoint
from ...spectrum import Array, compress
from ...task import Batch, Results
from ...windows import window_starts
from .config import TagsConfig
from .network import PIECE

AT_ONCE = 4  # pieces that go through the network together: what lies between fits into the cache


def view(heard: Heard, results: Results, checkpoint: Checkpoint[TagsConfig]) -> list[Batch]:
    """The pieces, a few at a time; each counts as much as any other."""
    pieces = [
        piece for sound in heard.sounds(checkpoint.spectrum) for piece in pieces_of(sound.features)
    ]
    return [
        Batch((np.stack(some),), np.arange(first, first + len(some)), np.ones(len(some)))
        for first in range(0, len(pieces), AT_ONCE)
        if (some := pieces[first : first + AT_ONCE])
    ]


def pieces_of(features: Array) -> list[Array]:
    """Features (n_mels, n_frames) → pieces (n_mels, PIECE), what the network takes.

    The last one ends where the features end. What is shorter than a piece is repeated.
    """
    n_frames = features.shape[1]
    if n_frames < PIECE:
        features = np.resize(features.T, (PIECE, len(features))).T
        n_frames = PIECE
    return [
        compress(features[:, first : first + PIECE])
        for first in window_starts(n_frames, PIECE, PIECE)
    ]
