"""The loss of the tempo network."""

from __future__ import annotations

import torch
from torch import Tensor


def loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy of logits (batch, n_bins) against targets (batch, MAX_READINGS, n_bins).

    How much each reading of an open label counts follows from its weight and from how probable the
    network finds it: what it has learned from sure labels decides the octave of the others
    (expectation-maximisation over partial labels). The logits of unanswerable bins are -inf.
    """
    log_scores = logits.log_softmax(dim=-1)
    with torch.no_grad():
        share = (targets * log_scores.exp()[:, None]).sum(dim=-1)  # (batch, MAX_READINGS)
        share = share + 1e-9 * targets.sum(dim=-1)  # a hopeless label still has a direction
        share = share / share.sum(dim=-1, keepdim=True)
        bumps = targets / targets.sum(dim=-1, keepdim=True).clamp_min(1e-12)
        expected = (share[..., None] * bumps).sum(dim=1)  # (batch, n_bins)
    return -(expected * log_scores.clamp_min(-30.0)).sum(dim=-1).mean()
