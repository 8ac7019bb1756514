"""The notes network: for every frame and every pitch, does a note begin there, does it sound?

Convolutions look at neighbouring semitones and frames. Then copies that are shifted by the
intervals of the harmonics are put side by side: on a logarithmic axis of pitch these are the same
for all pitches, so that the network sees for each what sounds at its octave, twelfth and so on, and
at the pitches whose harmonic it may be. All weights are shared by all pitches. On top there may be
a transformer over time, which sees all pitches of a frame together.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...config import NotesFrontEnd
from ...constant_q import RESOLUTIONS
from ...network.layers import Conv, Layer, Norm
from ...network.ops import Array, Ops
from .config import NotesConfig
from .events import N_PITCHES

# Intervals [semitones] of the harmonics 1 to 8, and of the pitches whose harmonic 2 to 4 it is.
HARMONICS = (0, 12, 19, 24, 28, 31, 34, 36, -12, -19, -24)
ANSWERS = 2  # an onset, a frame
FEED_FORWARD = 2  # width of a transformer's feed-forward part, relative to its own


class NotesNet:
    """Spectra in, logits of onsets and frames out."""

    def __init__(self, front_end: NotesFrontEnd, config: NotesConfig):
        size = config.model
        self.bands_per_semitone, self.n_semitones = (
            front_end.bands_per_semitone, front_end.n_semitones,
        )  # fmt: skip
        self.size = size
        n_in = RESOLUTIONS * front_end.bands_per_semitone
        n_tones, n_harmonics, n = size.n_tones, size.n_harmonics, size.n_context
        self.layers: dict[str, Layer] = {
            "tones.0": Conv(n_in, n_tones, (5, 3), (2, 1)),
            "tones.1": Norm(n_tones),
            "tones.2": Conv(n_tones, n_tones, (3, 3), (1, 1)),
            "tones.3": Norm(n_tones),
            "harmonics.0": Conv(len(HARMONICS) * n_tones, n_harmonics, (1, 1), (0, 0)),
            "harmonics.1": Norm(n_harmonics),
            "context.0": Conv(n_harmonics, n, (5, 3), (2, 1)),
            "context.1": Norm(n),
            "context.2": Conv(n, n, (9, 1), (4, 0)),
            "context.3": Norm(n),
            "context.4": Conv(n, n, (9, 1), (4, 0)),
            "context.5": Norm(n),
            "answers": Conv(n, ANSWERS, (1, 1), (0, 0)),
        }
        if size.n_layers:
            width = size.n_model
            self.layers["squeeze"] = Conv(n, size.n_squeezed, (1, 1), (0, 0))
            self.layers["into"] = Conv(size.n_squeezed * N_PITCHES, width, (1,), (0,))
            for k in range(size.n_layers):
                self.layers.update(
                    {
                        f"layers.{k}.norm.0": Norm(width),
                        f"layers.{k}.query": Conv(width, width, (1,), (0,)),
                        f"layers.{k}.key": Conv(width, width, (1,), (0,)),
                        f"layers.{k}.value": Conv(width, width, (1,), (0,)),
                        f"layers.{k}.joined": Conv(width, width, (1,), (0,)),
                        f"layers.{k}.norm.1": Norm(width),
                        f"layers.{k}.wide": Conv(width, FEED_FORWARD * width, (1,), (0,)),
                        f"layers.{k}.narrow": Conv(FEED_FORWARD * width, width, (1,), (0,)),
                    }
                )
            self.layers["out"] = Conv(width, ANSWERS * N_PITCHES, (1,), (0,))

    def forward(self, ops: Ops, spectra: Array) -> Array:
        """(batch, 2, n_frames, n_bands) → logits (batch, 2, n_frames, 88): onsets and frames."""
        size = self.size
        # Pitch is the last axis; the bands of a semitone become channels.
        step = self.bands_per_semitone
        x = ops.cat([spectra[..., k::step] for k in range(step)], 1)
        x = ops.elu(ops.conv("tones.0", x, norm="tones.1"))
        x = ops.elu(ops.conv("tones.2", x, norm="tones.3"))
        x = ops.cat([ops.shift(x, interval)[..., :N_PITCHES] for interval in HARMONICS], 1)
        x = ops.elu(ops.conv("harmonics.0", x, norm="harmonics.1"))
        x = ops.elu(ops.conv("context.0", x, norm="context.1"))
        x = ops.elu(ops.conv("context.2", x, norm="context.3"))
        x = ops.elu(ops.conv("context.4", x, norm="context.5"))
        logits = ops.conv("answers", ops.dropout(x, size.dropout))
        if size.n_layers:
            logits = logits + self.over_time(ops, x)
        return logits

    def over_time(self, ops: Ops, x: Array) -> Array:
        """What the transformer adds to the logits, (batch, n, n_frames, 88) → theirs."""
        n_batch, _, n_frames, _ = x.shape
        squeezed = ops.conv("squeeze", x).swapaxes(2, 3)
        tokens = ops.conv("into", squeezed.reshape(n_batch, -1, n_frames))
        for k in range(self.size.n_layers):
            tokens = self.layer(ops.at(f"layers.{k}"), tokens)
        return ops.conv("out", tokens).reshape(n_batch, ANSWERS, N_PITCHES, n_frames).swapaxes(2, 3)

    def layer(self, ops: Ops, x: Array) -> Array:
        """A layer of the transformer, (batch, width, n_frames) → the same."""
        n_batch, width, n_frames = x.shape
        n_heads = self.size.n_heads
        normal = ops.norm("norm.0", x)

        def heads(name: str) -> Array:
            return ops.conv(name, normal).reshape(n_batch, n_heads, -1, n_frames)

        query, key, value = heads("query"), heads("key"), heads("value")
        nearness = query.swapaxes(2, 3) @ key * (width / n_heads) ** -0.5
        weights = ops.softmax(ops.plus(nearness, far(n_heads, n_frames)))
        seen = (value @ weights.swapaxes(2, 3)).reshape(n_batch, width, n_frames)
        x = x + ops.dropout(ops.conv("joined", seen), self.size.dropout)
        wide = ops.elu(ops.conv("wide", ops.norm("norm.1", x)))
        return x + ops.dropout(ops.conv("narrow", wide), self.size.dropout)


@lru_cache(maxsize=8)
def far(n_heads: int, n_frames: int) -> np.ndarray:
    """(n_heads, n_frames, n_frames) what is taken from the nearness of frames that are far apart.

    Each head looks twice as far as the one before it (Press et al., 2022, "Train short, test long:
    attention with linear biases"). That is all that tells the order of the frames, so that windows
    of any length can be read.
    """
    apart = np.abs(np.arange(n_frames)[:, None] - np.arange(n_frames))
    slopes = 0.5 * 2.0 ** -np.arange(n_heads)
    return (-slopes[:, None, None] * apart).astype(np.float32)


def build(front_end: NotesFrontEnd, config: NotesConfig) -> NotesNet:
    """The network of a configuration."""
    return NotesNet(front_end, config)
