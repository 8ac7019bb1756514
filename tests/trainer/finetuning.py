"""A small run of `fit`, also as a process: `python -m tests.trainer.finetuning`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

from tempo_core import checkpoint
from tempo_core.network import Network
from tempo_core.tasks.tempo.periodicity import N_MAPS
from trainer.inputs.cache import Views, write_views
from trainer.inputs.recordings import Recording
from trainer.inputs.views import STRETCH_MARGIN
from trainer.learning import guard as guards
from trainer.learning.epochs import FitRun
from trainer.learning.network_fitting import Corpus, FitData, finetune
from trainer.learning.plain_checkpoint import PlainCheckpointIO
from trainer.learning.prior_fitting import adaptable
from trainer.recipes.recipe import FitRecipe

RECIPE = FitRecipe(epochs=4, batch=4, passes=2, learning_rate=1e-3, patience=10)


def corpus(folder: Path, n: int, split: str) -> Corpus:
    """A set of recordings whose network inputs are noise."""
    recordings, paths = [], []
    for i in range(n):
        rng = np.random.default_rng([i, len(split)])
        maps = rng.random((2, N_MAPS, 40, 180 + 2 * STRETCH_MARGIN)).astype(np.float16)
        path = folder / f"{split}-{i}.safetensors"
        write_views(Views(maps, rng.random((2, 160)).astype(np.float32), 1), path)
        bpm = 70.0 + 10 * i
        recordings.append(Recording(path, "collection", ((bpm, 1.0),), split, f"A{i}"))
        paths.append(path)
    return Corpus(recordings, paths)


def run(
    folder: Path, recipe: FitRecipe = RECIPE, devices: int = 1, **of_run: Any
) -> tuple[Network, list[dict[str, float]]]:
    """Run `fit` in a folder, with options of `FitRun`."""
    torch.set_num_threads(1)  # a sum of floats depends on it
    folder.mkdir(parents=True, exist_ok=True)
    base = adaptable(checkpoint.load(checkpoint.resolve("shipped")))
    train, validation = corpus(folder, 6, "train"), corpus(folder, 2, "validation")
    guard = guards.load(base).part(replay=True)
    data = FitData(train, validation, guard)
    return finetune(base, data, recipe, FitRun(folder / "runs", devices, quiet=True, **of_run))


def die_after(n_checkpoints: int) -> None:
    """Let this process end itself, as kill -9 does, when it has written so many checkpoints."""
    save_checkpoint, n_saved = PlainCheckpointIO.save_checkpoint, 0

    def fatal(self: PlainCheckpointIO, *args: Any, **options: Any) -> None:
        nonlocal n_saved
        save_checkpoint(self, *args, **options)
        n_saved += Path(args[1]).name == "last.safetensors"
        if n_saved == n_checkpoints:
            os.kill(os.getpid(), signal.SIGKILL)

    PlainCheckpointIO.save_checkpoint = fatal  # type: ignore[method-assign]


if __name__ == "__main__":
    target = Path(sys.argv[1])
    if len(sys.argv) > 3:
        die_after(int(sys.argv[3]))
    save_file(run(target, devices=int(sys.argv[2]))[0].weights, target / "weights.safetensors")
