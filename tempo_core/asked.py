"""Asking tasks about one track while it is listened to, until they know enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .excerpts import Excerpt
from .heard import Heard
from .loading import Row
from .task import Scored, answer, ask


class Asked:
    """Tasks that are asked about one track, round by round, and their answers so far.

    Parameters
    ----------
    rows
        The tasks with their models, each after those that it needs.
    sr
        Sample rate of the audio that is heard [Hz].
    duration
        Length of the track [s]; None if all of it is going to be heard.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        sr: int,
        duration: float | None = None,
    ):
        self._rows, self._sr, self._duration = rows, sr, duration
        self._heard: Heard | None = None
        self._scored: dict[str, list[Scored]] = {task.name: [] for task, _ in rows}

    def hear(self, music: Sequence[Excerpt]) -> None:
        """Ask the tasks about excerpts of the track, which follow those heard before."""
        self.take(Heard(music, self._sr, self._duration))

    def take(self, new: Heard) -> None:
        """Ask the tasks about what was heard, and keep of it what later answers need."""
        for task, model in self._rows:
            if task.needs:
                task.keep(new, model)
            else:
                self._scored[task.name] += ask(task, new, {}, model)
        settled = new.settled()
        self._heard = settled if self._heard is None else self._heard + settled

    @property
    def has_heard(self) -> bool:
        """Whether anything of the track was heard so far."""
        return self._heard is not None

    def know_enough(self) -> bool:
        """Whether something was heard and no task needs to hear more of the track."""
        return self.has_heard and all(
            task.enough(self._scored[task.name], model.config)
            for task, model in self._rows
            if not task.needs
        )

    def results(self) -> dict[str, Any]:
        """Result of every task, by its name; something must have been heard."""
        assert self._heard is not None
        results: dict[str, Any] = {}
        for task, model in self._rows:
            scored = self._scored[task.name]
            if task.needs:
                scored = ask(task, self._heard, results, model)
            results[task.name] = answer(task, scored, self._heard, results, model)
        return results
