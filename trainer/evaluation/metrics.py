"""Measures of how well tempi agree with labels.

These are accuracies, errors and their intervals, the MIREX measure for labels with two tempi, the
kinds of errors, and the calibration of confidences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempo_core.levels import ACCURACY_2, COUNTED_ELSE, TOLERANCE

from .answers import Answer

# Ratios that estimates often have to the right tempo, by name: 1/3, 1/2, …
ERROR_RATIOS = {str(Fraction(k).limit_denominator(9)): k for k in sorted((*COUNTED_ELSE, 1.0))}
OTHER_RATIO = "other"  # name of every other ratio
N_BINS = 10  # number of bins in the reliability diagram
PERCENTILES = (50, 75, 90, 95)  # percentiles of the error that are reported
LENIENT_TOLERANCE = 0.08  # relative tolerance of MIREX
FAR_OFF = 10.0  # [BPM] an error that spoils running to the music, or mixing it


def within(
    reference: ArrayLike, estimate: ArrayLike, tolerance: float = TOLERANCE
) -> NDArray[np.bool_]:
    """Whether each estimate lies within the relative `tolerance` of its reference.

    Parameters
    ----------
    reference, estimate
        (n,) tempi [BPM], > 0.

    Returns
    -------
    (n,) flags.

    Raises
    ------
    ValueError
        If the shapes differ, or a tempo is not a positive number.
    """
    reference, estimate = np.asarray(reference, float), np.asarray(estimate, float)
    if reference.shape != estimate.shape:
        raise ValueError(f"{reference.shape} references, {estimate.shape} estimates: must match")
    if not (np.isfinite(reference).all() and (reference > 0).all()):
        raise ValueError("reference tempi must be positive numbers")
    if not (np.isfinite(estimate).all() and (estimate > 0).all()):
        raise ValueError("estimated tempi must be positive numbers")
    # The slack lets a value on the boundary count in spite of rounding.
    return np.abs(estimate - reference) <= tolerance * reference * (1 + 1e-9)


def acc1(reference: ArrayLike, estimate: ArrayLike) -> float:
    """Accuracy 1: share of estimates within 4 %, in 0..1."""
    return float(within(reference, estimate).mean())


def acc2(reference: ArrayLike, estimate: ArrayLike) -> float:
    """Accuracy 2: share within 4 % of the reference or ⅓, ½, 2 or 3 times it, in 0..1."""
    return float(within_levels(reference, estimate).mean())


def within_levels(reference: ArrayLike, estimate: ArrayLike) -> NDArray[np.bool_]:
    """Whether each estimate is right for Accuracy 2; parameters and result are as in `within`."""
    reference = np.asarray(reference, float)
    return np.any([within(reference * k, estimate) for k in ACCURACY_2], axis=0)


def octave_ratio(reference: float, estimate: float) -> str:
    """The name of the ratio of an estimate to its reference, within 4 %, or `other`."""
    for name, ratio in ERROR_RATIOS.items():
        if within([reference * ratio], [estimate])[0]:
            return name
    return OTHER_RATIO


def p_score(
    tempi: tuple[float, float], weight: float, estimate: float, second: float | None
) -> tuple[float, bool, bool]:
    """MIREX measure of an answer for a label with two tempi.

    Parameters
    ----------
    tempi
        The two labelled tempi [BPM].
    weight
        Salience of the first one, in 0..1.
    estimate, second
        The answered tempi [BPM]; `second` is None if there is only one.

    Returns
    -------
    P-score in 0..1, whether at least one tempo was found, and whether both were, within 8 %.

    Notes
    -----
    McKinney et al., "Evaluation of audio beat tracking and music tempo extraction algorithms",
    JNMR 2007; computed by `mir_eval`.
    """
    import mir_eval

    score, one, both = mir_eval.tempo.detection(
        np.array(tempi), weight, np.array([estimate, second or 0.0])
    )
    return float(score), bool(one), bool(both)


@dataclass(frozen=True)
class Bin:
    """One bin of the reliability diagram: the number of answers, and two means in 0..1."""

    n: int
    confidence: float
    accuracy: float


def reliability(confidence: ArrayLike, correct: ArrayLike) -> list[Bin]:
    """The reliability diagram: ten bins of equal width over the confidence, without empty ones.

    Parameters
    ----------
    confidence
        (n,) in 0..1.
    correct
        (n,) whether each answer is right.

    Notes
    -----
    Guo et al., "On calibration of modern neural networks", ICML 2017.

    Raises
    ------
    ValueError
        If a confidence is outside 0..1.
    """
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, float)
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError("confidences must be numbers in 0..1")
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    return [
        Bin(int(inside.sum()), float(confidence[inside].mean()), float(correct[inside].mean()))
        for inside in (bins == k for k in np.unique(bins))
    ]


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Mean distance between confidence and accuracy in the bins of `reliability`, in 0..1.

    The bins are weighted by their number of answers; the result is NaN if there are none.
    """
    bins = reliability(confidence, correct)
    total = sum(b.n for b in bins)
    return sum(b.n * abs(b.confidence - b.accuracy) for b in bins) / total if total else math.nan


def bootstrap_interval(
    values: ArrayLike, groups: Sequence[str], seed: int = 0, n_draws: int = 2000
) -> tuple[float, float]:
    """95 % interval of the mean of `values` (n,), by drawing whole groups with replacement.

    Recordings of one artist resemble each other, so artists are drawn and not recordings (cluster
    bootstrap; Efron & Tibshirani, "An introduction to the bootstrap", 1993).

    Parameters
    ----------
    groups
        Name of the group of each value.

    Raises
    ------
    ValueError
        If there are no values, or not as many groups as values.
    """
    values = np.asarray(values, float)
    if not values.size or values.size != len(groups):
        raise ValueError(f"{values.size} values, {len(groups)} groups: give one group a value")
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    sums, counts = np.bincount(index, weights=values), np.bincount(index)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, sums.size, size=(n_draws, sums.size))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def bootstrap_groups(
    groups: Sequence[str], n_draws: int, seed: int = 0
) -> Iterator[NDArray[np.int64]]:
    """Which tracks each draw of a bootstrap has: whole groups, drawn with replacement.

    It is for figures that are no means of values; see `bootstrap_interval`.
    """
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(index, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(index))[:-1])
    rng = np.random.default_rng(seed)
    for _ in range(n_draws):
        drawn = rng.integers(0, names.size, size=names.size)
        yield np.concatenate([order[:0], *(members[k] for k in drawn)])


def percentiles(error: ArrayLike) -> dict[str, float]:
    """`PERCENTILES` of the errors (n,) [BPM], by their number as text; NaN if there are none."""
    error = np.asarray(error, float)
    return {str(p): float(np.percentile(error, p)) if error.size else math.nan for p in PERCENTILES}


def progress(reference: ArrayLike, estimate: ArrayLike) -> dict[str, float]:
    """Figures that are logged while a model learns, from its tempi (n,) of held-out recordings.

    They are shares in 0..1 and percentiles of the error in BPM, by the names of
    `plots.LEGEND_NAMES`.
    """
    error = np.abs(np.asarray(estimate, float) - np.asarray(reference, float))
    return {
        "validation_acc1": acc1(reference, estimate),
        "validation_within_8_percent": float(within(reference, estimate, LENIENT_TOLERANCE).mean()),
        "validation_acc2": acc2(reference, estimate),
        "validation_within_10_bpm": float((error <= FAR_OFF).mean()),
        **{f"validation_error_{p}": value for p, value in percentiles(error).items()},
    }


def right(
    answers: Sequence[Answer],
    accuracy: Callable[[ArrayLike, ArrayLike], NDArray[np.bool_]] = within,
) -> NDArray[np.float64]:
    """Whether each answer is right: (n,) 1 if it is, 0 if it is wrong or there is no estimate.

    Parameters
    ----------
    accuracy
        The measure that decides: `within` or `within_levels`.
    """
    return np.array([
        0.0 if a.estimate is None else float(accuracy([a.bpm], [a.estimate])[0]) for a in answers
    ])  # fmt: skip


def signed(share: float) -> str:
    """A difference of shares as text in percentage points with its sign; `0.0` has none."""
    points = round(100 * share, 1)
    return f"{points:+.1f}" if points else "0.0"


def mean_or_nan(values: ArrayLike) -> float:
    """The mean of values (n,), NaN if there are none."""
    values = np.asarray(values, float)
    return float(values.mean()) if values.size else math.nan
