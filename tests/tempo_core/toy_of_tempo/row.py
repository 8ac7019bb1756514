"""Row of the second toy task, which needs the tempo."""

from __future__ import annotations

from typing import Any

from tempo_core.heard import Heard
from tempo_core.model import Checkpoint
from tempo_core.task import Results, Task
from tempo_core.tasks.tempo.decode import Tempo

from ..toy.row import ToyConfig, activate, alike, build, encode, pool, view


def keep(heard: Heard, checkpoint: Checkpoint[ToyConfig]) -> None:
    heard.windows(checkpoint.spectrum, checkpoint.windows, alike)


def decode(
    pooled: float, heard: Heard, results: Results, checkpoint: Checkpoint[ToyConfig]
) -> tuple[float, str]:
    tempo: Tempo = results["tempo"]
    return pooled * 100 / tempo.bpm, "fast" if tempo.bpm >= 100 else "slow"


def columns(result: tuple[float, str]) -> dict[str, Any]:
    return {"brightness_for_tempo": round(result[0], 4), "speed": result[1]}


TASK: Task[ToyConfig, float, float, tuple[float, str]] = Task(
    name="toyoftempo", config=ToyConfig, network=build, view=view, encode=encode, activate=activate,
    pool=pool, decode=decode, columns=columns, needs=("tempo",), keep=keep,
)  # fmt: skip
