"""The loss of the pace network."""

from __future__ import annotations

import torch
from torch import Tensor


def loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross entropy of logits (batch,) against targets (batch,) in 0..1."""
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
