"""Train the tempo network: `python -m trainer.fit --data DIR --clips DIR --cache DIR --out DIR`."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor

from tempo_core import checkpoint
from tempo_core.config import FrontEnd, Model, TempoGrid, Windows
from tempo_core.model import TempoNet
from tempo_core.task import Task
from tempo_core.tasks import TASKS
from tempo_core.tasks.tempo import answerable

from . import augment, dataset
from .dataset import Recording, Views


@dataclass(frozen=True)
class Recipe:
    """Everything about a training run but the data."""

    steps: int = 2400
    batch: int = 48
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    seed: int = 0
    # How often each source is drawn. The few popular songs with human labels count most: they carry
    # the octave convention; the synthesis teaches the rate.
    shares: tuple[tuple[str, float], ...] = (
        ("songs", 0.2), ("rhythm", 0.2), ("consensus", 0.3), ("synthesis", 0.3),
    )  # fmt: skip
    average: float = 0.998  # decay of the moving average of the weights that is kept


class Sampler:
    """Draws augmented batches: recordings by source share, then one window of each at random."""

    def __init__(
        self,
        recordings: Sequence[Recording],
        views: Sequence[Views],
        grid: TempoGrid,
        recipe: Recipe,
    ):
        shares = dict(recipe.shares)
        kinds = np.array([r.source.partition(":")[0] for r in recordings])
        weights = np.zeros(len(recordings))
        for kind in set(kinds):
            weights[kinds == kind] = shares[kind] / (kinds == kind).sum()
        self.weights = weights / weights.sum()
        self.recordings, self.views, self.grid, self.recipe = recordings, views, grid, recipe
        self.task: Task = TASKS["tempo"]

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Maps (batch, 2, n_mels, n_bins), statistics (batch, 4 * n_mels), targets (batch, n_bins)."""
        maps, statistics, targets = [], [], []
        for i in rng.choice(len(self.weights), size=self.recipe.batch, p=self.weights):
            views = self.views[i]
            k = rng.integers(len(views.maps))
            change = augment.draw(rng, views.maps.shape[2])
            maps.append(augment.apply_to_map(views.maps[k], change))
            statistics.append(augment.apply_to_statistics(views.statistics[k], change))
            stretch = change.stretch(self.grid.bins_per_octave)
            tempi = [(bpm * stretch, weight) for bpm, weight in self.recordings[i].tempi]
            targets.append(self.task.encode(tempi, self.grid))
        return (
            torch.from_numpy(np.stack(maps)),
            torch.from_numpy(np.stack(statistics)),
            torch.stack(targets),
        )


def fit(sampler: Sampler, front_end: FrontEnd, model: Model, recipe: Recipe, log: Path) -> TempoNet:
    """Train a network; its weights are the moving average over the last steps."""
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    grid = sampler.grid
    network = TempoNet(front_end, grid, model)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average), use_buffers=True
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=recipe.steps)
    unanswerable = ~answerable(grid)
    started, losses = time.monotonic(), []
    with log.open("w") as file:
        for step in range(1, recipe.steps + 1):
            network.train()
            maps, statistics, targets = sampler.draw(rng)
            logits = network(maps, statistics).masked_fill(unanswerable, -torch.inf)
            loss = sampler.task.loss(logits, targets)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            average.update_parameters(network)
            losses.append(float(loss.detach()))
            if step % 50 == 0 or step == recipe.steps:
                row = {"step": step, "loss": round(float(np.mean(losses[-50:])), 4),
                       "seconds": round(time.monotonic() - started)}
                file.write(json.dumps(row) + "\n")
                file.flush()
                click.echo(f"step {step}/{recipe.steps}  loss {row['loss']}  {row['seconds']} s", err=True)
    trained: TempoNet = average.module  # type: ignore[assignment]
    return trained.eval()
