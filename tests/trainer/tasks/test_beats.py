"""Tests of the loss of the beats network."""

from __future__ import annotations

import numpy as np
import torch

from tempo_core.tasks.beats.bars import BARS
from trainer.making.beat_tracks import beat_targets
from trainer.tasks.beats import bar_scores, loss

N_BEATS, N_PHASES = 16, 24


def targets(phase: float) -> torch.Tensor:
    positions = np.arange(N_BEATS) + phase
    return torch.from_numpy(beat_targets(positions, N_BEATS, N_PHASES)[None])


def test_the_loss_is_least_at_the_label() -> None:
    right, wrong = targets(0.3), targets(0.8)
    logits = torch.zeros(1, 2, N_BEATS, N_PHASES)
    logits[:, 0] = torch.log(right + 1e-6)
    logits[:, 1, 2::4] = 9.0
    bars = torch.zeros(1, len(BARS))
    bars[0, BARS.index((4, 2))] = 1.0
    good = loss(logits, right, bars)
    assert loss(logits, wrong, bars) > good + 5
    other = torch.zeros_like(bars)
    other[0, BARS.index((3, 0))] = 1.0
    assert loss(logits, right, other) > good + 5


def test_what_is_not_known_teaches_nothing() -> None:
    beats = targets(0.3)
    beats[:, ::2] = 0.0
    logits = torch.zeros(1, 2, N_BEATS, N_PHASES, requires_grad=True)
    loss(logits, beats, torch.zeros(1, len(BARS))).backward()
    assert logits.grad is not None
    assert not logits.grad[:, 1].any()  # bars are not known
    rows = logits.grad[0, 0].abs().sum(dim=1)
    assert (rows[1::2] > rows[::2]).all()  # a row without a beat only counts in the mean


def test_every_way_to_count_bars_is_found() -> None:
    for k, (length, first) in enumerate(BARS):
        down = torch.zeros(1, N_BEATS)
        down[0, first::length] = 3.0
        assert int(bar_scores(down).argmax()) == k
