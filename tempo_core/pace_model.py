"""The pace network, readable on one screen: can one move to this at that tempo?

It sees the music folded at the tempo, one beat a row ("two-dimensional time"). At a tempo that the
music has, the rows are alike and onsets stand in columns; at half of it there are two columns, at
double of it every other row is empty, at 3/2 of it the columns move from row to row. So small
convolutions look at beat and phase, each row is compared with those one to four beats on, and what
is left is averaged over all beats. Phases are a circle, since nobody knows where the beat is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .config import FrontEnd, PaceModel
from .errors import ConfigError
from .tasks.pace import N_CONTEXT

N_KINDS = 2  # of input for each pair of bands: level and onsets
LAGS = (1, 2, 3, 4)  # [beats] between rows that are compared: groups in duple and triple metre


class PaceNet(nn.Module):
    """Folded music and context in, one logit a fold out."""

    def __init__(self, front_end: FrontEnd, model: PaceModel):
        super().__init__()
        n = model.n_channels
        self.bands = nn.Sequential(
            nn.Conv1d(N_KINDS * (front_end.n_mels // 2), n, 1), nn.BatchNorm1d(n), nn.ELU()
        )
        self.time = nn.Sequential(nn.Conv1d(n, n, 5, padding=2), nn.BatchNorm1d(n), nn.ELU())
        self.beats = nn.Sequential(
            nn.Conv2d(n, n, 3, padding=1, padding_mode="circular"), nn.BatchNorm2d(n), nn.ELU()
        )
        self.phases = nn.Sequential(
            nn.Conv1d(n * (2 + len(LAGS)), model.n_hidden, 3, padding=1, padding_mode="circular"),
            nn.BatchNorm1d(model.n_hidden),
            nn.ELU(),
            nn.Dropout1d(model.dropout),
            nn.Conv1d(model.n_hidden, model.n_hidden, 5, padding=2, padding_mode="circular"),
            nn.BatchNorm1d(model.n_hidden),
            nn.ELU(),
        )
        self.judge = nn.Sequential(
            nn.Linear(2 * model.n_hidden + model.n_context, model.n_hidden),
            nn.ELU(),
            nn.Dropout(model.dropout),
            nn.Linear(model.n_hidden, 1),
        )

    def forward(self, folds: Tensor, context: Tensor) -> Tensor:
        """(batch, 2 * n_mels / 2, n_beats, n_phases), (batch, n_context) → logits (batch,)."""
        return self.judge(torch.cat([self.rhythm(folds), context], dim=1)).squeeze(1)

    def rhythm(self, folds: Tensor) -> Tensor:
        """What the folds look like, (batch, 2 * n_hidden)."""
        x = self.time(self.bands(folds.flatten(2)))  # (batch, n, n_beats * n_phases)
        x = self.beats(x.unflatten(2, folds.shape[2:]))  # (batch, n, n_beats, n_phases)
        rows = [x.mean(dim=2), x.amax(dim=2)]
        lags = [min(k, x.shape[2] - 1) for k in LAGS]  # a short track has as few as four beats
        rows += [(x[:, :, k:] - x[:, :, :-k]).abs().mean(dim=2) for k in lags]
        x = self.phases(torch.cat(rows, dim=1))  # (batch, n_hidden, n_phases)
        return torch.cat([x.mean(dim=2), x.amax(dim=2)], dim=1)


def build(front_end: FrontEnd, model: PaceModel) -> PaceNet:
    """The untrained network of a configuration.

    Raises
    ------
    ConfigError
        If the front end has an odd number of bands, which cannot be taken in pairs, or the context
        is of another size than `tasks.pace.context` makes it.
    """
    if model.n_context != N_CONTEXT:
        raise ConfigError(f"PaceModel.n_context is {model.n_context}; {N_CONTEXT} is needed")
    if front_end.n_mels % 2:
        raise ConfigError(f"{front_end.n_mels} bands are no pairs; give an even number")
    return PaceNet(front_end, model)
