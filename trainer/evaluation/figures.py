"""Figures of all estimators in an evaluation, and the answers that are worth checking."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .answers import Answer
from .measuring import GroupMetrics, Metrics, by, confusion, decade, measure
from .metrics import bootstrap_interval, right, within, within_levels


@dataclass(frozen=True)
class EvaluationFigures:
    """All figures of one estimator; `sets` is empty unless there are several sets."""

    all: Metrics
    sets: dict[str, Metrics]
    genres: dict[str, GroupMetrics]
    decades: dict[str, GroupMetrics]
    confusion: dict[str, int]
    # Accuracy 1 minus that of the first estimator, and its 95 % interval; None for the first one,
    # and for an estimator that answered other tracks.
    ahead: float | None
    ahead_interval: tuple[float, float] | None


def by_estimator(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    """The answers of each estimator, in the order in which they first appear."""
    found: dict[str, list[Answer]] = {}
    for answer in answers:
        found.setdefault(answer.estimator, []).append(answer)
    return found


def figures_of(answers: Sequence[Answer]) -> dict[str, EvaluationFigures]:
    """Figures of every estimator; the others are compared to the first one."""
    figures = {}
    first: dict[Path, float] = {}
    for name, own in by_estimator(answers).items():
        sets = by_key(own, lambda answer: answer.set)
        rights = dict(zip((a.path for a in own), right(own).tolist(), strict=True))
        ahead = interval = None
        if not first:
            first = rights
        elif rights.keys() == first.keys():
            gaps = [rights[a.path] - first[a.path] for a in own]
            ahead = sum(gaps) / len(gaps)
            interval = bootstrap_interval(gaps, [a.group for a in own])
        figures[name] = EvaluationFigures(
            all=measure(own),
            sets={s: measure(part) for s, part in sets.items()} if len(sets) > 1 else {},
            genres=by(own, lambda answer: answer.genre),
            decades=by(own, decade),
            confusion=confusion(own),
            ahead=ahead,
            ahead_interval=interval,
        )
    return figures


def by_key(answers: Iterable[Answer], key: Callable[[Answer], str]) -> dict[str, list[Answer]]:
    """Answers by their key, in the order in which the keys first appear."""
    parts: dict[str, list[Answer]] = {}
    for answer in answers:
        parts.setdefault(key(answer), []).append(answer)
    return parts


def worst(answers: Sequence[Answer]) -> list[Answer]:
    """The wrong answers: first those with no octave error, and among equal ones the surest first.

    The labels of the first ones are worth checking: an estimator that is sure of another tempo is
    often right.
    """

    def badness(answer: Answer) -> tuple[bool, float]:
        explained = answer.estimate and within_levels([answer.bpm], [answer.estimate])[0]
        return not explained, answer.confidence or 0.0

    wrong = [a for a in answers if a.estimate and not within([a.bpm], [a.estimate])[0]]
    return sorted(wrong, key=badness, reverse=True)
