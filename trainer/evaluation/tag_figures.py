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
    tags: Sequence[str],
    truth: Floats,
    scores: Floats,
    groups: Sequence[str],
    seed: int = 0,
    drawn: DrawnFigures | None = None,
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
    drawn
        What `drawn_figures` says of the same; None computes it.
    """
    drawn = drawn or drawn_figures(truth, scores, groups, seed)
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
    counts = np.zeros((len(truth), n_draws), np.int32)
    for draw, which in enumerate(bootstrap_groups(groups, n_draws, seed)):
        counts[:, draw] = np.bincount(which, minlength=len(truth))
    figures = [_of_draws(counts, truth[:, k], scores[:, k]) for k in range(truth.shape[1])]
    both = np.array(figures).reshape(truth.shape[1], 2, n_draws)
    return DrawnFigures(both[:, 0].T, both[:, 1].T)


def _of_draws(counts: NDArray[np.int32], truth: Floats, scores: Floats) -> Floats:
    """(2, n_draws) area and average precision, each track as often as in `counts` (n, n_draws)."""
    order = np.argsort(-scores, kind="stable")
    order = order[~np.isnan(truth[order])]
    if not order.size or truth[order].min() == truth[order].max():
        return np.full((2, counts.shape[1]), np.nan)
    drawn = counts[order]
    # Tracks of one score are passed together: at the last of them.
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    n_passed = np.cumsum(drawn, axis=0)[ends]
    n_found = np.cumsum(drawn * (truth[order, None] == 1), axis=0)[ends]
    found = np.diff(n_found, axis=0, prepend=0)
    missed = np.diff(n_passed - n_found, axis=0, prepend=0)
    n_with = n_found[-1].astype(float)
    n_without = n_passed[-1] - n_with
    before = n_found - found / 2  # with the tag that stand before those without it
    with np.errstate(invalid="ignore", divide="ignore"):
        auc_roc = (before * missed).sum(axis=0) / (n_with * n_without)
        auc_pr = (found * (n_found / np.maximum(n_passed, 1))).sum(axis=0) / n_with
    figures = np.stack([auc_roc, auc_pr])
    figures[:, n_with * n_without == 0] = np.nan
    return figures


def interval(drawn: Floats) -> tuple[float, float]:
    """95 % interval of the mean over tags of a figure in draws (n_draws, n_tags)."""
    known = ~np.isnan(drawn)
    n_known = known.sum(axis=1)
    if not n_known.any():
        return float("nan"), float("nan")
    sums = np.where(known, drawn, 0).sum(axis=1)
    low, high = np.percentile((sums / np.maximum(n_known, 1))[n_known > 0], [2.5, 97.5])
    return float(low), float(high)


def _mean(values: Sequence[float] | Floats) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
