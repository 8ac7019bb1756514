"""The commands that the trainer adds to `tempo-core`, a module each; each loads next to nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

from tempo_core.background import GRACE, call
from tempo_core.console import echo
from tempo_core.engines import Engine, Threads
from tempo_core.engines.schedulers import open_engine

T = TypeVar("T")
CLUSTER_GRACE = 5.0  # [s], as `GRACE`


def load(name: str, stop: Event) -> Any:
    """A module of the trainer; loading takes seconds, which Ctrl-C can cut short.

    Raises
    ------
    Stopped
        If it was to stop.
    ImportError
        If it needs a package that is not installed.
    """
    return call(lambda: import_module(f"trainer.{name}"), stop.is_set)


@contextmanager
def opened(
    scheduler: str | None, jobs: int, config: Path | None, stop: Event
) -> Iterator[Engine | None]:
    """Context with the engine of a cluster; None where no scheduler is named.

    Raises
    ------
    ClusterError, ConfigError, ImportError, Stopped
        See `tempo_core.engines.schedulers.open_engine`.
    """

    def tell(line: str) -> None:
        echo(line, err=True)

    with open_engine(scheduler, jobs, config, stop.is_set, tell) as engine:
        yield None if scheduler is None else engine


def work(function: Callable[[], T], stop: Event, engine: Engine | None = None) -> T:
    """The result of a command's work, which Ctrl-C ends soon, whatever it is doing.

    Parameters
    ----------
    engine
        What does the work; that of a cluster has to take back what is under way there.

    Raises
    ------
    Stopped
        If it was to stop.
    """
    return call(function, stop.is_set, patience=patience_with(engine))


def patience_with(engine: Engine | None) -> float:
    """Time that work has to end by itself after Ctrl-C [s]; see `work`."""
    return GRACE if engine is None or isinstance(engine, Threads) else CLUSTER_GRACE
