"""A linear head on an embedding: what networks that learn from nothing are compared with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from tempo_core import in_use
from tempo_core.errors import ConfigError
from tempo_core.estimate import Estimator
from tempo_core.tasks.tags.decode import Tagging

from .inputs import DEFAULT, inputs_of

Embedding = Callable[[Path], NDArray[np.floating]]  # a file → (n_dims,)
C = 0.02  # inverse strength of the regularisation
Floats = NDArray[np.float64]


def band_statistics(path: Path) -> NDArray[np.floating]:
    """(192,) mean and standard deviation over time of each band of the log-mel spectrogram.

    It knows nothing of rhythm or harmony: what an embedding has to be better than.

    Raises
    ------
    AudioError
        If the file cannot be decoded, is silent or too short.
    """
    inputs = inputs_of(path, DEFAULT).astype(np.float32)
    return np.concatenate([inputs.mean(axis=0), inputs.std(axis=0)])


def model_embedding(path: Path, model: str = in_use.SHIPPED) -> NDArray[np.floating]:
    """(n_dims,) the embedding of a track by a model for tags.

    Parameters
    ----------
    model
        The one in the package, or the path of a model file.

    Raises
    ------
    AudioError
        If the file cannot be decoded, is silent or too short.
    CheckpointError
        If there is no such model, or it is damaged.
    """
    tagging: Tagging = _estimator(model).results(path)["tags"]
    return tagging.embedding


@cache
def _estimator(model: str) -> Estimator:
    return Estimator(tasks=["tags"], models={"tags": model})


EMBEDDINGS: dict[str, Embedding] = {"bands": band_statistics, "shipped": model_embedding}


def embedding_named(name: str) -> Embedding:
    """The function that `module:function` names, a word of `EMBEDDINGS`, or a model file's.

    Raises
    ------
    ConfigError
        If there is no such function.
    CheckpointError
        If the model file is missing or no model for tags.
    """
    if name in EMBEDDINGS:
        return EMBEDDINGS[name]
    if name.endswith(".safetensors"):
        _estimator(name)  # a file that is none is told before anything is listened to
        return partial(model_embedding, model=name)
    module, _, function = name.partition(":")
    try:
        found: Embedding = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"no embedding {name!r} ({error}); give {', '.join(EMBEDDINGS)}, a model file, or "
            "module:function, from a path to a vector"
        ) from error
    return found


def head_scores(vectors: Floats, truth: Floats, learned: NDArray[np.bool_]) -> Floats:
    """Probabilities of tags for tracks that a head did not learn from.

    Where every track has exactly one tag the tags exclude each other, and the probabilities of a
    track sum to 1; else each tag has a head of its own.

    Parameters
    ----------
    vectors
        (n_tracks, n_dims) embeddings.
    truth
        (n_tracks, n_tags) 0 or 1.
    learned
        (n_tracks,) which tracks are learned from.

    Returns
    -------
    (n_others, n_tags). A tag that all learned tracks have, or none, is as frequent as among these.
    """
    known, asked = vectors[learned], vectors[~learned]
    scores = np.repeat(truth[learned].mean(axis=0, keepdims=True), len(asked), axis=0)
    if (truth.sum(axis=1) == 1).all():
        labels = truth[learned].argmax(axis=1)
        if len(np.unique(labels)) > 1:
            head = _head().fit(known, labels)
            scores[:] = 0
            scores[:, head.classes_] = head.predict_proba(asked)
        return scores
    for k, has in enumerate(truth[learned].T):
        if 0 < has.sum() < len(has):
            scores[:, k] = _head().fit(known, has).predict_proba(asked)[:, 1]
    return scores


def _head() -> Pipeline:
    head = LogisticRegression(C=C, class_weight="balanced", max_iter=2000)
    return make_pipeline(StandardScaler(), head)
