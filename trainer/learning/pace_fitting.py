"""How `paces` fits the last layers of the pace network to the paces that somebody stated.

What a rhythm looks like stays as it was learned, and the weights are held near where they were, so
that a few dozen tracks are enough and nothing else is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from tempo_core.model import Checkpoint
from tempo_core.network import Network
from tempo_core.paces import COMPATIBLE
from tempo_core.task import Batch
from tempo_core.tasks.pace.config import PaceConfig
from tempo_core.tasks.pace.network import PaceNet
from tempo_core.tasks.pace.row import activate

from ..inputs.pace_tracks import Case, batches, probabilities
from ..tasks.pace import loss
from ..torch_ops import learnable, usable
from .job import WHAT_IS_KEPT, Job

STEPS, LEARNING_RATE = 300, 1e-3
ANCHOR = 0.3  # weight of the squared distance from the weights before


@dataclass(frozen=True)
class PaceFigures:
    """Figures of candidates: the share that is judged right, and the mean cross entropy."""

    accuracy: float
    surprise: float


@dataclass(frozen=True)
class FrozenFolds:
    """A track's inputs of the last layers, (n_folds, n_inputs) a batch, and what they should give.

    `targets` are (n_candidates,).
    """

    batches: tuple[Batch, ...]
    targets: NDArray[np.float64]


def freeze(case: Case, model: Checkpoint[PaceConfig]) -> FrozenFolds:
    """Run the layers whose weights stay on a track with stated paces."""
    network = model.network
    definition = _definition(network)
    found = []
    for batch in batches(case, model):
        folds, known = batch.inputs
        inputs = np.concatenate([definition.rhythm(network.ops, folds), known], axis=1)
        found.append(replace(batch, inputs=(inputs,)))
    return FrozenFolds(tuple(found), case.targets)


def fit(
    tracks: Sequence[FrozenFolds], base: Checkpoint[PaceConfig], job: Job
) -> Checkpoint[PaceConfig]:
    """The model with its last layers fitted to the candidates of tracks.

    Raises
    ------
    Stopped
        If the run was to stop.
    """
    definition, network = _definition(base.network), learnable(base.network)
    judge = [p for name, p in network.named_parameters() if name.startswith("judge.")]
    anchor = [p.detach().clone() for p in judge]
    for weights in judge:
        weights.requires_grad_(True)
    folds = [(batch, track.targets[batch.which]) for track in tracks for batch in track.batches]
    inputs = torch.from_numpy(np.concatenate([batch.inputs[0] for batch, _ in folds]))
    targets = torch.from_numpy(np.concatenate([known for _, known in folds])).float()
    optimiser = torch.optim.Adam(judge, LEARNING_RATE)
    for _ in range(STEPS):
        job.check_going_on(WHAT_IS_KEPT)
        errors = loss(definition.judge(network.ops, inputs) / base.temperature, targets)
        apart = sum(
            ((p - a).square().sum() for p, a in zip(judge, anchor, strict=True)),
            start=torch.zeros(()),
        )
        optimiser.zero_grad()
        (errors + ANCHOR / len(tracks) * apart).backward()
        optimiser.step()
    return replace(base, network=usable(network))


def judge(track: FrozenFolds, model: Checkpoint[PaceConfig]) -> NDArray[np.float64]:
    """(n_candidates,) probabilities that one can move to a track at each candidate."""
    network = model.network
    last_layers = _definition(network).judge
    scored = [
        (batch, activate(last_layers(network.ops, *batch.inputs), model.config, model.temperature))
        for batch in track.batches
    ]
    return probabilities(scored, len(track.targets))


def figures(parts: Sequence[NDArray[np.float64]], targets: NDArray[np.float64]) -> PaceFigures:
    """The figures of probabilities, in parts, against targets (n_candidates,) in 0..1."""
    p = np.clip(np.concatenate(parts), 1e-4, 1 - 1e-4)
    right = (p >= COMPATIBLE) == (targets >= 0.5)
    surprise = -np.where(targets >= 0.5, np.log(p), np.log(1 - p))
    return PaceFigures(float(right.mean()), float(surprise.mean()))


def _definition(network: Network) -> PaceNet:
    assert isinstance(network.definition, PaceNet)
    return network.definition
