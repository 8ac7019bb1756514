"""The beats network: for every cell of folded music, whether it holds a beat or a downbeat.

Its input is the music on a time axis on which a beat has the same number of cells at every tempo,
one beat a row. So what follows each other within a beat and what repeats from beat to beat lie at
fixed distances, and music of any tempo is an example for all. Small convolutions along time take
turns with convolutions from beat to beat, so that after three rounds a cell sees six beats to both
sides: two bars and more.
"""

from __future__ import annotations

from ...config import FrontEnd
from ...errors import ConfigError
from ...network.layers import Conv, Layer, Norm
from ...network.ops import Array, Ops
from .config import BeatsConfig

N_KINDS = 2  # inputs for each pair of bands: level and onsets
N_OUT = 2  # logits of a cell: beat and downbeat
AROUND = 7  # cells of a convolution along time
BEATS_AROUND = 5  # beats of a convolution from beat to beat


class BeatsNet:
    """The beats network: from folded music to two logits a cell."""

    def __init__(self, front_end: FrontEnd, config: BeatsConfig):
        size = config.model
        n, self.dropout, self.n_rounds = size.n_channels, size.dropout, size.n_rounds
        self.layers: dict[str, Layer] = {
            "bands.0": Conv(N_KINDS * (front_end.n_mels // 2), n, (1,), (0,)),
            "bands.1": Norm(n),
        }
        for k in range(self.n_rounds):
            self.layers[f"time.{k}"] = Conv(n, n, (AROUND,), (AROUND // 2,))
            self.layers[f"time_norm.{k}"] = Norm(n)
            self.layers[f"beats.{k}"] = Conv(n, n, (BEATS_AROUND, 1), (BEATS_AROUND // 2, 0))
            self.layers[f"beats_norm.{k}"] = Norm(n)
        self.layers["out"] = Conv(n, N_OUT, (1,), (0,))

    def forward(self, ops: Ops, folds: Array) -> Array:
        """Folds (batch, n_channels, n_beats, n_phases) → (batch, N_OUT, n_beats, n_phases)."""
        n_folds, n_in, n_beats, n_phases = folds.shape
        x = ops.elu(ops.conv("bands.0", folds.reshape(n_folds, n_in, -1), norm="bands.1"))
        n = x.shape[1]
        for k in range(self.n_rounds):
            x = ops.elu(ops.conv(f"time.{k}", x, norm=f"time_norm.{k}"))
            rows = x.reshape(n_folds, n, n_beats, n_phases)
            rows = ops.elu(ops.conv(f"beats.{k}", rows, norm=f"beats_norm.{k}"))
            rows = rows.reshape(n_folds, n, n_beats * n_phases)
            x = x + ops.dropout(rows, self.dropout, channels=True)
        return ops.conv("out", x).reshape(n_folds, N_OUT, n_beats, n_phases)


def build(front_end: FrontEnd, config: BeatsConfig) -> BeatsNet:
    """Network for a configuration, without weights.

    Raises
    ------
    ConfigError
        If the front end has an odd number of bands, which cannot be paired.
    """
    if front_end.n_mels % 2:
        raise ConfigError(f"{front_end.n_mels} bands are no pairs; give an even number")
    return BeatsNet(front_end, config)
