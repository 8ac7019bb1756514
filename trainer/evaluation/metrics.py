"""How well tempi agree with labels.

Accuracies, errors and intervals; the MIREX measure for labels with two tempi; what kind of error it
was; and whether a confidence means what it says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempo_core.levels import ACCURACY_2, COUNTED_ELSE, TOLERANCE

from .answers import Answer

# What an estimate usually is to the right tempo, by name: 1/3, 1/2, …
RATIOS = {str(Fraction(k).limit_denominator(9)): k for k in sorted((*COUNTED_ELSE, 1.0))}
OTHER = "other"
N_BINS = 10  # of the reliability diagram
PERCENTILES = (50, 75, 90, 95)  # of the error
LENIENT = 0.08  # relative: another tolerance in use (MIREX)
FAR = 10.0  # [BPM] an error that spoils a run or a mix


def within(
    reference: ArrayLike, estimate: ArrayLike, tolerance: float = TOLERANCE
) -> NDArray[np.bool_]:
    """Whether each estimate lies within the relative `tolerance` of its reference.

    Parameters
    ----------
    reference, estimate
        (n,) tempi [BPM], > 0.

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
    """Whether each estimate counts for Accuracy 2; parameters as of `within`."""
    reference = np.asarray(reference, float)
    return np.any([within(reference * k, estimate) for k in ACCURACY_2], axis=0)


def octave_ratio(reference: float, estimate: float) -> str:
    """Which of `RATIOS` the estimate is of the reference, within 4 %, or `other`."""
    for name, ratio in RATIOS.items():
        if within([reference * ratio], [estimate])[0]:
            return name
    return OTHER


def p_score(
    tempi: tuple[float, float], weight: float, estimate: float, second: float | None
) -> tuple[float, bool, bool]:
    """MIREX measure of an answer to a label with two tempi.

    Parameters
    ----------
    tempi
        The two labelled tempi [BPM].
    weight
        Salience of the first, in 0..1.
    estimate, second
        The answered tempi [BPM]; None if there is only one.

    Returns
    -------
    P-score in 0..1, whether one tempo was found, whether both were; within 8 % (McKinney et al.,
    "Evaluation of audio beat tracking and music tempo extraction algorithms", JNMR 2007; by
    `mir_eval`).
    """
    import mir_eval

    score, one, both = mir_eval.tempo.detection(
        np.array(tempi), weight, np.array([estimate, second or 0.0])
    )
    return float(score), bool(one), bool(both)


@dataclass(frozen=True)
class Bin:
    """The answers of one bin of the reliability diagram: their number and two means in 0..1."""

    n: int
    confidence: float
    accuracy: float


def reliability(confidence: ArrayLike, correct: ArrayLike) -> list[Bin]:
    """The non-empty ones of ten bins of equal width over the confidence (n,) in 0..1.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017.

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
    """Mean gap between confidence and accuracy over the bins of `reliability`, by their counts."""
    bins = reliability(confidence, correct)
    total = sum(b.n for b in bins)
    return sum(b.n * abs(b.confidence - b.accuracy) for b in bins) / total if total else math.nan


def bootstrap_interval(
    values: ArrayLike, groups: Sequence[str], seed: int = 0, n_draws: int = 2000
) -> tuple[float, float]:
    """95 % interval of the mean of `values` (n,), drawing whole groups with replacement.

    Recordings of one artist resemble each other, so the artist is what is drawn (cluster bootstrap;
    Efron & Tibshirani, "An introduction to the bootstrap", 1993).

    Raises
    ------
    ValueError
        If there is nothing to draw from, or not one group a value.
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


def percentiles(error: ArrayLike) -> dict[str, float]:
    """How far off `PERCENTILES` of the estimates are at most [BPM]; NaN where there are none."""
    error = np.asarray(error, float)
    return {str(p): float(np.percentile(error, p)) if error.size else math.nan for p in PERCENTILES}


def progress(reference: ArrayLike, estimate: ArrayLike) -> dict[str, float]:
    """What is logged of a model while it learns, from its tempi (n,) of recordings held back.

    Shares in 0..1 and percentiles of the error in BPM, by the names of `plots.NAMES`.
    """
    error = np.abs(np.asarray(estimate, float) - np.asarray(reference, float))
    return {
        "validation_acc1": acc1(reference, estimate),
        "validation_within_8_percent": float(within(reference, estimate, LENIENT).mean()),
        "validation_acc2": acc2(reference, estimate),
        "validation_within_10_bpm": float((error <= FAR).mean()),
        **{f"validation_error_{p}": value for p, value in percentiles(error).items()},
    }


def right(
    answers: Sequence[Answer],
    accuracy: Callable[[ArrayLike, ArrayLike], NDArray[np.bool_]] = within,
) -> NDArray[np.float64]:
    """(n,) 1 where an answer is right by this accuracy, 0 where it is wrong or there is none."""
    return np.array([
        0.0 if a.estimate is None else float(accuracy([a.bpm], [a.estimate])[0]) for a in answers
    ])  # fmt: skip


def signed(share: float) -> str:
    """A difference of shares in points, with its sign; none where it rounds to nothing."""
    points = round(100 * share, 1)
    return f"{points:+.1f}" if points else "0.0"


def mean_or_nan(values: ArrayLike) -> float:
    """The mean of values (n,), NaN if there are none."""
    values = np.asarray(values, float)
    return float(values.mean()) if values.size else math.nan
