"""Tests of the loss and the measures of the tempo network."""

from __future__ import annotations

import math

import numpy as np
import torch

from tempo_core.tasks.tempo.axis import answerable
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.decode import encode
from trainer.tasks.tempo import loss

CONFIG = TempoConfig()
GRID = CONFIG.grid


def targets(readings: list[tuple[float, float]]) -> torch.Tensor:
    """A batch of one target, (1, MAX_READINGS, n_bins)."""
    return torch.from_numpy(encode(readings, CONFIG))[None]


def test_sure_labels_decide_the_octave_of_open_ones() -> None:
    """An open label pulls towards the reading that the network already prefers."""
    logits = (4 * targets([(160.0, 0.8), (80.0, 0.2)])[0].sum(dim=0)).clone().requires_grad_()
    masked = logits.masked_fill(torch.from_numpy(~answerable(GRID)), -torch.inf)
    loss(masked[None], targets([(80.0, 0.5), (160.0, 0.5)])).backward()
    assert logits.grad is not None
    k80, k160 = (round(36 * math.log2(bpm / 20)) for bpm in (80, 160))
    assert logits.grad[k160] < logits.grad[k80] < 0


def test_the_loss_is_least_at_the_label() -> None:
    right, wrong = (
        float(loss(targets([(bpm, 1.0)])[0].sum(dim=0).clamp_min(1e-9).log()[None], target))
        for bpm, target in ((120.0, targets([(120.0, 1.0)])), (126.0, targets([(120.0, 1.0)])))
    )
    assert right < wrong
    assert np.isfinite(wrong)
