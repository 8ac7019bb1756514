"""Running the steps of a build: in threads or on a cluster, with a progress bar, until stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from tqdm import tqdm

from tempo_core.background import Background, Stopped, parallel
from tempo_core.engines import Engine, Threads, Work

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Running:
    """Settings with which every step of a build runs.

    `jobs` files are processed at a time, and each may take `time_limit` [s]. `stop` is called ten
    times a second; once it returns True, the step is abandoned. With `quiet` no bar is shown.
    `engine` does what is done with all files; None is that of `jobs` threads.
    """

    jobs: int
    time_limit: float
    quiet: bool
    stop: Callable[[], bool]
    engine: Engine | None = None

    def progress(self, what: str, total: int | None) -> tqdm[None]:
        """A progress bar over tracks; `total` None for an unknown number."""
        hidden = True if self.quiet else None  # None: hidden unless stderr is a terminal
        return tqdm(desc=what, total=total, unit="track", disable=hidden, dynamic_ncols=True)

    def each(
        self, function: Callable[[T], R], tasks: Iterable[T]
    ) -> Iterator[tuple[T, R | Exception]]:
        """Apply a function to tasks in one thread, see `background.parallel`.

        Yields (task, its result or the exception it raised).
        """
        return parallel(function, tasks, 1, self.stop, self.time_limit)

    def do(self, work: Work[T, R], tasks: Iterable[T]) -> Iterator[tuple[T, R | Exception]]:
        """Do some work on tasks; yields as `each` does."""
        engine = self.engine or Threads(self.jobs)
        return engine.each(work, tasks, self.stop, self.time_limit)

    def abandonable(self, function: Callable[[], T]) -> T:
        """The result of a long function, run in a thread that is abandoned if the build is stopped.

        Raises
        ------
        Stopped
            If the build is stopped.
        """
        background = Background(self.stop)
        try:
            return background.call(function)
        except Stopped:
            self.check_stop()
            raise
        finally:
            background.close()

    def check_stop(self) -> None:
        """End the build here if the user has asked to stop it.

        Raises
        ------
        Stopped
            If `stop` returns True.
        """
        if self.stop():
            raise Stopped("interrupted; what was computed is kept, and the next run goes on there")
