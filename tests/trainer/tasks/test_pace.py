"""Tests of the loss and the measures of the pace network."""

from __future__ import annotations

import torch

from tempo_core.tasks.pace.row import encode
from trainer.tasks.pace import evidence_loss, loss


def test_the_loss_is_least_at_the_label() -> None:
    targets = torch.from_numpy(encode([1.0, 0.0]))
    assert loss(torch.tensor([9.0, -9.0]), targets) < 0.01
    assert loss(torch.tensor([-9.0, 9.0]), targets) > 8


def test_unknown_evidence_teaches_nothing() -> None:
    known = torch.tensor([[1.5, torch.nan], [torch.nan, 0.4], [torch.nan, torch.nan]])
    found = torch.tensor([[1.5, 9.0], [9.0, 0.4], [9.0, 9.0]], requires_grad=True)
    error = evidence_loss(found, known)
    assert error.item() == 0
    (evidence_loss(found + 0.1, known)).backward()
    assert found.grad is not None
    assert (found.grad > 0).tolist() == [[True, False], [False, True], [False, False]]
