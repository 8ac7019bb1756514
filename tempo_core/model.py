"""The tempo network, readable on one screen.

Where is the rate? Small convolutions over (band, tempo) that pool over bands only, then copies of
the result shifted by simple ratios side by side: on a logarithmic tempo axis a harmonic is a fixed
shift, so the network sees for every tempo what happens at its half, double, third and triple. All
of this is shift-equivariant: every tempo it learns helps every other.

Which octave? A small branch sees the sound (level and onset statistics of the mel bands) and the
pooled rhythm, and adds a smooth log-prior over the axis. It carries the counting convention, and is
the part to adapt to a user.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .config import FrontEnd, Model, TempoGrid
from .errors import ConfigError
from .features import N_MAPS, tempo_axis

# Tempo relations that are stacked: metrical levels in duple and triple metre.
RATIOS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 1.0, 3 / 2, 2.0, 3.0, 4.0)
NEVER = -1e4  # logit of a tempo that is not answered
N_STATISTICS = 4  # per band: mean and deviation of level and of onset strength


class TempoNet(nn.Module):
    """Periodicity map and band statistics in, one logit a tempo out."""

    def __init__(
        self,
        front_end: FrontEnd,
        grid: TempoGrid,
        model: Model,
        ratios: Sequence[float] = RATIOS,
    ):
        super().__init__()
        # Neighbouring bands are alike, so the first layer may take them in pairs.
        blocks: list[nn.Module] = [PairBands(_mean)]
        n_in, n_bands = N_MAPS, front_end.n_mels // 2
        for n_out in model.channels:
            blocks += [
                nn.Conv2d(n_in, n_out, (3, 5), padding=(1, 2)),
                nn.BatchNorm2d(n_out),
                PairBands(torch.maximum),
                nn.ELU(),  # rises steadily, so it may follow the maximum, where there is less to do
            ]
            n_in, n_bands = n_out, n_bands // 2
        self.blocks = nn.Sequential(*blocks)
        self.bands = nn.Sequential(nn.Conv2d(n_in, n_in, (n_bands, 1)), nn.ELU())
        self.shifts = [round(grid.bins_per_octave * math.log2(ratio)) for ratio in ratios]
        self.rate = nn.Sequential(
            nn.Dropout1d(model.dropout),
            nn.Conv1d(len(ratios) * n_in, model.n_rate, 1),
            nn.ELU(),
            nn.Conv1d(model.n_rate, model.n_rate, 5, padding=2),
            nn.BatchNorm1d(model.n_rate),
            nn.ELU(),
        )
        self.peak = nn.Conv1d(model.n_rate, 1, 1)
        self.timbre = nn.Sequential(
            nn.BatchNorm1d(N_STATISTICS * front_end.n_mels),
            nn.Dropout(model.dropout),
            nn.Linear(N_STATISTICS * front_end.n_mels, model.n_timbre),
            nn.ELU(),
        )
        self.prior = nn.Sequential(
            nn.Linear(model.n_timbre + 2 * model.n_rate, model.n_timbre),
            nn.ELU(),
            nn.Dropout(model.dropout),
            nn.Linear(model.n_timbre, model.n_prior),
        )
        self.n_bins = grid.n_bins

    def forward(self, periodicity: Tensor, statistics: Tensor) -> Tensor:
        """(batch, N_MAPS, n_mels, n_bins), (batch, 4 * n_mels) → logits (batch, n_bins)."""
        logits, pooled = self.find_rate(periodicity)
        return logits + self.log_prior(pooled, statistics)

    def find_rate(self, periodicity: Tensor) -> tuple[Tensor, Tensor]:
        """Map → logits without the prior (batch, n_bins), summary of the rhythm for it."""
        x = self.blocks(periodicity)  # (batch, channels, n_bands, n_bins)
        x = self.bands(x).squeeze(2)  # (batch, channels, n_bins)
        x = torch.cat([_shifted(x, s) for s in self.shifts], dim=1)  # (batch, 9 * channels, n_bins)
        x = self.rate(x)  # (batch, n_rate, n_bins)
        logits = self.peak(x).squeeze(1)  # (batch, n_bins)
        return logits, torch.cat([x.mean(dim=-1), x.amax(dim=-1)], dim=1)  # (batch, 2 * n_rate)

    def log_prior(self, pooled: Tensor, statistics: Tensor) -> Tensor:
        """Summary of the rhythm and the sound → log-prior over the axis (batch, n_bins)."""
        knots = self.prior(torch.cat([self.timbre(statistics), pooled], dim=1))  # (batch, n_prior)
        # Few knots, linearly interpolated: the prior can lean towards a region of the axis but
        # cannot draw a peak of its own.
        prior = nn.functional.interpolate(
            knots[:, None], self.n_bins, mode="linear", align_corners=True
        )
        return prior.squeeze(1)


class PairBands(nn.Module):
    """Two neighbouring bands into one; the last of an odd number is dropped.

    What `MaxPool2d((2, 1))` and its like do, which are slow at so flat a kernel.
    """

    def __init__(self, merge: Callable[[Tensor, Tensor], Tensor]):
        super().__init__()
        self.merge = merge

    def forward(self, x: Tensor) -> Tensor:
        """(..., n_bands, n_bins) → (..., n_bands // 2, n_bins)."""
        return self.merge(x[..., :-1:2, :], x[..., 1::2, :])


def _mean(a: Tensor, b: Tensor) -> Tensor:
    return (a + b) / 2


class Ensemble(nn.Module):
    """Networks trained alike from different seeds; the mean of their logits.

    What one of them happens to get wrong about an octave, the others seldom do.
    """

    def __init__(self, members: Sequence[TempoNet], grid: TempoGrid, separate: bool = False):
        super().__init__()
        self.members = nn.ModuleList(members)
        self.octave = grid.bins_per_octave  # [bins]
        self.separate = separate
        tempi = tempo_axis(grid)
        low, high = grid.answer_min, grid.answer_max
        self.register_buffer("unanswerable", (tempi < low) | (tempi > high), persistent=False)

    def forward(self, periodicity: Tensor, statistics: Tensor) -> Tensor:
        """As `TempoNet.forward`."""
        rates, priors = [], []
        for member in self.members:
            assert isinstance(member, TempoNet)
            rate, pooled = member.find_rate(periodicity)
            rates.append(rate)
            priors.append(member.log_prior(pooled, statistics))
        return self.combine(torch.stack(rates).mean(dim=0), torch.stack(priors).mean(dim=0))

    def combine(self, rate: Tensor, prior: Tensor) -> Tensor:
        """Logits without the prior and the log-prior, (batch, n_bins) both → logits.

        Kept separate, all octaves of a tempo together are as probable as the rate makes them, and
        the prior only shares that out among them.
        """
        if not self.separate:
            return rate + prior
        unanswerable = self.unanswerable
        assert isinstance(unanswerable, Tensor)

        def by_octave(x: Tensor) -> Tensor:  # → (batch, n_octaves, octave)
            return x.masked_fill(unanswerable, NEVER).unflatten(-1, (-1, self.octave))

        together = by_octave(rate).logsumexp(dim=-2, keepdim=True)
        return (together + by_octave(rate + prior).log_softmax(dim=-2)).flatten(-2)


def build(front_end: FrontEnd, grid: TempoGrid, model: Model) -> Ensemble:
    """The untrained network of a configuration.

    Raises
    ------
    ConfigError
        If octaves are to be kept separate on an axis that is not a whole number of them.
    """
    if model.separate_octave and grid.n_bins % grid.bins_per_octave:
        raise ConfigError(
            f"{grid.n_bins} bins are not a whole number of octaves of {grid.bins_per_octave}"
        )
    members = [TempoNet(front_end, grid, model) for _ in range(model.n_members)]
    return Ensemble(members, grid, model.separate_octave)


def band_statistics(compressed: Tensor, onsets: Tensor) -> Tensor:
    """(..., n_mels, n_frames) twice → (..., 4 * n_mels): what the sound is like, without rhythm."""
    parts = [compressed.mean(-1), compressed.std(-1), onsets.mean(-1), onsets.std(-1)]
    return torch.cat(parts, dim=-1)


def _shifted(x: Tensor, shift: int) -> Tensor:
    """`x[..., k + shift]` at position k; zero where that is off the axis."""
    if shift >= 0:
        return nn.functional.pad(x[..., shift:], (0, shift))
    return nn.functional.pad(x[..., :shift], (-shift, 0))
