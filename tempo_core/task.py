"""What a task is: a row of functions and plain data that training and use both read.

`features → view → network → activate → pool → decode` is the path of a track, and `ask` is the only
place where it is walked; training adds `encode` and a loss and nothing else, so that a validation
figure is what a user gets.
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
Results = Mapping[str, Any]  # of other tasks, by their names
C = TypeVar("C", bound=Config)  # a task's configuration
L = TypeVar("L")  # its label
P = TypeVar("P")  # what is known of a track when everything heard is put together
R = TypeVar("R")  # its result


@dataclass(frozen=True)
class Batch:
    """What goes through the network at once.

    `inputs` are its inputs, each (n, …); once it has run there are none. `which` (n,) says of which
    window or candidate each of them is, `weights` (n,) how much it counts. `summary` is whatever
    else the task wants to know of the batch later; it is kept, so it should be small.
    """

    inputs: tuple[Array, ...]
    which: NDArray[np.int64]
    weights: NDArray[np.float64]
    summary: Any = None


NAME = re.compile("[a-z]+")  # of a task: it begins the name of a model file
# What a model file says beside the fields of the configuration.
TAKEN = {"layout", "task", "temperature", "card", "front_end", "windows"}

Scored = tuple[Batch, Array]  # a batch without its inputs, and its scores (n, …)


def always(scored: Sequence[Scored], config: Any) -> bool:
    """For tasks that never ask to listen to more."""
    return True


def nothing(heard: Heard, checkpoint: Checkpoint[Any]) -> None:
    """For tasks that look at nothing but what those that they need have looked at."""


def unchanged(values: dict[str, Any], layout: int) -> dict[str, Any]:
    """For configurations that are as they have always been."""
    return values


@dataclass(frozen=True)
class Task(Generic[C, L, P, R]):
    """One row of the table of tasks.

    Parameters
    ----------
    name
        In the table, in model files and in settings.
    config
        Its kind of configuration, which a model file has under the names of its fields.
    network
        Front end and configuration → the network, without weights.
    view
        What was heard, other tasks' results → the network's inputs. A task without `needs` is asked
        after each round of listening about what is new; one with `needs` once, about everything.
    encode
        A label → what the network should say.
    activate
        Logits (n, …), configuration and temperature → scores (n, …).
    pool
        The scores of all batches → what they say together.
    decode
        That, what was heard and other tasks' results → the result.
    columns
        A result → the values of the columns that `columns.py` of the task declares.
    needs
        The tasks whose results it wants.
    keep
        Of a task with `needs`, which is asked when the audio is gone: called after each round of
        listening, to ask what was heard for the windows, or whatever `view` will ask it for.
    enough
        Whether there is no need to listen to more of a track.
    front_end, spectrum
        The kind of its front end's configuration, and that with a filterbank → the front end.
    upgrade
        The plain values of a configuration in an older layout of model files → as of today.
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
        """Check what a model file says of a task.

        Raises
        ------
        ValueError
            If the name is not made of letters, or the configuration has a field with a name that
            stands for something else there.
        """
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} cannot be a task; small letters are needed")
        if taken := TAKEN & {field.name for field in fields(self.config)}:
            raise ValueError(f"{self.name}: {', '.join(sorted(taken))} cannot be configured")


def ask(
    task: Task[C, Any, P, R], heard: Heard, results: Results, checkpoint: Checkpoint[C]
) -> list[Scored]:
    """Show what was heard to the network of a task."""
    return score(task, task.view(heard, results, checkpoint), checkpoint)


def score(
    task: Task[C, Any, Any, Any], batches: Sequence[Batch], checkpoint: Checkpoint[C]
) -> list[Scored]:
    """Show a task's network what it takes."""
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
    """What a task says of a track."""
    pooled = task.pool(scored, checkpoint.config)
    return task.decode(pooled, heard, results, checkpoint)


def in_order(names: Sequence[str], needs: Callable[[str], Sequence[str]]) -> list[str]:
    """Tasks and those that they need, each after those.

    Raises
    ------
    ValueError
        If they need each other in a circle.
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
