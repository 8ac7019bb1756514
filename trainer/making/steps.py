"""Training in steps, as several of the shipped models were made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from tqdm import tqdm

from ..torch_ops import Learnable


class StepRecipe(Protocol):
    """What a recipe says of the steps."""

    @property
    def steps(self) -> int: ...
    @property
    def rate(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...


def descend(
    network: Learnable, recipe: StepRecipe, loss_of_batch: Callable[[], torch.Tensor]
) -> None:
    """Train a network in place: AdamW on one cycle of learning rates, with progress on a terminal.

    Parameters
    ----------
    loss_of_batch
        Draws a batch and returns its loss.
    """
    optimiser = torch.optim.AdamW(
        network.parameters(), recipe.rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, recipe.steps)
    mean = 0.0
    with tqdm(
        range(recipe.steps), desc="training", unit="step", mininterval=5, disable=None
    ) as steps:
        for step in steps:
            loss = loss_of_batch()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            mean += (float(loss.detach()) - mean) / min(step + 1, 100)
            steps.set_postfix(loss=f"{mean:.3f}", refresh=False)
