"""Tempo models of other designs than the default one, which other installed packages open.

A model file names what it is for. A name that is no task here may be one of the entry points of
the group `tempo_core.designs`: a function of the path of the file and the number of windows, which
returns an estimator. It need not know any task but the tempo.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from . import checkpoint, tasks
from .answers import Answers
from .errors import ConfigError
from .estimate import DEFAULT_TASKS, DEFAULT_WINDOWS, Estimate, Estimator
from .shadowing import check_trainer
from .task import in_order

ENTRY_POINT_GROUP = "tempo_core.designs"
TEMPO = "tempo"


class TempoEstimator(Protocol):
    """An estimator of the tempo; `source` identifies its model. Threads may share it."""

    @property
    def source(self) -> str: ...

    def estimate(self, path: str | bytes | os.PathLike[str]) -> Estimate: ...


class FileEstimator(Protocol):
    """What answers tasks about files, as `Estimator` does."""

    @property
    def tasks(self) -> tuple[str, ...]: ...

    @property
    def sources(self) -> dict[str, str]: ...

    def results(self, path: str | bytes | os.PathLike[str]) -> dict[str, Any]: ...

    def columns(self, results: Mapping[str, Any]) -> dict[str, Any]: ...


class OtherDesign:
    """A tempo estimator of another design, and beside it tasks that do not go by the tempo."""

    def __init__(self, tempo: TempoEstimator, others: Estimator | None) -> None:
        self._tempo, self._others = tempo, others

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks that are answered."""
        return (TEMPO, *(self._others.tasks if self._others else ()))

    @property
    def sources(self) -> dict[str, str]:
        """Model of every task by its name, each as `model:<name>@<hash>`."""
        return {TEMPO: self._tempo.source, **(self._others.sources if self._others else {})}

    def results(self, path: str | bytes | os.PathLike[str]) -> Answers:
        """Result of every task for a file, by the task's name; that of the tempo an `Estimate`.

        Raises
        ------
        AudioError
            If the file is missing, unreadable, silent or too short, or all tasks fail.
        """
        results = Answers()
        results.take([TEMPO], lambda: {TEMPO: self._tempo.estimate(path)})
        if self._others is not None:
            results.take(self._others.tasks, partial(self._others.results, path))
        results.require_one()
        return results

    def columns(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Values of all columns of the tasks, by the names of the columns."""
        others = {} if self._others is None else self._others.columns(results)
        return {**(results[TEMPO].columns if TEMPO in results else {}), **others}


def opening(path: Path) -> Callable[[Path, int | str], TempoEstimator] | None:
    """What opens a model file of another design; None for one that `Estimator` is to open.

    Raises
    ------
    ImportError
        If a package that it needs is not installed.
    ConfigError
        If another package hides it.
    """
    name = checkpoint.task_of(path)
    if name is None or name in tasks.TASKS:
        return None
    from importlib.metadata import entry_points  # slow to import

    found = entry_points(group=ENTRY_POINT_GROUP)
    if name not in found.names:
        return None
    if found[name].module.startswith("trainer."):
        check_trainer()
    opened: Callable[[Path, int | str], TempoEstimator] = found[name].load()
    return opened


def open_estimator(
    model: str | os.PathLike[str] = "default",
    windows: int | str = DEFAULT_WINDOWS,
    names: Sequence[str] = DEFAULT_TASKS,
) -> FileEstimator:
    """An estimator with a tempo model of any design; the parameters are those of `Estimator`.

    With a model of another design the tasks that go by the default network's tempo, as the paces
    do, are left out.

    Raises
    ------
    CheckpointError
        If a model is missing, damaged or altered.
    ConfigError
        If a parameter is out of range, or no task is left.
    ImportError
        If a package that the design needs is not installed.
    """
    path = checkpoint.resolve(model)
    other = opening(path)
    if other is None:
        return Estimator(path, windows, tasks=names)
    by_tempo = [name for name in names if TEMPO in in_order([name], lambda n: tasks.row(n).needs)]
    if TEMPO not in names:
        raise ConfigError(
            f"{path}: is a model of the tempo alone; name tempo among the tasks, or leave it out"
        )
    rest = [name for name in names if name not in by_tempo]
    return OtherDesign(
        other(path, windows), Estimator(windows=windows, tasks=rest) if rest else None
    )
