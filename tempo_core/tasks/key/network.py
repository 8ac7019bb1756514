"""The key network, readable on one screen: which of 24 keys is it?

Small convolutions look at the spectrum, the loudest band of each semitone goes on, and the octaves
of a pitch class are put together. From there on pitch is a circle: two convolutions as wide as it
compare each pitch class as a tonic with all others. So all keys share their weights, and music that
is moved by a semitone has its answer moved by one. Pieces of some seconds then vote, each with all
that it is sure of: music that ends in another key keeps the one it has most of the time.
"""

from __future__ import annotations

import math

from ...config import HarmonyFrontEnd
from ...network.layers import Conv, Layer, Norm
from ...network.ops import Array, Ops
from .config import KeyConfig

N_INPUTS = 2  # level and what stands out of it, see `view.prepare`
MODES = 2  # major and minor
PIECE = 24  # frames that have one vote, 9.6 s


class KeyNet:
    """Spectra in, logarithms of the probabilities of 24 keys out; `piece` frames have one vote."""

    piece = PIECE

    def __init__(self, front_end: HarmonyFrontEnd, config: KeyConfig):
        size = config.model
        self.dropout = size.dropout
        self.bands_per_semitone, self.n_octaves = front_end.bands_per_semitone, front_end.n_octaves
        n, n_merged, n_hidden = size.n_channels, size.n_merged, size.n_hidden
        self.layers: dict[str, Layer] = {
            "tones.0": Conv(N_INPUTS, n, (5, 3), (2, 1)),
            "tones.1": Norm(n),
            "tones.2": Conv(n, n, (5, 3), (2, 1)),
            "tones.3": Norm(n),
            "tones.4": Conv(n, n, (3, 3), (1, 1)),
            "tones.5": Norm(n),
            "octaves.0": Conv(n * self.n_octaves, n_merged, (1,), (0,)),
            "octaves.1": Norm(n_merged),
            "circle.0": Conv(n_merged, n_hidden, (12, 1), (0, 0)),
            "circle.1": Norm(n_hidden),
            "circle.2": Conv(n_hidden, MODES, (12, 1), (0, 0)),
        }

    def forward(self, ops: Ops, spectra: Array) -> Array:
        """(batch, 2, n_bands, n_frames) → (batch, 24): twelve major keys, twelve minor."""
        x = ops.elu(ops.conv("tones.0", spectra, norm="tones.1"))
        x = ops.elu(ops.conv("tones.2", x, norm="tones.3"))
        x = ops.elu(ops.conv("tones.4", x, norm="tones.5"))
        n_batch, n_channels, n_bands, n_frames = x.shape
        n_tones = n_bands // self.bands_per_semitone
        x = ops.max(x.reshape(n_batch, n_channels, n_tones, self.bands_per_semitone, n_frames), 3)
        x = x.reshape(n_batch, n_channels * self.n_octaves, 12 * n_frames)
        x = ops.elu(ops.conv("octaves.0", x, norm="octaves.1"))
        x = ops.dropout(x, self.dropout).reshape(n_batch, -1, 12, n_frames)
        x = ops.elu(ops.conv("circle.0", _around(ops, x), norm="circle.1"))
        x = ops.conv("circle.2", _around(ops, ops.dropout(x, 2 * self.dropout)))
        return _voted(ops, x.reshape(n_batch, MODES * 12, n_frames), self.piece)


def _voted(ops: Ops, x: Array, piece: int) -> Array:
    """Logits (batch, 24, n_frames) → (batch, 24) logarithm of the mean posterior of the pieces."""
    n_batch, n_keys, n_frames = x.shape
    n_pieces = max(1, n_frames // piece)
    length = n_frames // n_pieces  # what is left over at the end is shorter than a piece
    pieces = ops.mean(x[:, :, : n_pieces * length].reshape(n_batch, n_keys, n_pieces, length), 3)
    pieces = pieces - ops.logsumexp(pieces, 1)
    return ops.logsumexp(pieces, 2).reshape(n_batch, n_keys) - math.log(n_pieces)


def _around(ops: Ops, x: Array) -> Array:
    """(batch, n, 12, n_frames) with the circle gone round once more, but for its last step."""
    return ops.cat([x, x[:, :, :-1]], 2)


def build(front_end: HarmonyFrontEnd, config: KeyConfig) -> KeyNet:
    """The network of a configuration."""
    return KeyNet(front_end, config)
