"""Definition of a task: a row of functions and plain data, used by training and estimation alike.

A track goes through `features → view → network → activate → pool → decode`. `ask` and `answer` are
the only callers of these steps. Training adds only `encode` and a loss, so that a validation figure
is what a user gets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from .config import Config, FrontEnd
from .heard import Heard
from .model import Checkpoint
from .network.ops import Definition
from .spectrum import Mel, Spectrum

Array = NDArray[np.float32]
Results = Mapping[str, Any]  # results of tasks, by the names of the tasks
C = TypeVar("C", bound=Config)  # a task's configuration
L = TypeVar("L")  # a task's label: human or scraped
P = TypeVar("P")  # a task's scores of one track, pooled over all of its windows
R = TypeVar("R")  # a task's result for one track


@dataclass(frozen=True)
class Batch:
    """Examples that go through a network together.

    `inputs` are the network's inputs, each (n, …); they are dropped once the network has run.
    `which` (n,) is the index of the window or candidate of each example, `weights` (n,) how much
    the example counts, ≥ 0. `summary` is anything else that the task's `pool` needs of the batch;
    it stays in memory until the end of the track, so it should be small.
    """

    inputs: tuple[Array, ...]
    which: NDArray[np.int64]
    weights: NDArray[np.float64]
    summary: Any = None


NAME = re.compile("[a-z]+")  # of a task; names of model files begin with it
# Keys in the header of a model file that are no fields of the task's configuration.
TAKEN = {"layout", "task", "temperature", "octave", "card", "front_end", "windows"}

Scored = tuple[Batch, Array]  # a batch without its inputs, and its scores (n, …)


def always(scored: Sequence[Scored], config: Any) -> bool:
    """`Task.enough` of tasks that never need to hear more of a track: True."""
    return True


def nothing(heard: Heard, checkpoint: Checkpoint[Any]) -> None:
    """`Task.keep` of tasks that need nothing of the audio that the tasks they need do not keep."""


def unchanged(values: dict[str, Any], layout: int) -> dict[str, Any]:
    """`Task.upgrade` of tasks whose configuration is the same in all layouts of model files."""
    return values


@dataclass(frozen=True)
class Task(Generic[C, L, P, R]):
    """Row of the table of tasks: everything that distinguishes one task from another.

    Parameters
    ----------
    name
        Name of the task in the table, in model files and in settings: small letters.
    config
        Class of the configuration. A model file holds its fields under their names.
    network
        (front end's configuration, configuration) → network without weights.
    view
        (what was heard, results of needed tasks, model) → batches for the network. A task without
        `needs` is asked after each round of listening, about that round; a task with `needs` is
        asked once, at the end, about everything.
    encode
        (label, configuration) → target, in the form of the network's output.
    activate
        (logits (n, …), configuration, temperature) → scores (n, …).
    pool
        (scores of all batches, configuration) → scores of the track.
    decode
        (scores of the track, what was heard, results of needed tasks, model) → result.
    columns
        Result → values of the columns that `columns.py` of the task declares, by their names.
    needs
        Names of the tasks whose results this task takes.
    keep
        Called after each round of listening, and only for a task with `needs`: such a task is asked
        when the audio is gone already. It asks `Heard` for what `view` will ask it for, so that
        this is computed and kept.
    enough
        (scores so far, configuration) → whether no more of the track needs to be heard.
    front_end, spectrum
        Class of the front end's configuration; (that configuration, filterbank) → front end.
    upgrade
        (plain values of a configuration, as far as the model file has them; layout of the file) →
        values in today's layout.
    """

    name: str
    config: type[C]
    network: Callable[[Any, C], Definition]
    view: Callable[[Heard, Results, Checkpoint[C]], list[Batch]]
    encode: Callable[[L, C], Array]
    activate: Callable[[Array, C, float], Array]
    pool: Callable[[Sequence[Scored], C], P]
    decode: Callable[[P, Heard, Results, Checkpoint[C]], R]
    columns: Callable[[R], dict[str, Any]]
    needs: tuple[str, ...] = ()
    keep: Callable[[Heard, Checkpoint[C]], Any] = nothing
    enough: Callable[[Sequence[Scored], C], bool] = always
    front_end: type[Config] = FrontEnd
    spectrum: Callable[[Any, Array], Spectrum] = Mel
    upgrade: Callable[[dict[str, Any], int], dict[str, Any]] = unchanged

    def __post_init__(self) -> None:
        """Check that name and fields can stand in a model file.

        Raises
        ------
        ValueError
            If the name is not made of small letters, or a field of the configuration has a name
            that means something else in a model file.
        """
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} cannot be a task; small letters are needed")
        if taken := TAKEN & {field.name for field in fields(self.config)}:
            raise ValueError(f"{self.name}: {', '.join(sorted(taken))} cannot be configured")


def ask(
    task: Task[C, Any, P, R], heard: Heard, results: Results, checkpoint: Checkpoint[C]
) -> list[Scored]:
    """Scores that a task's network gives to what was heard, batch by batch."""
    return score(task, task.view(heard, results, checkpoint), checkpoint)


def score(
    task: Task[C, Any, Any, Any], batches: Sequence[Batch], checkpoint: Checkpoint[C]
) -> list[Scored]:
    """Scores that a task's network gives to batches, in their order."""
    scored = []
    for batch in batches:
        logits = checkpoint.network(*batch.inputs)
        scores = task.activate(logits, checkpoint.config, checkpoint.temperature)
        scored.append((replace(batch, inputs=()), scores))
    return scored


def answer(
    task: Task[C, Any, P, R],
    scored: Sequence[Scored],
    heard: Heard,
    results: Results,
    checkpoint: Checkpoint[C],
) -> R:
    """Result of a task for one track, from the scores of all that was heard."""
    pooled = task.pool(scored, checkpoint.config)
    return task.decode(pooled, heard, results, checkpoint)


def in_order(names: Sequence[str], needs: Callable[[str], Sequence[str]]) -> list[str]:
    """Names of tasks and of all tasks that they need, each after those that it needs.

    Parameters
    ----------
    needs
        Name of a task → names of the tasks that it needs directly.

    Raises
    ------
    ValueError
        If tasks need each other in a circle.
    """
    order: list[str] = []

    def add(name: str, waiting: tuple[str, ...]) -> None:
        if name in waiting:
            raise ValueError(f"tasks need each other: {' → '.join((*waiting, name))}")
        if name not in order:
            for needed in needs(name):
                add(needed, (*waiting, name))
            order.append(name)

    for name in names:
        add(name, ())
    return order
