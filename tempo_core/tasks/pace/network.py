"""The pace network: how probable it is that one can move to music at a candidate tempo.

Its input is the music folded at the tempo, one beat a row. At a tempo that the music has, the rows
are alike and onsets form columns; at half of it there are two columns, at double every other row is
empty, at 3/2 the columns move from row to row. So small convolutions look at beat and phase, each
row is compared with those one to four beats later, and the result is averaged over all beats. The
phase axis is circular, because it is not known where the beat begins. Whether one of two columns
has the accent, and whether anything is between them, shows only when they are put side by side:
copies turned by halves, thirds and quarters of a beat are.
"""

from __future__ import annotations

from ...config import FrontEnd
from ...errors import ConfigError
from ...levels import RELATIONS
from ...network.layers import Conv, Layer, Linear, Norm
from ...network.ops import Array, Ops
from .config import PaceConfig

N_KINDS = 2  # inputs for each pair of bands: level and onsets
LAGS = (1, 2, 3, 4)  # [beats] between rows that are compared, for duple and triple metre
TURNS = (1 / 2, 1 / 3, 2 / 3, 1 / 4, 3 / 4)  # [beats] between phases that are compared


class PaceNet:
    """The pace network: from folded music and context to one logit per fold."""

    def __init__(self, front_end: FrontEnd, config: PaceConfig):
        size = config.model
        n, n_hidden, self.dropout = size.n_channels, size.n_hidden, size.dropout
        self.turns = (0.0, *TURNS) if size.turned else (0.0,)
        self.layers: dict[str, Layer] = {
            "bands.0": Conv(N_KINDS * (front_end.n_mels // 2), n, (1,), (0,)),
            "bands.1": Norm(n),
            "time.0": Conv(n, n, (5,), (2,)),
            "time.1": Norm(n),
            "beats.0": Conv(n, n, (3, 3), (1, 1), circular=True),
            "beats.1": Norm(n),
            "phases.0": Conv(n * (2 + len(LAGS)), n_hidden, (3,), (1,), circular=True),
            "phases.1": Norm(n_hidden),
            "phases.4": Conv(n_hidden * len(self.turns), n_hidden, (5,), (2,), circular=True),
            "phases.5": Norm(n_hidden),
            "judge.0": Linear(2 * n_hidden + size.n_context, n_hidden),
            "judge.3": Linear(n_hidden, 1),
        }
        self.ratios = slice(0, 0)  # where the input of `judge` has the ratio to the headline
        if size.by_ratio:
            self.ratios = slice(2 * n_hidden, 2 * n_hidden + len(RELATIONS))
            self.layers["judge.ratio"] = Linear(len(RELATIONS), 1)

    def forward(self, ops: Ops, folds: Array, context: Array) -> Array:
        """Folds (batch, n_mels, n_beats, n_phases), context (batch, n_context) → logits (batch)."""
        return self.judge(ops, ops.cat([self.rhythm(ops, folds), context], 1))

    def rhythm(self, ops: Ops, folds: Array) -> Array:
        """Folds (batch, n_mels, n_beats, n_phases) → summary of them (batch, 2 * n_hidden)."""
        n_folds, n_bands, n_beats, n_phases = folds.shape
        x = folds.reshape(n_folds, n_bands, n_beats * n_phases)
        x = ops.elu(ops.conv("bands.0", x, norm="bands.1"))
        x = ops.elu(ops.conv("time.0", x, norm="time.1"))
        x = x.reshape(n_folds, x.shape[1], n_beats, n_phases)
        x = ops.elu(ops.conv("beats.0", x, norm="beats.1"))
        rows = [ops.mean(x, 2), ops.max(x, 2)]
        lags = [min(k, n_beats - 1) for k in LAGS]  # a short track has as few as four beats
        rows += [ops.mean(abs(x[:, :, k:] - x[:, :, :-k]), 2) for k in lags]
        x = ops.elu(ops.conv("phases.0", ops.cat(rows, 1), norm="phases.1"))
        x = ops.dropout(x, self.dropout, channels=True)
        steps = [round(turn * n_phases) for turn in self.turns]
        x = ops.cat([ops.cat([x[:, :, k:], x[:, :, :k]], 2) for k in steps], 1)
        x = ops.elu(ops.conv("phases.4", x, norm="phases.5"))  # (batch, n_hidden, n_phases)
        return ops.cat([ops.mean(x, 2), ops.max(x, 2)], 1)

    def judge(self, ops: Ops, seen: Array) -> Array:
        """Summary of folds and context, (batch, 2 * n_hidden + n_context) → logits (batch,).

        This part is fitted to the paces that a user states.
        """
        logits = ops.linear("judge.3", self.weigh(ops, seen))
        if self.ratios.stop:
            logits = logits + ops.linear("judge.ratio", seen[:, self.ratios])
        return logits[:, 0]

    def weigh(self, ops: Ops, seen: Array) -> Array:
        """The layer before the last, (batch, 2 * n_hidden + n_context) → (batch, n_hidden)."""
        return ops.dropout(ops.elu(ops.linear("judge.0", seen)), self.dropout)


def build(front_end: FrontEnd, config: PaceConfig) -> PaceNet:
    """Network for a configuration, without weights.

    Raises
    ------
    ConfigError
        If the front end has an odd number of bands, which cannot be paired.
    """
    if front_end.n_mels % 2:
        raise ConfigError(f"{front_end.n_mels} bands are no pairs; give an even number")
    return PaceNet(front_end, config)
