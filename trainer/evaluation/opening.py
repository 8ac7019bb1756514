"""Opening the estimators that an evaluation names: models and baselines, of tempi and of keys.

A name is all that a worker of a cluster needs to open the same estimator there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tempo_core import checkpoint
from tempo_core.designs import TempoEstimator
from tempo_core.engines import loaded
from tempo_core.engines.sharing import shared_model
from tempo_core.errors import CheckpointError
from tempo_core.estimate import Estimate, Estimator

from .asking import AskTask, estimated
from .baselines import BASELINES, open_model
from .key_estimators import KEY_BASELINES, KeyEstimate, KeyEstimator, KeyModel


def by_task(models: Sequence[str]) -> tuple[list[str], list[str]]:
    """The named models of tempi and those of keys, each once; the one in use where none is named.

    Raises
    ------
    CheckpointError
        If there is no such model.
    """
    tempo: list[str] = []
    key: list[str] = []
    for model in dict.fromkeys(models):
        try:
            path = checkpoint.resolve(model)
        except CheckpointError as error:
            try:
                path = checkpoint.resolve(model, "key")
            except CheckpointError:
                raise error from None  # as for a tempo model, which most are
        (key if checkpoint.task_of(path) == "key" else tempo).append(model)
    return tempo or ["default"], key or ["default"]


@dataclass(frozen=True)
class TempoWork:
    """Asking an estimator of tempi; see `tempo_core.engines.Work`.

    Attributes
    ----------
    name
        Name or path of a model, or name of a baseline.
    windows
        How many windows of a track a model may listen to, or `all`.
    """

    name: str
    windows: int | str
    is_baseline: bool = False

    def open(self) -> TempoEstimator:
        """Open the estimator."""
        return BASELINES[self.name]() if self.is_baseline else open_model(self.name, self.windows)

    def load(self) -> AskTempo:
        """Open the estimator."""
        return AskTempo(self.open())

    def uses(self) -> Mapping[str, str]:
        """The models, by task; a baseline as that of the tempo."""
        ask = loaded(self)
        assert isinstance(ask, AskTempo)
        estimator = ask.estimator
        if isinstance(estimator, Estimator):
            return estimator.sources
        return {"tempo": estimator.source}


@dataclass(frozen=True)
class AskTempo:
    """The function from a track to the estimate of its tempo."""

    estimator: TempoEstimator

    def __call__(self, task: AskTask) -> Estimate:
        _, path, genre = task
        return estimated(self.estimator, Path(path), genre)


@dataclass(frozen=True)
class KeyWork:
    """Asking an estimator of keys; as `TempoWork`."""

    name: str
    windows: int | str
    is_baseline: bool = False

    def open(self) -> KeyEstimator:
        """Open the estimator."""
        return KEY_BASELINES[self.name]() if self.is_baseline else KeyModel(self.name, self.windows)

    def load(self) -> Callable[[AskTask], KeyEstimate]:
        """Open the estimator."""
        estimator = self.open()
        return lambda task: estimator.estimate(task[1])

    def uses(self) -> Mapping[str, str]:
        """The model of keys, or the baseline."""
        return {"key": self.open().source}


def tempo_works(
    models: Sequence[str], baselines: Sequence[str], windows: int | str
) -> list[TempoWork]:
    """Models of tempi, and those of the baselines that are for tempi."""
    named = [name for name in dict.fromkeys(baselines) if name in BASELINES]
    return [
        *(TempoWork(shared_model(model), windows) for model in models),
        *(TempoWork(name, windows, is_baseline=True) for name in named),
    ]


def key_works(models: Sequence[str], baselines: Sequence[str], windows: int | str) -> list[KeyWork]:
    """Models of keys, and those of the baselines that are for keys."""
    named = [name for name in dict.fromkeys(baselines) if name in KEY_BASELINES]
    return [
        *(KeyWork(shared_model(model), windows) for model in models),
        *(KeyWork(name, windows, is_baseline=True) for name in named),
    ]


def open_tempo(
    models: Sequence[str], baselines: Sequence[str], windows: int | str
) -> list[TempoEstimator]:
    """The estimators of `tempo_works`, in their order."""
    return [work.open() for work in tempo_works(models, baselines, windows)]


def open_keys(
    models: Sequence[str], baselines: Sequence[str], windows: int | str
) -> list[KeyEstimator]:
    """The estimators of `key_works`, in their order."""
    return [work.open() for work in key_works(models, baselines, windows)]
