"""Figures of one estimator's answers: of all tracks, of groups of them, and of judged paces."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempo_core.levels import is_same
from tempo_core.paces import COMPATIBLE, SAME_PACE

from .answers import Answer
from .metrics import (
    ERROR_RATIOS,
    FAR_OFF,
    LENIENT_TOLERANCE,
    OTHER_RATIO,
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

    Shares are in 0..1 and errors in BPM; intervals are 95 % intervals of a bootstrap over `group`.
    A figure is NaN if no track counts for it. A track that could not be estimated counts as wrong
    for the accuracies, and not at all for the other figures.
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
    # This and the next three: shares of the estimates that are right within 4 %.
    within_1_percent: float
    within_0_1_bpm: float
    within_0_1_bpm_interval: tuple[float, float]
    within_0_5_bpm: float
    ece: float  # expected calibration error of the confidence
    # The same of the octave confidence, among the estimates that are right up to the octave.
    octave_ece: float
    alternative: float  # share of the wrong estimates that are among the track's alternatives
    n_two_tempi: int  # number of labels with two tempi, which the next three figures are about
    p_score: float
    one_correct: float
    both_correct: float


def sure(answers: Iterable[Answer]) -> tuple[list[float], list[bool]]:
    """The confidence of each answer that has one, and whether the answer is right."""
    pairs = [
        (a.confidence, bool(within([a.bpm], [a.estimate])[0]))
        for a in answers
        if a.confidence is not None and a.estimate is not None
    ]
    return [c for c, _ in pairs], [ok for _, ok in pairs]


def sure_octave(answers: Iterable[Answer]) -> tuple[list[float], list[bool]]:
    """The octave confidence of each answer whose rate is right, and whether its octave is."""
    pairs = [
        (a.octave_confidence, bool(within([a.bpm], [a.estimate])[0]))
        for a in answers
        if a.octave_confidence is not None
        and a.estimate is not None
        and within_levels([a.bpm], [a.estimate])[0]
    ]
    return [c for c, _ in pairs], [ok for _, ok in pairs]


def measure(answers: Sequence[Answer]) -> Metrics:
    """Figures of the answers of one estimator.

    Raises
    ------
    ValueError
        If there are no answers.
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
    # Labels have one decimal and estimates two: 0.005 is the slack for rounding of the estimate.
    very_precise = precise <= 0.1 + 0.005
    correct_groups = [answer.group for answer, ok in zip(found, correct, strict=True) if ok]
    wrong = [answer for answer, ok in zip(found, correct, strict=True) if not ok]
    scores = _two_tempi_scores(found)
    return Metrics(
        n=len(answers),
        n_failed=len(answers) - len(found),
        acc1=float(first.mean()),
        acc1_interval=bootstrap_interval(first, groups),
        acc2=float(second.mean()),
        acc2_interval=bootstrap_interval(second, groups),
        within_1_percent_of_all=float(right(answers, lambda r, e: within(r, e, 0.01)).mean()),
        within_8_percent_of_all=float(
            right(answers, lambda r, e: within(r, e, LENIENT_TOLERANCE)).mean()
        ),
        within_10_bpm_of_all=float((error <= FAR_OFF).sum() / len(answers)),
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
        ece=expected_calibration_error(*sure(answers)),
        octave_ece=expected_calibration_error(*sure_octave(answers)),
        alternative=mean_or_nan(_known_alternatives(wrong)),
        n_two_tempi=len(scores),
        p_score=mean_or_nan(scores[:, 0]),
        one_correct=mean_or_nan(scores[:, 1]),
        both_correct=mean_or_nan(scores[:, 2]),
    )


def _known_alternatives(wrong: Sequence[Answer]) -> list[bool]:
    """Whether each wrong estimate is among the alternatives of its track."""
    return [
        any(within([bpm], [answer.estimate])[0] for bpm in answer.alternatives)
        for answer in wrong
        if answer.estimate is not None
    ]


def _two_tempi_scores(answers: Sequence[Answer]) -> NDArray[np.float64]:
    """(n, 3) `p_score` of the answers whose label has two tempi.

    The salience of the tempi is seldom published; without it, both count the same.
    """
    return np.array([
        p_score(
            (answer.bpm, answer.alternatives[0]),
            0.5 if answer.weight is None else answer.weight,
            answer.estimate,
            answer.second,
        )
        for answer in answers
        if answer.alternatives and answer.estimate is not None
    ], float).reshape(-1, 3)  # fmt: skip


@dataclass(frozen=True)
class PaceMetrics:
    """Figures of the judged paces of tracks whose owner stated the right ones; shares in 0..1.

    A candidate is offered if its probability is high enough. `accuracy` is the share of right
    decisions about all candidates and all stated paces (`n_candidates` together). `offered` is the
    share of stated paces that are offered (recall), `stated` the share of offered ones that were
    stated (precision); NaN if there are none.
    """

    n_tracks: int
    n_candidates: int
    accuracy: float
    offered: float
    stated: float


def measure_paces(answers: Sequence[Answer]) -> PaceMetrics | None:
    """Figures of the answers for tracks with stated paces.

    A track that could not be estimated offers nothing. The result is None if there are no such
    tracks, or the estimator judges no paces.
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
        # Stated paces that were not even candidates.
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
    """Whether two tempi [BPM] are the same pace."""
    return is_same(bpm, other, SAME_PACE)


@dataclass(frozen=True)
class GroupMetrics:
    """A few figures of one group of tracks: accuracies in 0..1, the median error in BPM."""

    n: int
    acc1: float
    acc2: float
    error_median: float


def by(answers: Sequence[Answer], key: Callable[[Answer], str]) -> dict[str, GroupMetrics]:
    """Figures of groups of tracks, by the key of each group, sorted.

    Parameters
    ----------
    key
        Returns the key of an answer's group; answers with an empty key are left out.
    """
    parts: dict[str, list[Answer]] = {}
    for answer in answers:
        if name := key(answer):
            parts.setdefault(name, []).append(answer)
    return {name: _part(parts[name]) for name in sorted(parts)}


def _part(answers: Sequence[Answer]) -> GroupMetrics:
    """Figures of the answers (at least one) in one group."""
    errors = [abs(a.error) for a in answers if a.error is not None]
    return GroupMetrics(
        len(answers),
        float(right(answers).mean()),
        float(right(answers, within_levels).mean()),
        float(np.median(errors)) if errors else math.nan,
    )


def decade(answer: Answer) -> str:
    """The range of ten BPM that the label is in, such as ` 60-69`; names sort like the tempi."""
    low = 10 * int(answer.bpm // 10)
    return f"{low:3}-{low + 9}"


def confusion(answers: Sequence[Answer]) -> dict[str, int]:
    """Number of estimates at each of `ERROR_RATIOS` to their label, and at `other` ratios."""
    counts = dict.fromkeys((*ERROR_RATIOS, OTHER_RATIO), 0)
    for answer in answers:
        if answer.estimate is not None:
            counts[octave_ratio(answer.bpm, answer.estimate)] += 1
    return counts
