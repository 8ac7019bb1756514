"""Figures of tagging: how well scores part the tracks with a tag from those without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from .metrics import bootstrap_groups, expected_calibration_error

Floats = NDArray[np.float64]
N_DRAWS = 200  # of the bootstrap: each computes the figures of all tags anew
DRAWS_AT_ONCE = 50  # so that 20,000 tracks need no more than 100 MB


@dataclass(frozen=True)
class TagFigure:
    """Figures of one tag.

    `n` tracks are known to have it or not, `n_with` have it. `auc_roc` is the area under the
    receiver operating characteristic, `auc_pr` the average precision, both in 0..1; `ece` is the
    expected calibration error of the probability. They are NaN where all tracks or none have it.
    The intervals are 95 % intervals of a bootstrap over groups (artists).
    """

    tag: str
    n: int
    n_with: int
    auc_roc: float
    auc_pr: float
    ece: float
    auc_roc_interval: tuple[float, float]
    auc_pr_interval: tuple[float, float]


@dataclass(frozen=True)
class TagFigures:
    """Figures of all tags, and their means, each tag counting alike (macro).

    The intervals are 95 % intervals of a bootstrap over groups (artists).
    """

    tags: tuple[TagFigure, ...]
    auc_roc: float
    auc_roc_interval: tuple[float, float]
    auc_pr: float
    auc_pr_interval: tuple[float, float]
    ece: float


def tag_figures(
    tags: Sequence[str], truth: Floats, scores: Floats, groups: Sequence[str], seed: int = 0
) -> TagFigures:
    """Figures of scores.

    Parameters
    ----------
    tags
        Names of the tags.
    truth
        (n_tracks, n_tags) 1 where a track has a tag, 0 where it is known not to, NaN where that is
        not known; what is not known counts nowhere.
    scores
        (n_tracks, n_tags) probabilities in 0..1.
    groups
        (n_tracks,) artists.
    """
    drawn = drawn_figures(truth, scores, groups, seed)
    of_tags = tuple(
        _of_tag(tag, truth[:, k], scores[:, k], drawn.of_tag(k)) for k, tag in enumerate(tags)
    )
    return TagFigures(
        tags=of_tags,
        auc_roc=_mean([figure.auc_roc for figure in of_tags]),
        auc_roc_interval=interval(drawn.auc_roc),
        auc_pr=_mean([figure.auc_pr for figure in of_tags]),
        auc_pr_interval=interval(drawn.auc_pr),
        ece=_mean([figure.ece for figure in of_tags]),
    )


def area(truth: Floats, scores: Floats) -> float:
    """Area under the receiver operating characteristic of one tag; NaN if one side is empty."""
    return _figure(roc_auc_score, truth, scores)


def precision(truth: Floats, scores: Floats) -> float:
    """Average precision of one tag: the area under its precision-recall curve, as AUC-PR."""
    return _figure(average_precision_score, truth, scores)


def macro(figure: Callable[[Floats, Floats], float], truth: Floats, scores: Floats) -> float:
    """Mean over tags of a figure of one tag, `area` or `precision`; (n_tracks, n_tags) each."""
    return _mean([figure(truth[:, k], scores[:, k]) for k in range(truth.shape[1])])


def _of_tag(tag: str, truth: Floats, scores: Floats, drawn: DrawnFigures) -> TagFigure:
    known = ~np.isnan(truth)
    has, probability = truth[known], scores[known]
    return TagFigure(
        tag=tag,
        n=int(known.sum()),
        n_with=int(has.sum()),
        auc_roc=area(truth, scores),
        auc_pr=precision(truth, scores),
        ece=expected_calibration_error(probability, has) if has.size else float("nan"),
        auc_roc_interval=interval(drawn.auc_roc),
        auc_pr_interval=interval(drawn.auc_pr),
    )


def _figure(compute: Callable[[Floats, Floats], float], truth: Floats, scores: Floats) -> float:
    known = ~np.isnan(truth)
    has = truth[known]
    if not has.size or has.min() == has.max():
        return float("nan")
    return float(compute(has, scores[known]))


@dataclass(frozen=True, eq=False)
class DrawnFigures:
    """Figures of every draw of a bootstrap over groups (artists), (n_draws, n_tags) each.

    They are NaN where a draw has only tracks with a tag, or none. The draws are the same for all
    scores of the same tracks and seed, so that they can be compared in pairs.
    """

    auc_roc: Floats
    auc_pr: Floats

    def of_tag(self, k: int) -> DrawnFigures:
        """Those of one tag, (n_draws, 1)."""
        return DrawnFigures(self.auc_roc[:, k : k + 1], self.auc_pr[:, k : k + 1])


def drawn_figures(
    truth: Floats, scores: Floats, groups: Sequence[str], seed: int = 0, n_draws: int = N_DRAWS
) -> DrawnFigures:
    """`area` and `precision` of each tag in the draws of a bootstrap; see `tag_figures`.

    Each tag is sorted once, and a track counts as often as its group was drawn.
    """
    n_tracks = np.stack([
        np.bincount(which, minlength=len(truth))
        for which in bootstrap_groups(groups, n_draws, seed)
    ])  # fmt: skip
    figures = [_of_draws(n_tracks, truth[:, k], scores[:, k]) for k in range(truth.shape[1])]
    both = np.array(figures).reshape(truth.shape[1], 2, n_draws)
    return DrawnFigures(both[:, 0].T, both[:, 1].T)


def _of_draws(counts: NDArray[np.int64], truth: Floats, scores: Floats) -> Floats:
    """(2, n_draws) area and average precision, a track counting as often as it was drawn."""
    order = np.argsort(-scores, kind="stable")
    order = order[~np.isnan(truth[order])]
    # Tracks of one score are passed together.
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True)) if order.size else order
    found = np.full((2, len(counts)), np.nan)
    for first in range(0, len(counts), DRAWS_AT_ONCE):
        drawn = counts[first : first + DRAWS_AT_ONCE, order]
        with_tag = np.cumsum(drawn * (truth[order] == 1), axis=1)[:, ends]
        without = np.cumsum(drawn, axis=1)[:, ends] - with_tag
        if not ends.size:
            break
        n_with, n_without = with_tag[:, -1:], without[:, -1:]
        gained = np.diff(with_tag, axis=1, prepend=0)
        passed = np.diff(without, axis=1, prepend=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            below = (n_with - with_tag + gained / 2) * passed
            found[0, first : first + len(drawn)] = (
                1 - below.sum(axis=1) / (n_with * n_without)[:, 0]
            )
            share = with_tag / np.maximum(with_tag + without, 1)
            found[1, first : first + len(drawn)] = (gained * share).sum(axis=1) / n_with[:, 0]
            one_sided = (n_with * n_without)[:, 0] == 0
        found[:, first : first + len(drawn)][:, one_sided] = np.nan
    return found


def interval(drawn: Floats) -> tuple[float, float]:
    """95 % interval of the mean over tags of a figure in draws (n_draws, n_tags)."""
    known = [value for value in map(_mean, drawn) if not np.isnan(value)]
    if not known:
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def _mean(values: Sequence[float] | Floats) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
