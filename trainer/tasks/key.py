"""The loss of the key network."""

from __future__ import annotations

import torch
from torch import Tensor


def loss(logits: Tensor, targets: Tensor, smoothing: float = 0.05) -> Tensor:
    """Cross entropy of logits (batch, 24) against the numbers of the keys (batch,).

    Targets may also be probabilities (batch, 24), for what has no key.
    `smoothing` is the share of certainty that is spread over all keys: labels of keys are opinions.
    """
    return torch.nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing)
