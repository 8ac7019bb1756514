"""Tests of the loss and the measures of the pace network."""

from __future__ import annotations

import torch

from tempo_core.tasks.pace.row import encode
from trainer.tasks.pace import loss


def test_the_loss_is_least_at_the_label() -> None:
    targets = torch.from_numpy(encode([1.0, 0.0]))
    assert loss(torch.tensor([9.0, -9.0]), targets) < 0.01
    assert loss(torch.tensor([-9.0, 9.0]), targets) > 8
