"""The engine of one machine: threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TypeVar

from ..background import never, parallel
from .work import Work, loaded

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Threads:
    """Engine of `jobs` threads; see `Engine`."""

    jobs: int

    def each(
        self,
        work: Work[T, R],
        tasks: Iterable[T],
        stopped: Callable[[], bool] = never,
        time_limit: float | None = None,
    ) -> Generator[tuple[T, R | Exception], None, None]:
        """See `Engine.each`."""
        return parallel(loaded(work), tasks, self.jobs, stopped, time_limit)
