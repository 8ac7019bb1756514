"""The part of an engine that runs on the workers of a cluster: some tasks, one after another."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from .. import errors, in_use
from ..background import Stopped, call
from ..console import explain
from ..errors import AudioError, TempoError, TimeLimitError
from .provenance import Provenance, provenance
from .work import Work, loaded

if TYPE_CHECKING:
    from ..remote import Storages

# Classes of errors that are made of a message, by their names.
KINDS: dict[str, type[TempoError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, TempoError) and kind is not TimeLimitError
}


@dataclass(frozen=True)
class Failure:
    """An error as plain data: the name of its class and its message."""

    kind: str
    message: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """The failure that tells of an error."""
        if isinstance(error, TimeLimitError):  # which is made of a time and not of a message
            return cls(AudioError.__name__, str(error))
        if type(error).__name__ in KINDS:
            return cls(type(error).__name__, str(error))
        return cls(TempoError.__name__, explain(error))

    def error(self) -> Exception:
        """The error again: of the same class if it is one of `errors`, else a `TempoError`."""
        return KINDS[self.kind](self.message)


@dataclass(frozen=True)
class ChunkResult:
    """What became of the tasks of a chunk.

    Attributes
    ----------
    results
        Of each task the result, or its `Failure`.
    seconds
        That the tasks took, without loading.
    refused
        Why this worker can do none of it; then there are no results.
    """

    results: Sequence[Any]
    seconds: float
    refused: Failure | None = None


def run_chunk(
    work: Work[Any, Any],
    expected: Provenance,
    tasks: Sequence[Any],
    time_limit: float | None,
    storages: Storages | None = None,
) -> ChunkResult:
    """Do the work on some tasks in this process.

    Parameters
    ----------
    expected
        What this process must have in common with the one that asks.
    storages
        Where audio at addresses may come from; None for nowhere.
    time_limit
        Of each task [s].
    """
    try:
        _check(work, expected, in_use.mark())
        function = loaded(work)
        reading = _reading(storages)
    except (TempoError, ImportError) as error:
        return ChunkResult((), 0.0, Failure.of(error))
    begun = time.monotonic()
    abandoned = _abandoned()
    results: list[Any] = []
    with reading:
        for task in tasks:
            try:
                results.append(call(partial(function, task), abandoned, time_limit))
            except Stopped:
                break  # nobody waits for the chunk any more
            except Exception as error:
                results.append(Failure.of(error))
    return ChunkResult(results, time.monotonic() - begun)


def _reading(storages: Storages | None) -> AbstractContextManager[None]:
    """Context in which audio at addresses may be read."""
    if storages is None:
        return nullcontext()
    from ..remote import active

    return active(storages)


@cache
def _check(work: Work[Any, Any], expected: Provenance, _in_use: Hashable) -> None:
    """Refuse to work if this process would compute something else; once for the models in use."""
    _keep_memory()
    expected.check(provenance(work), f"worker {_name()}")


# Parameters of glibc's `mallopt`, and what glibc sets them to by itself where arrays are large.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
LARGEST_MMAP_THRESHOLD = 1 << 25  # [bytes]


def _keep_memory() -> None:
    """Undo a setting of Dask's workers, with which every array that is freed goes to the system.

    They are started with `MALLOC_TRIM_THRESHOLD_`; with it the system clears as much memory again
    as an estimate takes, a thousand times a track, and an estimate takes twice as long.
    """
    with suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
        libc.mallopt(TRIM_THRESHOLD, 2 * LARGEST_MMAP_THRESHOLD)


def about(work: Work[Any, Any], storages: Storages | None = None) -> Provenance | Failure:
    """What the results of this process depend on, or why it cannot do the work."""
    try:
        loaded(work)
        _reading(storages)
        return provenance(work)
    except (TempoError, ImportError) as error:
        return Failure.of(error)


def _name() -> str:
    """Name of the worker that this is."""
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:  # not in a task of a worker
        return "here"


def _abandoned() -> Callable[[], bool]:
    """A function that says whether the client has given up the task that runs in this thread."""
    from distributed import get_worker
    from distributed.worker import thread_state

    try:
        worker, key = get_worker(), thread_state.key
    except (ValueError, AttributeError):
        return lambda: False

    def abandoned() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state in ("cancelled", "resumed")

    return abandoned
