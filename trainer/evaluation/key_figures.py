"""Figures of estimated keys: of all tracks, of sets of them, and what is taken for what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .key_answers import KeyAnswer
from .keys import key_score, measure_keys
from .metrics import bootstrap_interval, expected_calibration_error

INTERVALS = 12  # [semitones] from the root of the label up to that of the estimate: 0 to 11
NO_KEY = "none"  # name of the column of answers without a key
# Rows of the confusion: the mode of the label, and whether the estimate has the same.
CONFUSION_ROWS = ("major as major", "major as minor", "minor as minor", "minor as major")


@dataclass(frozen=True)
class KeySetMetrics:
    """Figures of one estimator on one set of tracks; shares and scores in 0..1.

    `weighted` is the score of the MIREX contest, `exact` the share of equal keys; their 95 %
    intervals are of a bootstrap over `group`. A track without an answer counts as wrong. `ece` is
    the expected calibration error of the confidence, NaN where none is stated. `relations` says how
    often each of `keys.RELATIONS` occurs.
    """

    n: int
    n_failed: int
    weighted: float
    weighted_interval: tuple[float, float]
    exact: float
    exact_interval: tuple[float, float]
    ece: float
    relations: dict[str, int]


@dataclass(frozen=True)
class KeyFigures:
    """All figures of one estimator; `sets` is empty unless there are several sets.

    `confusion` has for each of `CONFUSION_ROWS` the number of answers at each interval, and last
    that of answers without a key. `ahead` is the weighted score minus that of the first estimator,
    with its 95 % interval; None for the first one, and if the tracks are others.
    """

    all: KeySetMetrics
    sets: dict[str, KeySetMetrics]
    confusion: dict[str, tuple[int, ...]]
    ahead: float | None
    ahead_interval: tuple[float, float] | None


def keys_by_estimator(answers: Iterable[KeyAnswer]) -> dict[str, list[KeyAnswer]]:
    """The answers of each estimator, in the order in which they first appear."""
    found: dict[str, list[KeyAnswer]] = {}
    for answer in answers:
        found.setdefault(answer.estimator, []).append(answer)
    return found


def key_figures_of(answers: Sequence[KeyAnswer]) -> dict[str, KeyFigures]:
    """Figures of every estimator; the others are compared to the first one."""
    figures: dict[str, KeyFigures] = {}
    first: dict[Path, float] = {}
    for name, own in keys_by_estimator(answers).items():
        scores = {a.track.path: key_score(a.reference, a.estimate) for a in own}
        ahead = interval = None
        if not first:
            first = scores
        elif scores.keys() == first.keys():
            gaps = [scores[a.track.path] - first[a.track.path] for a in own]
            ahead, interval = float(np.mean(gaps)), bootstrap_interval(gaps, _groups(own))
        sets: dict[str, list[KeyAnswer]] = {}
        for answer in own:
            sets.setdefault(answer.track.set, []).append(answer)
        figures[name] = KeyFigures(
            all=measure_set(own),
            sets={s: measure_set(part) for s, part in sets.items()} if len(sets) > 1 else {},
            confusion=confusion(own),
            ahead=ahead,
            ahead_interval=interval,
        )
    return figures


def measure_set(answers: Sequence[KeyAnswer]) -> KeySetMetrics:
    """Figures of the answers (at least one) of one estimator."""
    references, groups = [a.reference for a in answers], _groups(answers)
    metrics = measure_keys(references, [a.estimate for a in answers])
    scores = [key_score(a.reference, a.estimate) for a in answers]
    right = [float(a.right) for a in answers]
    sure, correct = key_confidences(answers)
    return KeySetMetrics(
        n=metrics.n,
        n_failed=sum(bool(a.failure) for a in answers),
        weighted=metrics.weighted,
        weighted_interval=bootstrap_interval(scores, groups),
        exact=metrics.exact,
        exact_interval=bootstrap_interval(right, groups),
        ece=expected_calibration_error(sure, correct),
        relations=metrics.relations,
    )


def _groups(answers: Sequence[KeyAnswer]) -> list[str]:
    return [answer.track.group for answer in answers]


def key_confidences(answers: Iterable[KeyAnswer]) -> tuple[list[float], list[bool]]:
    """The confidence of each answer that has one, and whether it is the very key."""
    pairs = [(a.confidence, a.right) for a in answers if a.confidence is not None]
    return [c for c, _ in pairs], [ok for _, ok in pairs]


def confusion(answers: Iterable[KeyAnswer]) -> dict[str, tuple[int, ...]]:
    """The number of answers at each interval of the roots, see `KeyFigures`; without failures.

    An answer without a key stands in the row of the label's own mode.
    """
    counts = {name: [0] * (INTERVALS + 1) for name in CONFUSION_ROWS}
    for answer in answers:
        if answer.failure:
            continue
        reference, estimate = answer.reference, answer.estimate
        minor = reference.minor if estimate is None else estimate.minor
        row = f"{'minor' if reference.minor else 'major'} as {'minor' if minor else 'major'}"
        column = INTERVALS
        if estimate is not None:
            column = (estimate.pitch_class - reference.pitch_class) % 12
        counts[row][column] += 1
    return {name: tuple(row) for name, row in counts.items()}


def surest_wrong(answers: Iterable[KeyAnswer]) -> list[KeyAnswer]:
    """The wrong answers, the surest first, and of equally sure ones the farther off."""
    wrong = [a for a in answers if a.estimate is not None and not a.right]
    return sorted(wrong, key=lambda a: (-(a.confidence or 0.0), key_score(a.reference, a.estimate)))
