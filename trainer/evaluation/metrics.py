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

from tempo_core.levels import ACCURACY_2, COUNTED_ELSE, TOLERANCE, is_same
from tempo_core.paces import COMPATIBLE, SAME

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


@dataclass(frozen=True)
class Metrics:
    """Figures of one estimator on one set of tracks.

    Shares in 0..1, errors in BPM, intervals of 95 % by `group`; NaN where there is nothing to say.
    A track that could not be estimated counts as wrong for the accuracies, and not at all for the
    others.
    """

    n: int
    n_failed: int
    acc1: float
    acc1_interval: tuple[float, float]
    acc2: float
    acc2_interval: tuple[float, float]
    within_1_percent_of_all: float
    within_8_percent_of_all: float
    within_10_bpm_of_all: float
    error_mean: float
    error_percentiles: dict[str, float]  # of PERCENTILES
    within_1_percent: float  # this and the next three: of the octave-correct
    within_0_1_bpm: float
    within_0_1_bpm_interval: tuple[float, float]
    within_0_5_bpm: float
    ece: float
    alternative: float  # share of wrong octaves that are a published or plausible alternative
    n_two_tempi: int  # labels with two tempi, which the next three are about
    p_score: float
    one_correct: float
    both_correct: float


def measure(answers: Sequence[Answer]) -> Metrics:
    """Figures of the answers of one estimator.

    Raises
    ------
    ValueError
        If there are none.
    """
    if not answers:
        raise ValueError("nothing to measure: no answers")
    groups = [answer.group for answer in answers]
    first, second = right(answers), right(answers, within_levels)
    found = [answer for answer in answers if answer.estimate is not None]
    reference = np.array([answer.bpm for answer in found])
    estimate = np.array([answer.estimate for answer in found], float)
    correct = within(reference, estimate)
    error = np.abs(estimate - reference)
    precise = error[correct]
    # Labels are given to 0.1 and estimates to 0.01: half a digit of slack on the boundary.
    very_precise = precise <= 0.1 + 0.005
    correct_groups = [answer.group for answer, ok in zip(found, correct, strict=True) if ok]
    wrong = [answer for answer, ok in zip(found, correct, strict=True) if not ok]
    known = [
        any(within([bpm], [answer.estimate])[0] for bpm in answer.alternatives)
        for answer in wrong
        if answer.estimate is not None
    ]
    sure = [(a.confidence, ok) for a, ok in zip(found, correct, strict=True)]
    stated = np.array([pair for pair in sure if pair[0] is not None], float).reshape(-1, 2)
    # People's salience is seldom published; without it both tempi count alike.
    scores = np.array([
        p_score(
            (answer.bpm, answer.alternatives[0]),
            0.5 if answer.weight is None else answer.weight,
            answer.estimate,
            answer.second,
        )
        for answer in found
        if answer.alternatives and answer.estimate is not None
    ], float).reshape(-1, 3)  # fmt: skip
    return Metrics(
        n=len(answers),
        n_failed=len(answers) - len(found),
        acc1=float(first.mean()),
        acc1_interval=bootstrap_interval(first, groups),
        acc2=float(second.mean()),
        acc2_interval=bootstrap_interval(second, groups),
        within_1_percent_of_all=float(right(answers, lambda r, e: within(r, e, 0.01)).mean()),
        within_8_percent_of_all=float(right(answers, lambda r, e: within(r, e, LENIENT)).mean()),
        within_10_bpm_of_all=float((error <= FAR).sum() / len(answers)),
        error_mean=_mean(error),
        error_percentiles=percentiles(error),
        within_1_percent=_mean(precise <= 0.01 * reference[correct]),
        within_0_1_bpm=_mean(very_precise),
        within_0_1_bpm_interval=(
            bootstrap_interval(very_precise, correct_groups)
            if correct_groups
            else (math.nan, math.nan)
        ),
        within_0_5_bpm=_mean(precise <= 0.5),
        ece=expected_calibration_error(stated[:, 0], stated[:, 1]),
        alternative=_mean(known),
        n_two_tempi=len(scores),
        p_score=_mean(scores[:, 0]),
        one_correct=_mean(scores[:, 1]),
        both_correct=_mean(scores[:, 2]),
    )


@dataclass(frozen=True)
class PaceMetrics:
    """How well paces are judged of tracks whose owner stated them; shares in 0..1.

    `accuracy` is that of all candidates and all stated paces, each offered or not. `offered` is the
    share of the stated paces that are offered, `stated` that of the offered ones that were stated;
    NaN where there are none.
    """

    n_tracks: int
    n_candidates: int
    accuracy: float
    offered: float
    stated: float


def measure_paces(answers: Sequence[Answer]) -> PaceMetrics | None:
    """Figures of the answers to tracks with stated paces, None if there are none of those.

    A track that could not be estimated offers nothing.
    """
    known = [answer for answer in answers if answer.paces]
    if not known or not any(answer.judged for answer in known):
        return None
    rows: list[tuple[bool, bool]] = []  # offered, stated
    for answer in known:
        rows += [
            (p.probability >= COMPATIBLE, any(_same(p.bpm, bpm) for bpm in answer.paces))
            for p in answer.judged
        ]
        # What was stated and not even looked at.
        rows += [
            (False, True)
            for bpm in answer.paces
            if not any(_same(p.bpm, bpm) for p in answer.judged)
        ]
    offered, stated = np.array(rows, bool).T
    return PaceMetrics(
        n_tracks=len(known),
        n_candidates=len(rows),
        accuracy=float((offered == stated).mean()),
        offered=_mean(offered[stated]),
        stated=_mean(stated[offered]),
    )


def _same(bpm: float, other: float) -> bool:
    return is_same(bpm, other, SAME)


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


@dataclass(frozen=True)
class GroupMetrics:
    """A few figures of some of the tracks: accuracies in 0..1, the median error in BPM."""

    n: int
    acc1: float
    acc2: float
    error_median: float


def by(answers: Sequence[Answer], key: Callable[[Answer], str]) -> dict[str, GroupMetrics]:
    """Figures of the tracks by what `key` says of them, in the order of the keys.

    Those of which it says nothing (an empty string) are left out.
    """
    parts: dict[str, list[Answer]] = {}
    for answer in answers:
        if name := key(answer):
            parts.setdefault(name, []).append(answer)
    return {name: _part(parts[name]) for name in sorted(parts)}


def _part(answers: Sequence[Answer]) -> GroupMetrics:
    errors = [abs(a.error) for a in answers if a.error is not None]
    return GroupMetrics(
        len(answers),
        float(right(answers).mean()),
        float(right(answers, within_levels).mean()),
        float(np.median(errors)) if errors else math.nan,
    )


def decade(answer: Answer) -> str:
    """Ten BPM of the label, such as ` 60-69`; the names sort as the tempi do."""
    low = 10 * int(answer.bpm // 10)
    return f"{low:3}-{low + 9}"


def confusion(answers: Sequence[Answer]) -> dict[str, int]:
    """How many estimates are which of `RATIOS` of their label, or none of them (`other`)."""
    counts = dict.fromkeys((*RATIOS, OTHER), 0)
    for answer in answers:
        if answer.estimate is not None:
            counts[octave_ratio(answer.bpm, answer.estimate)] += 1
    return counts


def signed(share: float) -> str:
    """A difference of shares in points, with its sign; none where it rounds to nothing."""
    points = round(100 * share, 1)
    return f"{points:+.1f}" if points else "0.0"


def _mean(values: ArrayLike) -> float:
    values = np.asarray(values, float)
    return float(values.mean()) if values.size else math.nan
