"""Long work that Ctrl-C can end at any moment without tearing anything apart.

Nothing can end a thread from outside. So whoever waits stops waiting, what works asks now and then
whether anybody still waits (`check_wanted`), and a thread that never asks, because a disk or a
library keeps it, is left behind: the process then ends without it.
"""

from __future__ import annotations

import atexit
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from pathlib import Path
from typing import Any, TypeVar

from .errors import TempoError, TimeLimitError

T = TypeVar("T")
R = TypeVar("R")
ABANDONED_WAIT = 0.3  # [s] that is waited for what is abandoned
GRACE = 0.6  # [s] in which a long command that is interrupted may end in its own way, see `call`
# [s] a track may take. A day of music, heard whole on a small computer, takes less.
TIME_LIMIT = 300.0
# Processes that are commands of ours, as `sys.argv` names them.
OUR_PROGRAMS = ("tempo-core", "beet", "-c")
OUR_MODULES = (("tempo_core", "cli", "__main__.py"), ("beets", "__main__.py"))
POLL = 0.1  # [s] how often a waiting thread looks whether it is to stop


def never() -> bool:
    """The answer to whether work is to stop, for work that nothing stops."""
    return False


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


def is_wanted() -> bool:
    """Whether anybody still waits for the result of what this thread does."""
    abandoned = getattr(_task, "abandoned", None)
    return abandoned is None or not abandoned()


def check_wanted() -> None:
    """Part of whatever takes long: end it if nobody waits for its result any more.

    Raises
    ------
    Stopped
        If so.
    """
    if not is_wanted():
        raise Stopped("nobody waits for this any more")


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event, so that it never lands between two writes of one track.

    A second one interrupts at once, as usual.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        # Signals are the main thread's business; what it was told holds for its threads.
        yield _events[-1] if _events else event
        return

    def interrupt(_number: int, _frame: Any) -> None:
        global _in_haste
        if event.is_set():
            raise KeyboardInterrupt
        _in_haste = True
        event.set()

    previous = signal.signal(signal.SIGINT, interrupt)
    _events.append(event)
    try:
        yield event
    finally:
        _events.remove(event)
        signal.signal(signal.SIGINT, previous)


_events: list[threading.Event] = []


def interrupted() -> bool:
    """Whether Ctrl-C was pressed in what is `interruptible` just now."""
    return any(event.is_set() for event in _events)


def parallel(
    function: Callable[[T], R],
    tasks: Iterable[T],
    threads: int,
    stopped: Callable[[], bool],
    time_limit: float | None = None,
) -> Generator[tuple[T, R | Exception], None, None]:
    """Apply a function to tasks in threads; yields each task with its result, as they get ready.

    Parameters
    ----------
    function
        Thread-safe. What it raises is yielded as the result.
    tasks
        Consumed as needed, in the calling thread, so that neither tasks nor results pile up.
    threads
        Number of tasks in work at a time. With one, results come in the order of the tasks.
    stopped
        Asked ten times a second; once it says True, what is in work is abandoned.
    time_limit
        For each task [s]. One that takes longer is abandoned, its result is a `TimeLimitError`, and
        another thread goes on with the rest.
    """
    # Daemon threads, not an executor: the interpreter waits for an executor's threads at exit, so
    # that Ctrl-C would last as long as the longest mix being decoded.
    todo: queue.SimpleQueue[tuple[int, T] | None] = queue.SimpleQueue()
    results: queue.SimpleQueue[tuple[int, R | Exception]] = queue.SimpleQueue()
    closing = threading.Event()
    begun: dict[int, tuple[float, threading.Event]] = {}  # when, and whether it is too late

    def work() -> None:
        while (task := todo.get()) is not None and not closing.is_set():
            number, given = task
            late = threading.Event()
            begun[number] = time.monotonic(), late
            with working(lambda: closing.is_set() or late.is_set()):  # noqa: B023
                try:
                    results.put((number, function(given)))
                except Exception as error:
                    results.put((number, error))
                except KeyboardInterrupt:
                    results.put((number, Stopped("interrupted")))
                except BaseException as error:  # such as SystemExit
                    results.put((number, RuntimeError(repr(error))))
            if late.is_set():
                return  # another thread has taken the place of this one

    def overdue() -> list[int]:
        if time_limit is None:
            return []
        now = time.monotonic()
        return [number for number, (since, _) in list(begun.items()) if now - since > time_limit]

    workers = [_start(work) for _ in range(threads)]
    remaining = enumerate(tasks)
    waiting: dict[int, T] = {}
    try:
        while not stopped():
            while len(waiting) < 2 * threads and (following := next(remaining, None)):
                waiting[following[0]] = following[1]
                todo.put(following)
            if not waiting:
                return
            for number in overdue():
                begun.pop(number)[1].set()
                workers.append(_start(work))
                yield waiting.pop(number), TimeLimitError(time_limit or 0)
            with suppress(queue.Empty):
                number, result = results.get(timeout=POLL)
                if number in waiting:  # else it comes too late
                    begun.pop(number)
                    yield waiting.pop(number), result
    finally:
        closing.set()
        for _ in workers:
            todo.put(None)
        _part_with(workers)


def call(
    function: Callable[[], R],
    stopped: Callable[[], bool],
    time_limit: float | None = None,
    patience: float = 0.0,
) -> R:
    """Run a function in a thread of its own and return its result, or raise what it raised.

    Parameters
    ----------
    patience
        How long a function that asks `stopped` itself may take to end in its own way [s].

    Raises
    ------
    Stopped
        If `stopped` said so first.
    TimeLimitError
        If it took longer than `time_limit` [s].
    """
    since: list[float] = []

    def impatient() -> bool:
        if not since and stopped():
            since.append(time.monotonic())
        return bool(since) and time.monotonic() - since[0] >= patience

    for _, result in parallel(lambda _: function(), [None], 1, impatient, time_limit):
        if isinstance(result, Exception):
            raise result
        return result
    raise Stopped("interrupted")


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
        self._closing = threading.Event()
        self._thread = _start(self._work)

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
        """Let the thread end after what it is doing; wait a moment for that, not longer."""
        self._closing.set()
        self._tasks.put(None)
        _part_with([self._thread])

    def _work(self) -> None:
        with working(self._closing.is_set):
            while (task := self._tasks.get()) is not None:
                try:
                    self._results.put((task(), None))
                except BaseException as error:
                    self._results.put((None, error))


def _start(work: Callable[[], None]) -> threading.Thread:
    # A daemon, because the interpreter would wait at exit for whatever it is waiting for. With the
    # context of who starts it: beets keeps there what the paths of its library are relative to.
    thread = threading.Thread(target=copy_context().run, args=(work,), daemon=True)
    thread.start()
    return thread


_left: list[threading.Thread] = []  # what has not ended in time
_status = 1
_in_haste = False  # since Ctrl-C was pressed


def _part_with(threads: Iterable[threading.Thread]) -> None:
    """Wait a moment for threads that have been told to end."""
    deadline = time.monotonic() + ABANDONED_WAIT
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    _left[:] = [thread for thread in {*_left, *threads} if thread.is_alive()]


def leave_with(status: int) -> None:
    """Say with which status the process is to end after Ctrl-C, or should a thread be stuck then.

    Without this it is 1: something was interrupted, or failed.
    """
    global _status
    _status = status


def is_ours(program: Path) -> bool:
    """Whether a process that `sys.argv` names so is a command of ours."""
    return program.stem in OUR_PROGRAMS or any(
        program.parts[-len(module) :] == module for module in OUR_MODULES
    )


@atexit.register
def _leave() -> None:
    """End a command here if a thread is stuck, or if somebody waits for the end.

    The thread may be inside of a library that ends the process with SIGABRT when Python, shutting
    down, stops it; and taking down what torch has put up takes a second. From here on Ctrl-C can
    only spoil the exit status.
    """
    if not is_ours(Path(sys.argv[0])):
        return  # how another program ends is its own business
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _part_with(list(_left))
    if _left or _in_haste:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(_status)
