"""The loss of the tempo network."""

from __future__ import annotations

import torch
from torch import Tensor


def loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy of logits (batch, n_bins) against targets (batch, MAX_READINGS, n_bins).

    Each reading of a label with an uncertain octave is weighted by its own weight and by the
    probability that the network gives it. So what the network has learned from sure labels decides
    the octave of the others (expectation-maximisation over partial labels). Logits of bins that
    cannot be answered are -inf.
    """
    log_scores = logits.log_softmax(dim=-1)
    with torch.no_grad():
        share = (targets * log_scores.exp()[:, None]).sum(dim=-1)  # (batch, MAX_READINGS)
        share = share + 1e-9 * targets.sum(dim=-1)  # a very improbable label has a gradient, too
        share = share / share.sum(dim=-1, keepdim=True)
        bumps = targets / targets.sum(dim=-1, keepdim=True).clamp_min(1e-12)
        expected = (share[..., None] * bumps).sum(dim=1)  # (batch, n_bins)
    return -(expected * log_scores.clamp_min(-30.0)).sum(dim=-1).mean()
