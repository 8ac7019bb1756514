"""Estimates of tracks: the estimator as configured, several tracks at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tempo_core
from tempo_core.background import TIME_LIMIT, call, parallel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from beets.library import Item

    from tempo_core import Estimate, Estimator


def load_estimator(settings: Any, stopped: Callable[[], bool]) -> Estimator:
    """The estimator as configured. Loading takes some seconds; `stopped` ends it.

    Raises
    ------
    Stopped
        If `stopped` said True.
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
    estimate: Callable[[bytes], Estimate],
    items: Iterable[Item],
    threads: int,
    stopped: Callable[[], bool],
    time_limit: float = TIME_LIMIT,
) -> Iterator[tuple[Item, Estimate | Exception]]:
    """Analyse items in parallel and yield each with its result, in the order they get ready.

    Parameters
    ----------
    estimate
        From an absolute path to a result, thread-safe. An exception is yielded as the result.
    items
        Consumed as needed, so that neither items nor results pile up.
    threads
        Number of tracks analysed at a time.
    stopped
        Asked ten times a second; once it says True, running analyses are abandoned.
    time_limit
        For each track [s].
    """
    # beets stores paths relative to the library, and only the calling thread knows which library:
    # the workers get the absolute path.
    tasks = ((item, item.path) for item in items)
    found = parallel(lambda task: estimate(task[1]), tasks, threads, stopped, time_limit)
    for (item, _), result in found:
        yield item, result
