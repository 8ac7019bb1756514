"""Estimates of tracks with the configured estimator, several tracks at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import tempo_core
from tempo_core.background import TIME_LIMIT, call, parallel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from beets.library import Item

    from tempo_core import Estimator

R = TypeVar("R")


def load_estimator(settings: Any, stopped: Callable[[], bool]) -> Estimator:
    """The estimator for the settings. Loading takes some seconds and ends once `stopped()` is True.

    Raises
    ------
    Stopped
        If `stopped` returned True.
    CheckpointError, ConfigError
        See `tempo_core.Estimator`.
    """
    return call(
        lambda: tempo_core.Estimator(
            model=settings.model,
            windows=settings.windows,
            bpm_range=settings.range,
            tasks=settings.tasks,
        ),
        stopped,
    )


def estimate_all(
    estimate: Callable[[bytes], R],
    items: Iterable[Item],
    threads: int,
    stopped: Callable[[], bool],
    time_limit: float = TIME_LIMIT,
) -> Iterator[tuple[Item, R | Exception]]:
    """Analyse items in parallel and yield each with its result, in the order of completion.

    Parameters
    ----------
    estimate
        Thread-safe function from an absolute path to a result. If it raises an exception, that
        is yielded as the result.
    items
        Items to analyse; consumed as needed, so that neither items nor results pile up.
    threads
        Number of tracks analysed at a time.
    stopped
        Called ten times a second; once it returns True, running analyses are abandoned.
    time_limit
        Time for each track [s].
    """
    # beets stores paths relative to the library, and only the calling thread knows the library, so
    # the workers get absolute paths.
    tasks = ((item, item.path) for item in items)
    found = parallel(lambda task: estimate(task[1]), tasks, threads, stopped, time_limit)
    for (item, _), result in found:
        yield item, result
