"""Figures of one estimator's answers: of all, of groups, and of the paces it judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tempo_core.levels import is_same
from tempo_core.paces import COMPATIBLE, SAME_PACE

from .answers import Answer
from .metrics import (
    FAR,
    LENIENT,
    OTHER,
    RATIOS,
    bootstrap_interval,
    expected_calibration_error,
    mean_or_nan,
    octave_ratio,
    p_score,
    percentiles,
    right,
    within,
    within_levels,
)


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
        error_mean=mean_or_nan(error),
        error_percentiles=percentiles(error),
        within_1_percent=mean_or_nan(precise <= 0.01 * reference[correct]),
        within_0_1_bpm=mean_or_nan(very_precise),
        within_0_1_bpm_interval=(
            bootstrap_interval(very_precise, correct_groups)
            if correct_groups
            else (math.nan, math.nan)
        ),
        within_0_5_bpm=mean_or_nan(precise <= 0.5),
        ece=expected_calibration_error(stated[:, 0], stated[:, 1]),
        alternative=mean_or_nan(known),
        n_two_tempi=len(scores),
        p_score=mean_or_nan(scores[:, 0]),
        one_correct=mean_or_nan(scores[:, 1]),
        both_correct=mean_or_nan(scores[:, 2]),
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
        offered=mean_or_nan(offered[stated]),
        stated=mean_or_nan(stated[offered]),
    )


def _same(bpm: float, other: float) -> bool:
    return is_same(bpm, other, SAME_PACE)


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
