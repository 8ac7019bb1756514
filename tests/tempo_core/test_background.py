"""Work in threads: callers wait no longer than they want, and abandoned work ends by itself."""

from __future__ import annotations

import contextvars
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tempo_core import background
from tempo_core.background import Stopped, call, check_wanted, interruptible, parallel
from tempo_core.errors import AudioError, TimeLimitError
from trainer.inputs.cache import hash_file


def never() -> bool:
    return False


@pytest.mark.slow
def test_a_task_that_hangs_is_given_up_and_the_rest_goes_on() -> None:
    hang = threading.Event()

    def work(task: int) -> int:
        if task in (1, 4):
            hang.wait(30)
        return 2 * task

    begin = time.monotonic()
    found = dict(parallel(work, range(8), 1, never, 0.3))
    assert time.monotonic() - begin < 5
    hang.set()
    late = [found.pop(task) for task in (1, 4)]
    assert all(isinstance(error, TimeLimitError) for error in late)
    assert [str(error) for error in late] == [
        "given up after 0.3 s, the time limit for one file"
    ] * 2
    assert found == {task: 2 * task for task in (0, 2, 3, 5, 6, 7)}


def test_one_thread_keeps_the_order() -> None:
    assert [task for task, _ in parallel(lambda x: x, range(50), 1, never)] == list(range(50))


@pytest.mark.parametrize(
    "error", [MemoryError(), RecursionError("x"), ValueError("x"), SystemExit(2)]
)
def test_whatever_a_task_raises_is_its_result(error: BaseException) -> None:
    def work(task: int) -> int:
        if task == 1:
            raise error
        return task

    found = dict(parallel(work, range(4), 2, never))
    assert isinstance(found.pop(1), Exception)
    assert found == {0: 0, 2: 2, 3: 3}


def test_what_is_abandoned_ends_by_itself() -> None:
    ended = threading.Event()

    def work(_task: int) -> None:
        try:
            while True:
                check_wanted()
                time.sleep(0.01)
        finally:
            ended.set()

    ((_, result),) = parallel(work, [0], 1, never, 0.2)
    assert isinstance(result, TimeLimitError)
    assert ended.wait(2)


@pytest.mark.slow
def test_reading_that_never_ends_is_stopped(tmp_path: Path) -> None:
    """The file is a terabyte long, and every piece of it is read."""
    path = tmp_path / "a.flac"
    path.touch()
    os.truncate(path, 1 << 40)
    readers: list[threading.Thread] = []

    def read() -> None:
        readers.append(threading.current_thread())
        hash_file(path)

    begin = time.monotonic()
    with pytest.raises(TimeLimitError):
        call(read, never, 1.0)
    assert time.monotonic() - begin < 4
    (reader,) = readers
    reader.join(3)
    assert not reader.is_alive()


def test_the_result_or_the_error_of_a_call() -> None:
    assert call(lambda: 7, never) == 7
    with pytest.raises(AudioError, match="no"):
        call(lambda: (_ for _ in ()).throw(AudioError("no")), never)


def test_calls_share_a_thread_but_not_one_that_hangs() -> None:
    """A thread that was given up is not asked again, and neither is one of the process before."""
    hang = threading.Event()
    first = call(threading.get_ident, never)
    assert call(threading.get_ident, never) == first != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        call(lambda: 1 // 0, never)
    assert call(lambda: call(threading.get_ident, never), never) != first
    with pytest.raises(TimeLimitError):
        call(lambda: hang.wait(30), never, 0.1)
    begin = time.monotonic()
    assert call(lambda: "again", never, 5) == "again"
    assert time.monotonic() - begin < 2
    hang.set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_threads_of_its_own() -> None:
    code = """
import os
from tempo_core.background import call, never
call(lambda: 1, never)
child = os.fork()
if child == 0:
    call(lambda: 1, never)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "7\n"


def test_a_call_has_the_context_of_its_caller() -> None:
    """beets keeps the folder that its paths are relative to in the context."""
    folder: contextvars.ContextVar[str] = contextvars.ContextVar("folder")
    for name in "ab":
        folder.set(name)
        assert call(folder.get, never) == name


@pytest.mark.slow
def test_a_call_that_may_end_in_its_own_way_does() -> None:
    stop = threading.Event()

    def work() -> None:
        stop.set()
        time.sleep(0.3)
        raise Stopped("half of it is done")

    with pytest.raises(Stopped, match="half"):
        call(work, stop.is_set, patience=5)
    stop.clear()
    with pytest.raises(Stopped, match="interrupted"):
        call(work, stop.is_set)


def test_threads_are_told_what_the_main_thread_was() -> None:
    with interruptible() as stop:

        def inside() -> bool:
            with interruptible() as known:
                return known is stop

        assert call(inside, never)


STUCK = """
import sys, threading, time
from tempo_core.background import call, leave_with
from tempo_core.errors import TimeLimitError
import numpy as np

matrix = np.random.default_rng(0).standard_normal((900, 900))

def work():
    while True:  # inside of a library that does not know that the end has come
        matrix @ matrix

try:
    call(work, lambda: False, 0.5)
except TimeLimitError as error:
    print(error)
if len(sys.argv) > 1:
    leave_with(int(sys.argv[1]))
"""


@pytest.mark.parametrize(
    "status", [3, *(pytest.param(status, marks=pytest.mark.slow) for status in (None, 0))]
)
@pytest.mark.slow
def test_a_stuck_thread_does_not_spoil_the_end(status: int | None) -> None:
    given = [] if status is None else [str(status)]
    begin = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-c", STUCK, *given], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == (1 if status is None else status)
    assert run.stdout == "given up after 0.5 s, the time limit for one file\n"
    assert run.stderr == ""
    assert time.monotonic() - begin < 30


def test_commands_that_are_run_as_modules_are_known() -> None:
    for package in ("tempo_core.cli", "beets"):
        spec = find_spec(f"{package}.__main__")
        assert spec is not None
        assert spec.origin is not None
        assert background.is_ours(Path(spec.origin))
    assert not background.is_ours(Path("/somewhere/cli/__main__.py"))


def test_one_of_its_threads_may_close_it() -> None:
    """As when garbage is collected there."""
    first_came, closed = threading.Event(), threading.Event()
    problems = []

    def work(task: int) -> int:
        if task:
            first_came.wait(10)
            try:
                results.close()
            except RuntimeError as error:
                problems.append(error)
            closed.set()
        return task

    results = parallel(work, range(2), 1, lambda: False)
    assert next(results) == (0, 0)
    first_came.set()
    assert closed.wait(10)
    assert problems == []


PRESSED_TWICE = """
import os, signal, sys, time
from tempo_core.background import before_quitting, interruptible
print("here")
before_quitting.append(lambda: os.write(1, b"restored\\n"))
before_quitting.append(lambda: 1 / 0)
with interruptible() as stop:
    os.kill(os.getpid(), signal.SIGINT)
    assert stop.is_set()
    if {inside}:
        os.kill(os.getpid(), signal.SIGINT)
os.kill(os.getpid(), signal.SIGINT)
time.sleep(9)
"""


@pytest.mark.parametrize("inside", [True, False])
def test_a_second_ctrl_c_ends_the_process_quietly(inside: bool, tmp_path: Path) -> None:
    """Also while the command ends already, because of the first."""
    program = tmp_path / "beet.py"
    program.write_text(PRESSED_TWICE.format(inside=inside))
    done = subprocess.run(
        [sys.executable, "-u", program], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "here\nrestored\n", "")


def test_other_programs_get_an_exception_from_a_second_ctrl_c(tmp_path: Path) -> None:
    program = tmp_path / "theirs.py"
    program.write_text(PRESSED_TWICE.format(inside=True))
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode != 130
    assert done.stderr.endswith("KeyboardInterrupt\n")


def test_as_many_threads_as_the_system_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than there can be, or than there are tasks, are not an error."""
    start, n_started = background._start, 0

    def limited(work: Callable[[], None]) -> threading.Thread:
        nonlocal n_started
        if n_started == 3:
            raise RuntimeError("can't start new thread")
        n_started += 1
        return start(work)

    monkeypatch.setattr(background, "_start", limited)
    found = parallel(lambda k: k * k, range(100), 99_999, background.never)
    assert sorted(found) == [(k, k * k) for k in range(100)]
    assert n_started == 3
    with pytest.raises(RuntimeError, match="can't start"):
        next(parallel(lambda k: k, [1], 9, background.never))


def test_no_more_threads_than_tasks() -> None:
    before = threading.active_count()
    results = parallel(lambda k: k, range(3), 50, background.never)
    next(results)
    assert threading.active_count() <= before + 3
    results.close()
