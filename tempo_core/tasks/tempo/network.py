"""The tempo network: the rate of the pulse, and a prior over its octaves.

The rate is found by small convolutions over (band, tempo) that pool over bands only. Then copies of
the result, shifted by simple ratios, are put side by side: on a logarithmic tempo axis a harmonic
is a fixed shift, so the network sees for every tempo what happens at its half, double, third and
triple. All of this is shift-equivariant: what is learned at one tempo holds at all others.

The octave is chosen by a small branch that sees the sound (level and onset statistics of the mel
bands) and a summary of the rhythm, and adds a smooth log-prior over the axis. It holds the
convention by which people count, and is the part that is adapted to a user.

A model that was adapted to a user may count by genre, too. It then has a second branch, for tracks
whose genre is known, and a curve for each genre, which is added to the prior. What that branch
hears is what the genre leaves open; a track of unknown genre is counted by its sound, as ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ...config import FrontEnd
from ...errors import ConfigError
from ...levels import HARMONICS
from ...network.layers import Conv, Layer, Linear, Norm, under
from ...network.ops import Array, Ops
from .axis import tempo_axis
from .config import TempoConfig
from .periodicity import N_MAPS, N_STATISTICS

NEVER = -1e4  # logit of tempi that are never answered
MEMBERS, BY_GENRE = "members", "by_genre"  # parts with a branch for each member, see `log_prior`
BRANCH = ("timbre.", "prior.")  # beginnings of the names of the layers of a member's branch
GENRES = "genres"  # the layer with the curve of each genre


class Member:
    """One network of the ensemble: periodicity map and band statistics → a logit per tempo."""

    def __init__(
        self, front_end: FrontEnd, config: TempoConfig, ratios: Sequence[float] = HARMONICS
    ):
        size, grid = config.model, config.grid
        self.n_blocks, self.dropout, self.n_bins = len(size.channels), size.dropout, grid.n_bins
        self.shifts = [round(grid.bins_per_octave * math.log2(ratio)) for ratio in ratios]
        # Neighbouring bands are alike, so the first layer takes them in pairs.
        n_in, n_bands = N_MAPS, front_end.n_mels // 2
        layers: dict[str, Layer] = {}
        for k, n_out in enumerate(size.channels):
            layers[f"blocks.{4 * k + 1}"] = Conv(n_in, n_out, (3, 5), (1, 2))
            layers[f"blocks.{4 * k + 2}"] = Norm(n_out)
            n_in, n_bands = n_out, n_bands // 2
        layers["bands.0"] = Conv(n_in, n_in, (n_bands, 1), (0, 0))
        layers["rate.1"] = Conv(len(ratios) * n_in, size.n_rate, (1,), (0,))
        layers["rate.3"] = Conv(size.n_rate, size.n_rate, (5,), (2,))
        layers["rate.4"] = Norm(size.n_rate)
        layers["peak"] = Conv(size.n_rate, 1, (1,), (0,))
        layers["timbre.0"] = Norm(N_STATISTICS * front_end.n_mels)
        layers["timbre.2"] = Linear(N_STATISTICS * front_end.n_mels, size.n_timbre)
        layers["prior.0"] = Linear(size.n_timbre + 2 * size.n_rate, size.n_timbre)
        layers["prior.3"] = Linear(size.n_timbre, size.n_prior)
        self.layers = layers

    def forward(self, ops: Ops, periodicity: Array, statistics: Array) -> Array:
        """Inputs of the network → logits (batch, n_bins).

        The inputs are maps (batch, N_MAPS, n_mels, n_bins) and statistics (batch, 4 * n_mels).
        """
        logits, pooled = self.find_rate(ops, periodicity)
        return logits + self.log_prior(ops, pooled, statistics)

    def find_rate(self, ops: Ops, periodicity: Array) -> tuple[Array, Array]:
        """Map → logits without the prior (batch, n_bins), rhythm summary (batch, 2 * n_rate)."""
        x = pair_bands(periodicity, lambda a, b: (a + b) / 2)
        for k in range(self.n_blocks):
            x = ops.conv(f"blocks.{4 * k + 1}", x, norm=f"blocks.{4 * k + 2}")
            # ELU is monotonic, so it can follow the maximum, where there are fewer values.
            x = ops.elu(pair_bands(x, ops.maximum))  # (batch, channels, n_bands, n_bins)
        x = ops.elu(ops.conv("bands.0", x))[:, :, 0]  # (batch, channels, n_bins)
        x = ops.cat([ops.shift(x, places) for places in self.shifts], 1)  # 9 * channels
        x = ops.elu(ops.conv("rate.1", ops.dropout(x, self.dropout, channels=True)))
        x = ops.elu(ops.conv("rate.3", x, norm="rate.4"))  # (batch, n_rate, n_bins)
        logits = ops.conv("peak", x)[:, 0]  # (batch, n_bins)
        return logits, ops.cat([ops.mean(x, -1), ops.max(x, -1)], 1)  # (batch, 2 * n_rate)

    def log_prior(self, ops: Ops, pooled: Array, statistics: Array) -> Array:
        """Rhythm summary and band statistics → log-prior over the axis (batch, n_bins)."""
        sound = ops.dropout(ops.norm("timbre.0", statistics), self.dropout)
        sound = ops.elu(ops.linear("timbre.2", sound))
        x = ops.elu(ops.linear("prior.0", ops.cat([sound, pooled], 1)))
        knots = ops.linear("prior.3", ops.dropout(x, self.dropout))  # (batch, n_prior)
        # Few knots, linearly interpolated: the prior can favour a region of the axis but cannot
        # make a peak of its own.
        return ops.interpolate(knots, self.n_bins)


def pair_bands(x: Array, merge: Callable[[Array, Array], Array]) -> Array:
    """Neighbouring bands merged in pairs: (..., n_bands, n_bins) → (..., n_bands // 2, n_bins).

    The last band of an odd number is dropped.
    """
    return merge(x[..., :-1:2, :], x[..., 1::2, :])


class Ensemble:
    """Networks that were trained alike from different seeds, and the mean of their logits.

    The errors of one network about the octave are seldom shared by the others.
    """

    def __init__(self, front_end: FrontEnd, config: TempoConfig):
        self.member = Member(front_end, config)  # the members differ in their weights only
        self.n_members = config.model.n_members
        self.layers: dict[str, Layer] = {}
        for k in range(self.n_members):
            self.layers.update(under(f"{MEMBERS}.{k}", self.member.layers))
        if config.genres:
            branch = {n: x for n, x in self.member.layers.items() if n.startswith(BRANCH)}
            for k in range(self.n_members):
                self.layers.update(under(f"{BY_GENRE}.{k}", branch))
            self.layers[GENRES] = Linear(len(config.genres), config.model.n_prior)
        self.octave = config.grid.bins_per_octave  # [bins]
        self.separate = config.model.separate_octave
        tempi = tempo_axis(config.grid)
        low, high = config.grid.answer_min, config.grid.answer_max
        self.unanswerable = (tempi < low) | (tempi > high)

    def forward(
        self, ops: Ops, periodicity: Array, statistics: Array, genres: Array | None = None
    ) -> Array:
        """Inputs as of `Member.forward` and genres → logits (batch, n_bins).

        `genres` (batch, 1 + n_genres) are those of `tempo_core.genres.membership`; None is a track
        of unknown genre.
        """
        rates, pooled = [], []
        for k in range(self.n_members):
            rate, summary = self.member.find_rate(ops.at(f"{MEMBERS}.{k}"), periodicity)
            rates.append(rate)
            pooled.append(summary)
        prior = self.prior(ops, pooled, statistics, genres)
        return self.combine(ops, ops.mean(ops.stack(rates), 0), prior)

    def prior(
        self, ops: Ops, pooled: Sequence[Array], statistics: Array, genres: Array | None = None
    ) -> Array:
        """Rhythm summary of each member, statistics and genres → log-prior (batch, n_bins)."""
        heard = self.log_prior(ops, MEMBERS, pooled, statistics)
        if genres is None:
            return heard
        known = genres[:, :1]
        by_genre = self.log_prior(ops, BY_GENRE, pooled, statistics)
        by_genre = by_genre + self.curves(ops, genres[:, 1:])
        return (1 - known) * heard + known * by_genre

    def log_prior(self, ops: Ops, part: str, pooled: Sequence[Array], statistics: Array) -> Array:
        """Mean log-prior (batch, n_bins) of the branches of one part, `MEMBERS` or `BY_GENRE`."""
        priors = [
            self.member.log_prior(ops.at(f"{part}.{k}"), pooled[k], statistics)
            for k in range(self.n_members)
        ]
        return ops.mean(ops.stack(priors), 0)

    def curves(self, ops: Ops, genres: Array) -> Array:
        """Genres (batch, n_genres) → the sum of their curves (batch, n_bins)."""
        return ops.interpolate(ops.linear(GENRES, genres), self.n_bins)

    def combine(self, ops: Ops, rate: Array, prior: Array) -> Array:
        """Logits without the prior and log-prior, both (batch, n_bins) → logits (batch, n_bins).

        If `separate_octave` is set, the octaves of a tempo together have the probability that the
        rate gives them, and the prior only divides it among them.
        """
        if not self.separate:
            return rate + prior

        def by_octave(x: Array) -> Array:  # → (batch, n_octaves, octave)
            return ops.masked(x, self.unanswerable, NEVER).reshape(len(x), -1, self.octave)

        together = ops.logsumexp(by_octave(rate), -2)
        both = by_octave(rate + prior)
        return (together + both - ops.logsumexp(both, -2)).reshape(len(rate), self.n_bins)

    @property
    def n_bins(self) -> int:
        """Number of bins of the tempo axis."""
        return self.member.n_bins


def build(front_end: FrontEnd, config: TempoConfig) -> Ensemble:
    """Network for a configuration, without weights.

    Raises
    ------
    ConfigError
        If `separate_octave` is set and the axis is not a whole number of octaves long.
    """
    grid = config.grid
    if config.model.separate_octave and grid.n_bins % grid.bins_per_octave:
        raise ConfigError(
            f"{grid.n_bins} bins are not a whole number of octaves of {grid.bins_per_octave}"
        )
    return Ensemble(front_end, config)
