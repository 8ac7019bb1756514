"""Long work that Ctrl-C can end at any moment without tearing anything apart."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from .errors import TempoError

T = TypeVar("T")
R = TypeVar("R")
PATIENCE = 0.5  # [s] that is waited for what is abandoned
POLL = 0.1  # [s] how often a waiting thread looks whether it is to stop


class Stopped(TempoError):
    """The work was abandoned because it was to stop."""


_task = threading.local()  # what the thread works on, see `working`


@contextmanager
def working(abandoned: Callable[[], bool]) -> Iterator[None]:
    """Let what this thread does from here on end by itself, soon after `abandoned` says True."""
    outer = getattr(_task, "abandoned", None)
    _task.abandoned = abandoned
    try:
        yield
    finally:
        _task.abandoned = outer


def check_wanted() -> None:
    """Part of whatever takes long: end it if nobody waits for its result any more.

    Raises
    ------
    Stopped
        If so.
    """
    abandoned = getattr(_task, "abandoned", None)
    if abandoned is not None and abandoned():
        raise Stopped("nobody waits for this any more")


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event, so that it never lands between two writes of one track.

    A second one interrupts at once, as usual.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event  # signals are the main thread's business
        return

    def interrupt(_number: int, _frame: Any) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    previous = signal.signal(signal.SIGINT, interrupt)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, previous)


def parallel(
    function: Callable[[T], R], tasks: Iterable[T], threads: int, stopped: Callable[[], bool]
) -> Iterator[tuple[T, R | Exception]]:
    """Apply a function to tasks in threads; yields each task with its result, as they get ready.

    Parameters
    ----------
    function
        Thread-safe. What it raises is yielded as the result.
    tasks
        Consumed as needed, in the calling thread, so that neither tasks nor results pile up.
    threads
        Number of tasks in work at a time.
    stopped
        Asked ten times a second; once it says True, what is in work is abandoned.
    """
    # Daemon threads, not an executor: the interpreter waits for an executor's threads at exit, so
    # that Ctrl-C would last as long as the longest mix being decoded.
    todo: queue.SimpleQueue[tuple[int, T] | None] = queue.SimpleQueue()
    results: queue.SimpleQueue[tuple[int, R | Exception]] = queue.SimpleQueue()
    closing = threading.Event()

    def work() -> None:
        while (task := todo.get()) is not None and not closing.is_set():
            number, given = task
            try:
                results.put((number, function(given)))
            except Exception as error:
                results.put((number, error))

    workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    remaining = enumerate(tasks)
    waiting: dict[int, T] = {}
    try:
        while not stopped():
            while len(waiting) < 2 * threads and (following := next(remaining, None)):
                waiting[following[0]] = following[1]
                todo.put(following)
            if not waiting:
                return
            try:
                number, result = results.get(timeout=POLL)
            except queue.Empty:
                continue
            yield waiting.pop(number), result
    finally:
        closing.set()
        for _ in workers:
            todo.put(None)
        # A thread that ended cannot disturb the exit.
        deadline = time.monotonic() + PATIENCE
        for worker in workers:
            worker.join(max(0, deadline - time.monotonic()))


class Background:
    """One thread that does one thing at a time, for a caller that may lose patience.

    Parameters
    ----------
    stopped
        Asked ten times a second while something runs; once it says True, that is abandoned.
    """

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped = stopped
        self._tasks: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        # A daemon, because the interpreter would wait at exit for whatever it is waiting for.
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], T]) -> T:
        """Run a function there and return its result, or raise what it raised.

        Raises
        ------
        Stopped
            If it was abandoned. Nothing can be called any more then.
        """
        self._tasks.put(function)
        while True:
            if self._stopped():
                raise Stopped("interrupted")
            try:
                result, error = self._results.get(timeout=POLL)
            except queue.Empty:
                continue
            if error is not None:
                raise error
            return result

    def close(self) -> None:
        """Let the thread end after what it is doing; wait a second for that, not longer."""
        self._tasks.put(None)
        self._thread.join(1)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                self._results.put((task(), None))
            except BaseException as error:
                self._results.put((None, error))
