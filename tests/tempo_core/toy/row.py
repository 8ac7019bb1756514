"""Row of the toy task: a tiny network over the mean spectrum of each window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tempo_core.config import Config, FrontEnd, setting
from tempo_core.heard import Heard, Sound
from tempo_core.model import Checkpoint
from tempo_core.network import Definition, Layer, Linear, Norm
from tempo_core.task import Batch, Results, Scored, Task
from tempo_core.windows import by_length, window_spans


@dataclass(frozen=True)
class Size(Config):
    """Size of the network of the toy task."""

    n_hidden: int = setting(4, 1, 64)


@dataclass(frozen=True)
class ToyConfig(Config):
    """Configuration of the toy task."""

    model: Size = Size()


class Net:
    """A tiny network: mean spectrum of a window → one logit."""

    def __init__(self, front_end: FrontEnd, config: ToyConfig):
        n = config.model.n_hidden
        self.layers: dict[str, Layer] = {
            "norm": Norm(front_end.n_mels),
            "hidden": Linear(front_end.n_mels, n),
            "out": Linear(n, 1),
        }

    def forward(self, ops: Any, *inputs: Any) -> Any:
        """(batch, n_mels) → logits (batch,)."""
        x = ops.elu(ops.linear("hidden", ops.norm("norm", inputs[0])))
        return ops.linear("out", x)[:, 0]


def build(front_end: FrontEnd, config: ToyConfig) -> Definition:
    return Net(front_end, config)


def alike(sound: Sound, plan: Any) -> np.ndarray:
    """Weight 1 for every window."""
    return np.ones(len(window_spans(sound.features.shape[-1], sound.fps, plan)))


def view(heard: Heard, results: Results, checkpoint: Checkpoint[ToyConfig]) -> list[Batch]:
    windows = heard.windows(checkpoint.spectrum, checkpoint.windows, alike)
    batches = []
    for which, features in by_length([window.features for window in windows]):
        means = features.mean(axis=-1)
        means /= means.sum(axis=-1, keepdims=True) + 1e-9
        batches.append(Batch((means,), np.array(which), np.ones(len(which))))
    return batches


def encode(label: float, config: ToyConfig) -> np.ndarray:
    return np.array([label], np.float32)


def activate(logits: np.ndarray, config: ToyConfig, temperature: float = 1.0) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-logits / temperature)), np.float32)


def pool(scored: Sequence[Scored], config: ToyConfig) -> float:
    return float(np.concatenate([scores for _, scores in scored]).mean())


def decode(
    pooled: float, heard: Heard, results: Results, checkpoint: Checkpoint[ToyConfig]
) -> float:
    return pooled


def columns(brightness: float) -> dict[str, Any]:
    return {"brightness": round(brightness, 4)}


TASK: Task[ToyConfig, float, float, float] = Task(
    name="toy", config=ToyConfig, network=build, view=view, encode=encode, activate=activate,
    pool=pool, decode=decode, columns=columns,
)  # fmt: skip
