"""How the notes network is trained: random stretches of annotated recordings, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from tempo_core.config import NotesFrontEnd
from tempo_core.tasks.notes.config import NotesConfig

from ..inputs.annotated import Annotated, batch
from ..tasks.notes import loss
from ..torch_ops import Learnable

SELDOM = -4.0  # first logit of the answers: nearly all pitches are silent nearly always


@dataclass(frozen=True)
class NoteRecipe:
    """How long and how fast a network learns.

    `n_frames` are those of an example; `average` is the decay of the moving average of the weights
    that is kept; `warm_up` the share of the steps in which the learning rate rises. With `half`
    the network computes in bfloat16, which takes half the time on processors that can (the weights
    stay float32).
    """

    steps: int
    learning_rate: float = 6e-3
    batch: int = 8
    n_frames: int = 128
    weight_decay: float = 1e-3
    average: float = 0.99
    warm_up: float = 0.04
    half: bool = True
    seed: int = 0


def begin(network: Learnable) -> Learnable:
    """A fresh network that takes every pitch to be silent."""
    with torch.no_grad():
        network.get_submodule("answers").get_parameter("bias").fill_(SELDOM)
    return network


def fit(
    network: Learnable,
    recordings: Sequence[Annotated],
    front_end: NotesFrontEnd,
    config: NotesConfig,
    recipe: NoteRecipe,
    after_step: Callable[[int, float], None] = lambda step, loss: None,
) -> Learnable:
    """Train a network; the result has the moving average of its weights.

    Parameters
    ----------
    after_step
        Called with the number of the step, from 1, and its loss; it may raise to end the run.
    """
    rng = np.random.default_rng(recipe.seed)
    torch.manual_seed(recipe.seed)  # of the dropout
    shown = replace(config, n_frames=recipe.n_frames, margin=0)
    network.train().requires_grad_(True)
    optimizer = torch.optim.AdamW(
        network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    average = torch.optim.swa_utils.AveragedModel(
        network,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average),
        use_buffers=True,
    )
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * _share(step / recipe.steps, recipe.warm_up)
        seen, target = batch(recordings, front_end, shown, recipe.batch, rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.half):
            logits = network(torch.from_numpy(seen))
        error = loss(logits.float(), torch.from_numpy(target))
        optimizer.zero_grad()
        error.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(network)
        after_step(step + 1, error.item())
    kept = average.module
    assert isinstance(kept, Learnable)
    return kept.eval()


def _share(progress: float, warm_up: float) -> float:
    """Share of the highest learning rate: it rises, and falls as half a cosine."""
    if progress < warm_up:
        return max(0.02, progress / warm_up)
    return 0.5 * (1 + math.cos(math.pi * progress))
