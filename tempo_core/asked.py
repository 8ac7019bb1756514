"""Asking tasks about one track while it is listened to, each until it knows enough."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from .answers import Answers
from .errors import AudioError
from .excerpts import Excerpt
from .heard import Heard
from .loading import Row
from .model import Checkpoint
from .task import Results, Scored, Task, answer, ask

_Task = Task[Any, Any, Any, Any]


class Asked:
    """Tasks that are asked about one track, round by round, and their answers so far.

    A task does not depend on how much others need to hear: its answer is the same alone and beside
    them.

    Parameters
    ----------
    rows
        The tasks with their models, each after those that it needs.
    sr
        Sample rate of the audio that is heard [Hz].
    duration
        Length of the track [s]; None if all of it is going to be heard.
    until_enough
        Tasks that know enough are not asked about what follows.
    genres
        What is known of the genre of the track, see `tempo_core.genres`.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        sr: int,
        duration: float | None = None,
        *,
        until_enough: bool = False,
        genres: Sequence[str] = (),
    ):
        self._sr, self._duration, self._until_enough = sr, duration, until_enough
        self._genres = genres
        self._order = [task.name for task, _ in rows]
        self._groups = [_Group(group) for group in independent(rows)]

    def begin_again(self, duration: float | None) -> None:
        """Forget what was heard, because it was in the wrong places of the track.

        Tasks that know enough keep it: alone they would not have listened on, and not found out.

        Parameters
        ----------
        duration
            Length of the track as it is known now [s]; None if all of it is going to be heard.
        """
        self._duration = duration
        self._groups = [g if self._is_done(g) else _Group(g.rows) for g in self._groups]

    def hear(self, music: Sequence[Excerpt]) -> None:
        """Ask the tasks about excerpts of the track, which follow those heard before."""
        self.take(Heard(music, self._sr, self._duration, self._genres))

    def take(self, new: Heard) -> None:
        """Ask the tasks about what was heard, and keep of it what later answers need."""
        asked = [group for group in self._groups if not self._is_done(group)]
        for group in asked:
            group.ask(new)
        settled = new.settled()
        for group in asked:
            group.keep(settled)

    def _is_done(self, group: _Group) -> bool:
        return self._until_enough and group.knows_enough()

    @property
    def has_heard(self) -> bool:
        """Whether anything of the track was heard so far."""
        return any(group.heard is not None for group in self._groups)

    def know_enough(self) -> bool:
        """Whether something was heard and no task needs to hear more of the track."""
        return all(group.knows_enough() for group in self._groups)

    def results(self) -> Answers:
        """Result of every task, by its name; something must have been heard.

        Raises
        ------
        Exception
            What a task raised, if all of them failed.
        """
        results = Answers()
        for group in self._groups:
            results.take((), group.results)
        results.require_one()
        return results.ordered(self._order)


class _Group:
    """Tasks that need each other, with what they heard: as much of a track for one as for all."""

    def __init__(self, rows: Sequence[Row]):
        self.rows = rows
        self._scored: dict[str, list[Scored]] = {task.name: [] for task, _ in rows}
        self._answers = Answers()  # only of tasks that failed while they were asked
        self.heard: Heard | None = None

    def ask(self, new: Heard) -> None:
        """Ask about what was heard."""
        for task, model in self.rows:
            if task.name not in self._answers.failures:
                self._answers.take([task.name], partial(self._ask, task, model, new))

    def _ask(self, task: _Task, model: Checkpoint[Any], new: Heard) -> Results:
        """Ask a task about what was heard; there is no result yet."""
        if task.needs:
            task.keep(new, model)
        else:
            self._scored[task.name] += _scores(task, new, {}, model)
        return {}

    def keep(self, settled: Heard) -> None:
        """Keep what was asked about, without its audio."""
        self.heard = settled if self.heard is None else self.heard + settled

    def knows_enough(self) -> bool:
        """Whether something was heard and no task needs to hear more."""
        return self.heard is not None and all(
            task.enough(self._scored[task.name], model.config)
            for task, model in self.rows
            if not task.needs and task.name not in self._answers.failures
        )

    def results(self) -> Answers:
        """Result of every task, by its name; something must have been heard."""
        results = Answers({}, self._answers.failures)
        for task, model in self.rows:
            if task.name not in results.failures:
                results.take([task.name], partial(self._answer, task, model, results))
        return results

    def _answer(self, task: _Task, model: Checkpoint[Any], results: Answers) -> Results:
        """The result of a task by its name, from those of the tasks that it needs."""
        assert self.heard is not None
        scored = self._scored[task.name]
        if task.needs:
            for name in task.needs:
                _ = results[name]  # raises its error if it failed
            scored = _scores(task, self.heard, results, model)
        return {task.name: answer(task, scored, self.heard, results, model)}


def _scores(task: _Task, heard: Heard, results: Results, model: Checkpoint[Any]) -> list[Scored]:
    """Scores of a task, all of them finite.

    Raises
    ------
    AudioError
        If one is not: weights of a model file may be as large as numbers can be, and what follows
        from no number would be taken for an answer.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        scored = ask(task, heard, results, model)
    if not all(np.isfinite(scores).all() for _, scores in scored):
        raise AudioError("sounds like nothing that the model can put into numbers")
    return scored


def independent(rows: Sequence[Row]) -> list[list[Row]]:
    """Tasks in groups that need nothing of each other; the order stays within each."""
    groups: list[list[Row]] = []
    for row in rows:
        needed = [g for g in groups if any(other.name in row[0].needs for other, _ in g)]
        groups = [g for g in groups if g not in needed]
        groups.append([*(other for g in needed for other in g), row])
    return groups
