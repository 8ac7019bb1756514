"""What is done with each of many tracks, as plain data that can be sent to another process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from .. import in_use
from ..background import never

T = TypeVar("T")
R = TypeVar("R")
T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
MOST_LOADED = 4  # works whose models stay in memory


class Work(Protocol[T_contra, R_co]):
    """What is done with each track: a frozen dataclass of plain values, hashable, small.

    It is sent to the processes that do the work, and each of these loads the models once.
    """

    def load(self) -> Callable[[T_contra], R_co]:
        """The thread-safe function that does it, with everything it needs in memory.

        Tasks and results are to be plain: numbers, texts, lists, dataclasses, NumPy arrays.

        Raises
        ------
        TempoError
            If something it needs is not there.
        """

    def __hash__(self) -> int: ...

    def uses(self) -> Mapping[str, str]:
        """The models that the results depend on, each as `model:<name>@<hash>`, by task.

        Raises
        ------
        TempoError
            If one is not there.
        """


class Engine(Protocol):
    """What applies a work to many tasks. A context manager that `open_engine` opens."""

    def each(
        self,
        work: Work[T, R],
        tasks: Iterable[T],
        stopped: Callable[[], bool] = never,
        time_limit: float | None = None,
    ) -> Generator[tuple[T, R | Exception], None, None]:
        """Each task with its result as soon as it is ready, or with the error that it raised.

        Parameters
        ----------
        tasks
            Taken in the calling thread, no more of them than are needed to keep the engine busy.
        stopped
            Called ten times a second; once it returns True, what is under way is abandoned.
        time_limit
            Of each task [s]; a task that takes longer has a `TimeLimitError` as its result.
        """


# By work and `in_use.mark`: a process that waits for work may outlive a model that is in use.
_known: OrderedDict[Hashable, Callable[[Any], Any]] = OrderedDict()
_loading = threading.Lock()


def loaded(work: Work[T, R]) -> Callable[[T], R]:
    """The function of a work, loaded once in this process; see `Work.load`."""
    assert isinstance(work, Hashable)
    key = work, in_use.mark()
    with _loading:
        if key not in _known:
            _known[key] = work.load()
            while len(_known) > MOST_LOADED:
                _known.popitem(last=False)
        _known.move_to_end(key)
        return _known[key]
