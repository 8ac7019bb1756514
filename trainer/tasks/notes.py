"""The loss of the notes network."""

from __future__ import annotations

import torch
from torch import Tensor

ONSET_WEIGHT = 2.0  # of the loss of onsets, relative to that of frames
RARE = 2.0  # weight of an onset, relative to that of its absence, which is the rule


def loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy of logits (batch, 2, n_frames, 88) against targets 0..1 of the same shape.

    It is a sum over pitches, and a mean over frames.
    """
    weights = torch.tensor([RARE, 1.0])[:, None, None]
    each = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, targets, reduction="none", pos_weight=weights
    )
    onsets, frames = each.sum(-1).mean((0, 2))
    return ONSET_WEIGHT * onsets + frames
