"""The tags network, readable on one screen: what does this piece of music sound like?

Convolutions look at some seconds of a spectrogram, which after each is half as wide and half as
high. What is left of the bands is put together, and what happens most and on average is the
embedding: a few numbers in which music that sounds alike has like values. The tags are weighted
sums of these numbers, so that an embedding once known answers any tags without the audio.
"""

from __future__ import annotations

from ...config import FrontEnd
from ...network.layers import Conv, Layer, Linear, Norm
from ...network.ops import Array, Ops
from .config import TagsConfig

PIECE = 128  # frames that are looked at together
N_HALVINGS = 4
LEAK = 0.1  # share of what is below zero that goes on
HEAD = "tags"


class TagsNet:
    """Compressed spectrograms in, embeddings out; the head is for `decode`."""

    def __init__(self, front_end: FrontEnd, config: TagsConfig):
        size = config.model
        self.dropout = size.dropout
        n, n_bands = size.n_channels, front_end.n_mels // 2**N_HALVINGS
        widths = (1, n, 2 * n, 4 * n, 4 * n)
        self.layers: dict[str, Layer] = {}
        for k in range(N_HALVINGS):
            kernel = 5 if k == 0 else 3
            half = kernel // 2
            self.layers[f"sound.{2 * k}"] = Conv(
                widths[k], widths[k + 1], (kernel, kernel), (half, half)
            )
            self.layers[f"sound.{2 * k + 1}"] = Norm(widths[k + 1])
        self.layers |= {
            "bands.0": Conv(4 * n * n_bands, size.n_merged, (3,), (1,)),
            "bands.1": Norm(size.n_merged),
            "embedding.0": Linear(2 * size.n_merged, size.n_dims),
            "embedding.1": Norm(size.n_dims),
        }
        if config.tags:
            self.layers[HEAD] = Linear(size.n_dims, len(config.tags))

    def forward(self, ops: Ops, spectra: Array) -> Array:
        """(batch, n_mels, n_frames ≥ 16) → embeddings (batch, n_dims)."""
        x = spectra.reshape(len(spectra), 1, *spectra.shape[1:])
        for k in range(N_HALVINGS):
            x = ops.conv(f"sound.{2 * k}", x, norm=f"sound.{2 * k + 1}")
            x = _leaky(ops, _halved(ops, x))
        x = ops.dropout(x.reshape(len(x), -1, x.shape[-1]), self.dropout)
        x = _leaky(ops, ops.conv("bands.0", x, norm="bands.1"))
        x = ops.cat([ops.mean(x, 2), ops.max(x, 2)], 1)
        return ops.norm("embedding.1", ops.linear("embedding.0", ops.dropout(x, 2 * self.dropout)))


def _halved(ops: Ops, x: Array) -> Array:
    """(batch, n, height, width) → half as high and wide, the loudest of each square."""
    height, width = (size // 2 * 2 for size in x.shape[-2:])
    x = ops.maximum(x[:, :, 0:height:2], x[:, :, 1:height:2])
    return ops.maximum(x[..., 0:width:2], x[..., 1:width:2])


def _leaky(ops: Ops, x: Array) -> Array:
    return ops.maximum(x, LEAK * x)


def build(front_end: FrontEnd, config: TagsConfig) -> TagsNet:
    """The network of a configuration.

    Raises
    ------
    ValueError
        If the front end has too few bands to be halved that often.
    """
    if front_end.n_mels < 2**N_HALVINGS:
        raise ValueError(f"{front_end.n_mels} bands; at least {2**N_HALVINGS} are needed")
    return TagsNet(front_end, config)
