"""How `tags` learns tags from the embeddings of tracks: a line through them for each tag.

A logistic regression on standardised embeddings, held near zero since few tracks have so many
numbers. Its scores of tracks whose artists it did not learn from say how probable a tag is at each
score (Platt, "Probabilistic outputs for support vector machines", 1999). All of it comes to one
linear layer, the head of the tags network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ..evaluation.calibration import platt
from ..trainingset.grouping import folds_of

Floats = NDArray[np.float64]
Going = Callable[[], object]  # called between steps; raises to end the run

STRENGTH = 0.02  # of the data against zero, C of scikit-learn
MOST_STEPS = 200
N_FOLDS = 5


def out_of_fold(
    embeddings: NDArray[np.floating],
    truth: Floats,
    groups: Sequence[str],
    seed: int = 0,
    go_on: Going = lambda: None,
) -> Floats:
    """Probabilities of tags, of each track by a model that did not learn from its artist.

    Parameters
    ----------
    embeddings
        (n_tracks, n_dims) finite numbers.
    truth
        (n_tracks, n_tags) 1 where a track has a tag, 0 where it has not, NaN where that is not
        known.
    groups
        (n_tracks,) artists; whole artists are left out at a time.
    go_on
        Called between steps; raises to end the run.

    Returns
    -------
    (n_tracks, n_tags) calibrated probabilities, also where the truth is not known.
    """
    odds = odds_of_folds(embeddings, truth, folds_of(groups, N_FOLDS, seed), go_on)
    return calibrated(odds, truth)


def calibrated(odds: Floats, truth: Floats, folds: NDArray[np.int64] | None = None) -> Floats:
    """(n_tracks, n_tags) probabilities from log odds of tracks that were not learned from.

    Parameters
    ----------
    folds
        (n_tracks,) Where they are given, the calibration of a track's does not know its fold. That
        is how good the calibration is of other tracks, but it mixes up the order of the tracks.
    """
    if folds is None:
        lines = _lines(odds, truth)
        return _sigmoid(odds * lines[:, 0] + lines[:, 1])
    probabilities = np.empty_like(odds)
    for fold in np.unique(folds):
        out = folds == fold
        lines = _lines(odds[~out], truth[~out])
        probabilities[out] = _sigmoid(odds[out] * lines[:, 0] + lines[:, 1])
    return probabilities


def odds_of_folds(
    embeddings: NDArray[np.floating],
    truth: Floats,
    folds: NDArray[np.int64],
    go_on: Going = lambda: None,
) -> Floats:
    """(n_tracks, n_tags) log odds of each track by a model that did not learn from its fold."""
    odds = np.zeros(truth.shape)
    for fold in np.unique(folds):
        out = folds == fold
        if out.all():  # one artist: there is nothing to learn from
            break
        weights, offsets = regress(embeddings[~out], truth[~out], go_on)
        odds[out] = embeddings[out].astype(np.float64) @ weights.T + offsets
    return odds


def fit(
    embeddings: NDArray[np.floating], truth: Floats, odds: Floats, go_on: Going = lambda: None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (n_tags, n_dims) and offsets (n_tags,) of a head whose sigmoid is calibrated.

    Parameters
    ----------
    embeddings, truth
        As for `out_of_fold`.
    odds
        What `odds_of_folds` says of the same tracks.
    """
    weights, offsets = regress(embeddings, truth, go_on)
    lines = _lines(odds, truth)
    slopes = lines[:, 0]
    head = (weights * slopes[:, None]).astype(np.float32)
    return head, (offsets * slopes + lines[:, 1]).astype(np.float32)


def regress(
    embeddings: NDArray[np.floating], truth: Floats, go_on: Going = lambda: None
) -> tuple[Floats, Floats]:
    """Weights (n_tags, n_dims) and offsets (n_tags,) of log odds, tags and others counting alike.

    They are 0 for a tag that all tracks have, or none.
    """
    x = embeddings.astype(np.float64)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread < 1e-6 * (1 + np.abs(mean))] = 1.0  # what is alike in all tracks says nothing
    standard = ((x - mean) / spread).astype(np.float32)
    weights, offsets = np.zeros((truth.shape[1], x.shape[1])), np.zeros(truth.shape[1])
    model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=MOST_STEPS)
    for k, column in enumerate(truth.T):
        go_on()
        known = ~np.isnan(column)
        has = column[known]
        if has.size and has.min() != has.max():
            model.fit(standard[known], has)
            weights[k] = model.coef_[0] / spread
            offsets[k] = model.intercept_[0] - weights[k] @ mean
    return weights, offsets


def _lines(odds: Floats, truth: Floats) -> Floats:
    """(n_tags, 2) slope and offset of each tag that make its log odds calibrated."""
    lines = []
    for column, has in zip(odds.T, truth.T, strict=True):
        known = ~np.isnan(has)
        lines.append(platt(column[known], has[known]))
    return np.array(lines).reshape(-1, 2)


def _sigmoid(odds: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(0.5 * odds))  # so that nothing overflows
