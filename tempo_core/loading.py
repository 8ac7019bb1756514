"""Tasks with the models that answer them, loaded in the order in which they are asked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import checkpoint, tasks
from .errors import CheckpointError, ConfigError
from .model import Checkpoint
from .task import Task, in_order
from .tasks.tempo.row import preferring

Row = tuple[Task[Any, Any, Any, Any], Checkpoint[Any]]  # a task and its model


def check_task(name: str) -> None:
    """Refuse a name that is not that of a task.

    Raises
    ------
    ConfigError
        If no task has this name.
    """
    if name not in tasks.TASKS:
        raise ConfigError(f"no task {name!r}; there are {', '.join(tasks.TASKS)}")


def load_rows(
    names: Sequence[str],
    models: Mapping[str, str | os.PathLike[str]],
    bpm_range: tuple[float, float] | None = None,
) -> list[Row]:
    """Load tasks and those that they need, with their models; each after those that it needs.

    Parameters
    ----------
    names
        Tasks, by the names in `tempo_core.tasks.TASKS`.
    models
        Model of each task by its name, as for `checkpoint.resolve`; `default` for those left out.
    bpm_range
        (lowest, highest) tempo [BPM] that the tempo task prefers; None: as people count.

    Raises
    ------
    CheckpointError
        If a model cannot be used, or the models do not fit together.
    ConfigError
        If no task is named, or a name is that of no task.
    """
    if isinstance(names, str):
        raise ConfigError(f"tasks is {names!r}; give a list of names")
    for name in names:
        check_task(name)
    if not names:
        raise ConfigError(f"no task is named; there are {', '.join(tasks.TASKS)}")
    loaded: dict[str, Row] = {}
    for name in in_order(names, lambda name: tasks.row(name).needs):
        task = preferring(bpm_range) if name == "tempo" else tasks.row(name)
        path = checkpoint.resolve(models.get(name, "default"), name)
        model = checkpoint.load(path, name)
        for needed in task.needs:
            other = loaded[needed][1]
            if other.front_end != model.front_end:
                raise unlike(other, model)
            # Both then have the same front end, so that features are computed once for both.
            model = replace(model, filterbank=other.filterbank, spectrum=other.spectrum)
        loaded[name] = task, model
    return list(loaded.values())


def unlike(first: Checkpoint[Any], second: Checkpoint[Any]) -> CheckpointError:
    """The error to raise for two models that take different features."""
    return CheckpointError(
        f"the models {first.name} and {second.name} were made for different front ends; "
        "give two of one kind"
    )
