"""How the steps of a build run: in how many threads, with a progress bar, and until when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from tqdm import tqdm

from tempo_core.background import Background, Stopped, parallel

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Running:
    """What every step of a build is run with.

    `jobs` files are in work at a time, and each may take `time_limit` [s]. `stop` is asked ten
    times a second; once it says True, the step is abandoned. With `quiet` no bar is shown.
    """

    jobs: int
    time_limit: float
    quiet: bool
    stop: Callable[[], bool]

    def progress(self, what: str, total: int | None) -> tqdm[None]:
        """A progress bar over tracks; `total` None for an unknown number."""
        hidden = True if self.quiet else None  # None: unless stderr is a terminal
        return tqdm(desc=what, total=total, unit="track", disable=hidden, dynamic_ncols=True)

    def each(
        self, function: Callable[[T], R], tasks: Iterable[T], jobs: int | None = None
    ) -> Iterator[tuple[T, R | Exception]]:
        """Apply a function to tasks in threads, see `background.parallel`; `jobs` None for all."""
        return parallel(function, tasks, jobs or self.jobs, self.stop, self.time_limit)

    def abandonable(self, function: Callable[[], T]) -> T:
        """Run a function that takes long in a thread that is left behind if the build is stopped.

        Raises
        ------
        Stopped
            If it is stopped.
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
        """End the build here if it is to stop.

        Raises
        ------
        Stopped
            If so.
        """
        if self.stop():
            raise Stopped("interrupted; what was computed is kept, and the next run goes on there")
