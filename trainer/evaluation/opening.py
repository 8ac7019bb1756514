"""Opening the estimators that an evaluation names: models and baselines, of tempi and of keys."""

from __future__ import annotations

from collections.abc import Sequence

from tempo_core import checkpoint
from tempo_core.designs import TempoEstimator
from tempo_core.errors import CheckpointError

from .baselines import BASELINES, open_model
from .key_estimators import KEY_BASELINES, KeyEstimator, KeyModel


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


def open_tempo(
    models: Sequence[str], baselines: Sequence[str], windows: int | str
) -> list[TempoEstimator]:
    """Models of tempi, and those of the baselines that are for tempi."""
    named = [name for name in dict.fromkeys(baselines) if name in BASELINES]
    return [
        *(open_model(model, windows) for model in models),
        *(BASELINES[name]() for name in named),
    ]


def open_keys(
    models: Sequence[str], baselines: Sequence[str], windows: int | str
) -> list[KeyEstimator]:
    """Models of keys, and those of the baselines that are for keys."""
    named = [name for name in dict.fromkeys(baselines) if name in KEY_BASELINES]
    return [
        *(KeyModel(model, windows) for model in models),
        *(KEY_BASELINES[name]() for name in named),
    ]
