"""Loss of the beats task."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tempo_core.tasks.beats.bars import BARS

POOLED_SCALE = 2.0  # of the mean logits of all rows, which are to be surer than those of one


def loss(logits: Tensor, beats: Tensor, bars: Tensor) -> Tensor:
    """Cross-entropy of where the beat is in each row and in all together, and of the bar.

    Parameters
    ----------
    logits
        (n, 2, n_beats, n_phases), of beats and of downbeats.
    beats
        (n, n_beats, n_phases) distribution of the beat in each row; zeros where there is none.
    bars
        (n, n_bars) distribution over `BARS`; zeros where it is not known.
    """
    beat, down = logits[:, 0], logits[:, 1]
    known = beats.sum(dim=2)  # (n, n_beats), 1 or 0
    rows = -(beats * F.log_softmax(beat, dim=2)).sum() / known.sum()
    mean = beats.sum(dim=1) / known.sum(dim=1, keepdim=True)
    pooled = -(mean * F.log_softmax(POOLED_SCALE * beat.mean(dim=1), dim=1)).sum(dim=1).mean()
    scores = bar_scores((beats * down).sum(dim=2))
    of_bars = -(bars * F.log_softmax(scores, dim=1)).sum() / bars.sum().clamp(min=1)
    return rows + pooled + of_bars


def bar_scores(down: Tensor) -> Tensor:
    """(n, n_beats) logits of downbeats → (n, n_bars) score of each way to count bars."""
    places = torch.arange(down.shape[1])
    scores = []
    for length, first in BARS:
        begins = places % length == first
        scores.append(down[:, begins].mean(dim=1) - down[:, ~begins].mean(dim=1))
    return torch.stack(scores, dim=1)
