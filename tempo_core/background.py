"""Long work in threads, which Ctrl-C and time limits end at once and leave nothing half done.

Python cannot end a thread from outside. So the caller stops waiting, the work asks now and then
whether its result is still wanted (`check_wanted`), and a thread that does not ask, because it
hangs in a disk or a library, is left behind: the process ends without it.
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
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from .errors import TempoError, TimeLimitError

T = TypeVar("T")
R = TypeVar("R")
ABANDONED_WAIT = 0.3  # [s] that is waited for abandoned threads to end
GRACE = 0.6  # [s] that an interrupted command has to end by itself, see `patience` of `call`
# [s] for one track. A day of music, heard whole on a small computer, takes less.
TIME_LIMIT = 300.0
# Programs whose exit is handled here (see `_leave`), by name or module in `sys.argv[0]`.
OUR_PROGRAMS = ("tempo-core", "beet", "-c")
OUR_MODULES = (("tempo_core", "cli", "__main__.py"), ("beets", "__main__.py"))
POLL = 0.1  # [s] between two looks of a waiting thread whether it is to stop


def never() -> bool:
    """The answer to whether work is to stop, for work that nothing stops."""
    return False


class Stopped(TempoError):
    """Work that was abandoned because it was interrupted or its result is not wanted any more."""


_task = threading.local()  # `abandoned` of the current thread, see `working`


@contextmanager
def working(abandoned: Callable[[], bool]) -> Iterator[None]:
    """Context in which `check_wanted` raises in this thread once `abandoned` returns True."""
    outer = getattr(_task, "abandoned", None)
    _task.abandoned = abandoned
    try:
        yield
    finally:
        _task.abandoned = outer


def is_wanted() -> bool:
    """Whether the result of the work of this thread is still wanted."""
    abandoned = getattr(_task, "abandoned", None)
    return abandoned is None or not abandoned()


def check_wanted() -> None:
    """End the work of this thread if its result is not wanted; to be called often in long work.

    Raises
    ------
    Stopped
        If the result is not wanted any more.
    """
    if not is_wanted():
        raise Stopped("nobody waits for this any more")


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Context in which the first Ctrl-C only sets an event, so that no write is interrupted.

    A second Ctrl-C ends the process at once and quietly, also after the context: everything that is
    written survives that. In other programs than ours it raises KeyboardInterrupt. In a thread
    other than the main one the event of the main thread is given.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread may handle signals; its event is that of all threads.
        yield _events[-1] if _events else event
        return

    def interrupt(_number: int, _frame: Any) -> None:
        global _in_haste
        if event.is_set():
            if _is_command():
                _quit()
            raise KeyboardInterrupt
        _in_haste = True
        event.set()

    previous = signal.signal(signal.SIGINT, interrupt)
    _events.append(event)
    try:
        yield event
    finally:
        _events.remove(event)
        ends = event.is_set() and _is_command()
        signal.signal(signal.SIGINT, _quit if ends else previous)


_events: list[threading.Event] = []
INTERRUPTED = 128 + signal.SIGINT  # exit status of a program that Ctrl-C has ended
# Called before a process is ended at once, such as to leave the terminal as it was.
before_quitting: list[Callable[[], Any]] = []


def _is_command() -> bool:
    """Whether this process is a command of ours and nothing else, so that Ctrl-C may end it."""
    program = Path(sys.argv[0])
    return is_ours(program) and program.name != "-c"


def _quit(*_: Any) -> None:
    """End the process at once, see `interruptible`; nothing is waited for, not even a full pipe."""
    for action in before_quitting:
        with suppress(Exception):
            action()
    with suppress(OSError):
        if os.isatty(2):
            os.write(2, b"\n")  # a progress bar may stand there
    os._exit(INTERRUPTED)


def interrupted() -> bool:
    """Whether Ctrl-C was pressed within a context `interruptible` that is still open."""
    return any(event.is_set() for event in _events)


def parallel(
    function: Callable[[T], R],
    tasks: Iterable[T],
    threads: int,
    stopped: Callable[[], bool],
    time_limit: float | None = None,
) -> Generator[tuple[T, R | Exception], None, None]:
    """Apply a function to tasks in threads; yield each task with its result once it is ready.

    Parameters
    ----------
    function
        Thread-safe. What it raises is yielded as the result.
    tasks
        Taken in the calling thread, no more of them than are needed to keep the threads busy.
    threads
        Number of tasks at a time, fewer if the system has not so many threads. With one, results
        come in the order of the tasks.
    stopped
        Called ten times a second; once it returns True, running tasks are abandoned.
    time_limit
        Of each task [s]. A task that takes longer is abandoned, its result is a `TimeLimitError`,
        and another thread takes over the remaining tasks.
    """
    # Daemon threads, not an executor: at exit the interpreter waits for the threads of an executor,
    # so that Ctrl-C would take as long as the longest file that is being decoded.
    todo: queue.SimpleQueue[tuple[int, T] | None] = queue.SimpleQueue()
    results: queue.SimpleQueue[tuple[int, R | Exception]] = queue.SimpleQueue()
    closing = threading.Event()
    begun: dict[int, tuple[float, threading.Event]] = {}  # time of start, whether overdue

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
                return  # another thread was started in place of this one

    def overdue() -> list[int]:
        if time_limit is None:
            return []
        now = time.monotonic()
        return [number for number, (since, _) in list(begun.items()) if now - since > time_limit]

    workers: list[threading.Thread] = []
    n_begun = 0  # workers that were not started in place of another one
    remaining = enumerate(tasks)
    waiting: dict[int, T] = {}
    try:
        while not stopped():
            while len(waiting) < 2 * threads and (following := next(remaining, None)):
                waiting[following[0]] = following[1]
                todo.put(following)
                if n_begun < threads:
                    try:
                        workers.append(_start(work))
                        n_begun += 1
                    except RuntimeError:  # there can be no more threads
                        if not workers:
                            raise
                        threads = n_begun
            if not waiting:
                return
            for number in overdue():
                begun.pop(number)[1].set()
                workers.append(_start(work))
                yield waiting.pop(number), TimeLimitError(time_limit or 0)
            with suppress(queue.Empty):
                number, result = results.get(timeout=POLL)
                if number in waiting:  # else it was overdue before
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
    stopped
        Called ten times a second; once it returns True, the function is abandoned.
    time_limit
        [s]; None: no limit.
    patience
        Time after `stopped` that a function which asks `stopped` itself has to end by itself [s].

    Raises
    ------
    Stopped
        If `stopped` returned True before the function ended.
    TimeLimitError
        If it took longer than `time_limit` [s].
    """
    since: list[float] = []

    def impatient() -> bool:
        if not since and stopped():
            since.append(time.monotonic())
        return bool(since) and time.monotonic() - since[0] >= patience

    if impatient():
        raise Stopped("interrupted")
    try:
        worker = _idle.pop()
    except IndexError:
        worker = _Worker()
    abandoned, ended = threading.Event(), False
    begun = time.monotonic()
    results = worker.begin(function, abandoned.is_set)
    try:
        while not impatient():
            if time_limit is not None and time.monotonic() - begun > time_limit:
                raise TimeLimitError(time_limit)
            with suppress(queue.Empty):
                result, error = results.get(timeout=POLL)
                ended = True
                if error is not None:
                    raise error
                return result
    finally:
        abandoned.set()
        if ended:
            _idle.append(worker)
        else:
            worker.end()
    raise Stopped("interrupted")


class _Worker:
    """Thread that runs the functions given to `call`, one after another.

    It is kept for the next call, because starting a thread takes longer than reading the tags of a
    file, above all on a busy computer.
    """

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)  # see `_start`
        self._thread.start()

    def begin(
        self, function: Callable[[], R], abandoned: Callable[[], bool]
    ) -> queue.SimpleQueue[tuple[Any, Exception | None]]:
        """Begin with a function; the queue gets its result, and what it raised or None."""
        results: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()

        def task() -> None:
            with working(abandoned):
                try:
                    results.put((function(), None))
                except Exception as error:
                    results.put((None, error))
                except KeyboardInterrupt:
                    results.put((None, Stopped("interrupted")))
                except BaseException as error:  # such as SystemExit
                    results.put((None, RuntimeError(repr(error))))

        self._tasks.put(partial(copy_context().run, task))
        return results

    def end(self) -> None:
        """End the thread after its function, and wait `ABANDONED_WAIT` for it at most."""
        self._tasks.put(None)
        _part_with([self._thread])

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
            del task  # which may hold much memory until the next one comes


_idle: list[_Worker] = []
if hasattr(os, "register_at_fork"):  # a new process has none of the threads
    os.register_at_fork(after_in_child=_idle.clear)


class Background:
    """Thread that runs one function at a time, for a caller that can stop waiting for it.

    Parameters
    ----------
    stopped
        Called ten times a second while a function runs; once it returns True, that is abandoned.
    """

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped = stopped
        self._tasks: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = _start(self._work)

    def call(self, function: Callable[[], T]) -> T:
        """Run a function in the thread and return its result, or raise what it raised.

        Raises
        ------
        Stopped
            If the function was abandoned. `call` cannot be used any more then.
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
        """Let the thread end after the current function; wait `ABANDONED_WAIT` for it at most."""
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
    """Daemon thread that was started with a function, in the context of the caller."""
    # A daemon, because at exit the interpreter would wait for it even if it hangs. The context has
    # the folder that paths in a library of beets are relative to.
    thread = threading.Thread(target=copy_context().run, args=(work,), daemon=True)
    thread.start()
    return thread


_left: list[threading.Thread] = []  # threads that did not end in time
_status = 1  # of the process, see `leave_with`
_in_haste = False  # whether Ctrl-C was pressed


def _part_with(threads: Iterable[threading.Thread]) -> None:
    """Wait `ABANDONED_WAIT` at most for threads that were told to end; note those that remain."""
    deadline = time.monotonic() + ABANDONED_WAIT
    for thread in threads:
        if thread is not threading.current_thread():  # which may be the one that collects garbage
            thread.join(max(0, deadline - time.monotonic()))
    _left[:] = [thread for thread in {*_left, *threads} if thread.is_alive()]


def leave_with(status: int) -> None:
    """Set the exit status of a process that is ended after Ctrl-C, or while a thread hangs.

    Without this call it is 1: something was interrupted, or failed.
    """
    global _status
    _status = status


def is_ours(program: Path) -> bool:
    """Whether a program, by its path in `sys.argv[0]`, is one whose exit is handled here."""
    return program.stem in OUR_PROGRAMS or any(
        program.parts[-len(module) :] == module for module in OUR_MODULES
    )


@atexit.register
def _leave() -> None:
    """End the process at once if a thread hangs, or after Ctrl-C.

    A thread inside of a library may end the process with SIGABRT when Python stops it at exit, and
    the clean-up of torch takes a second. Ctrl-C is ignored from here on: it could only change the
    exit status.
    """
    if not is_ours(Path(sys.argv[0])):
        return  # other programs that import this package end as usual
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _part_with(list(_left))
    if _left or _in_haste:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(_status)
