"""What the pace network learns from: its loss, and what the notes say beside the answer."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from tempo_core.config import FrontEnd
from tempo_core.network.layers import Linear
from tempo_core.network.ops import Array, Ops
from tempo_core.tasks.pace.config import PaceConfig
from tempo_core.tasks.pace.network import PaceNet

N_EVIDENCE = 2  # numbers of `trainer.synthesis.paces.evidence`
SMALL_ERROR = 0.3  # of evidence; larger errors count linearly, for notes are not all that is heard


class TaughtPaceNet(PaceNet):
    """The pace network in training, which also tells the evidence of each fold.

    Whether a pace is compatible is one bit, and says nothing of how near the threshold it was. The
    layer for the evidence is no part of the model: `tempo_core.tasks.pace.network` is without it.
    """

    def __init__(self, front_end: FrontEnd, config: PaceConfig):
        super().__init__(front_end, config)
        self.layers.pop("judge.ratio", None)  # calibration sets it
        self.layers["evidence"] = Linear(config.model.n_hidden, N_EVIDENCE)

    def forward(self, ops: Ops, folds: Array, context: Array) -> Array:
        """Folds and context as in `PaceNet.forward` → logit and evidence (batch, 3)."""
        hidden = self.weigh(ops, ops.cat([self.rhythm(ops, folds), context], 1))
        return ops.cat([ops.linear("judge.3", hidden), ops.linear("evidence", hidden)], 1)


def loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross entropy of logits (batch,) against targets (batch,) in 0..1."""
    return binary_cross_entropy_with_logits(logits, targets)


def evidence_loss(found: Tensor, evidence: Tensor) -> Tensor:
    """Error of the evidence found (batch, 2), mean of the batch; NaN is unknown."""
    known = ~torch.isnan(evidence)
    errors = smooth_l1_loss(found[known], evidence[known], reduction="sum", beta=SMALL_ERROR)
    return errors / len(evidence)
