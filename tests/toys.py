"""Registration of the toy tasks of the tests, and models for them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tempo_core import checkpoint, tasks
from tempo_core.config import FrontEnd, Windows
from tempo_core.model import Checkpoint
from tempo_core.network import Network, shapes
from tempo_core.spectrum import Mel

from .models import filterbank

TOYS = {"toy": "tests.tempo_core.toy", "toyoftempo": "tests.tempo_core.toy_of_tempo"}


def register(patch: pytest.MonkeyPatch, *names: str) -> None:
    """Add toy tasks to the table of tasks; all of them if no name is given."""
    for name in names or TOYS:
        patch.setitem(tasks.TASKS, name, TOYS[name])


def model(name: str = "toy", **changes: Any) -> Checkpoint[Any]:
    """A model by which music is the brighter the higher the bands are that sound."""
    task, front_end = tasks.row(name), FrontEnd()
    config = task.config()
    definition = task.network(front_end, config)
    weights = {
        part: np.zeros(shape, np.float32) for part, shape in shapes(definition.layers).items()
    }
    weights["norm.weight"] += 1
    weights["norm.running_var"] += 1
    weights["norm.num_batches_tracked"] = np.array(1, np.int64)
    weights["hidden.weight"] += np.linspace(-1, 1, front_end.n_mels, dtype=np.float32)
    weights["out.weight"] += 1
    made: Checkpoint[Any] = Checkpoint(
        name="", hash="", task=name, front_end=front_end, windows=Windows(), config=config,
        filterbank=filterbank(), spectrum=Mel(front_end, filterbank()),
        network=Network(definition, weights), temperature=1.0, card={"summary": "a toy"},
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def save(folder: Path, name: str = "toy", **changes: Any) -> Path:
    """Write the model of `model` into a folder and return its path."""
    return checkpoint.save(folder, model(name, **changes))
