"""Tests of the engine on a Dask cluster, with real processes over TCP."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import LocalCluster

from tempo_core.engines import Engine, Threads
from tempo_core.engines.chunks import run_chunk
from tempo_core.engines.cluster import DIED_TWICE, LARGEST_CHUNK
from tempo_core.engines.provenance import provenance
from tempo_core.engines.schedulers import open_engine
from tempo_core.errors import AudioError, ClusterError, ConfigError, TempoError

from .works import OnlyHere, OtherModels, Squares, begun


@pytest.fixture(scope="module")
def engine(cluster: LocalCluster) -> Iterator[Engine]:
    with open_engine(cluster.scheduler_address, jobs=1) as opened:
        yield opened


@pytest.fixture
def log(tmp_path: Path) -> str:
    return str(tmp_path / "log")


def test_results_and_errors_are_those_of_threads(engine: Engine, log: str) -> None:
    work = Squares(log, bad=(3, 77))
    numbers = [*range(120), -1]

    def found(one: Engine) -> dict[int, int | str]:
        return {
            number: str(result) if isinstance(result, Exception) else result
            for number, result in one.each(work, numbers)
        }

    there, here = found(engine), found(Threads(2))
    assert there.pop(-1) == "ValueError: negative"
    assert here.pop(-1) == "negative"
    assert there == here
    assert there[3] == "3 is bad"
    assert there[11] == 121


def test_an_error_of_ours_keeps_its_class(engine: Engine, log: str) -> None:
    ((_, error),) = engine.each(Squares(log, bad=(3,)), [3])
    assert type(error) is AudioError
    ((_, error),) = engine.each(Squares(log), [-3])
    assert type(error) is TempoError


def test_both_workers_work(engine: Engine, log: str) -> None:
    list(engine.each(Squares(log, seconds=0.01), range(40)))
    pids = Counter(pid for _, pid in begun(log))
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_tasks_are_taken_only_as_they_are_needed(engine: Engine, log: str) -> None:
    n_taken = 0

    def numbers() -> Iterator[int]:
        nonlocal n_taken
        while True:
            n_taken += 1
            yield n_taken

    each = engine.each(Squares(log), numbers())
    for n_done, _ in zip(range(1000), each, strict=False):
        assert n_taken - n_done <= 4 * LARGEST_CHUNK
    each.close()


@pytest.mark.slow
def test_a_task_that_kills_its_process_is_tried_once_elsewhere(engine: Engine, log: str) -> None:
    deadly = (5, 40, 41)
    results = dict(engine.each(Squares(log, deadly=deadly, seconds=0.02), range(60)))
    assert len(results) == 60
    for number, result in results.items():
        if number in deadly:
            assert isinstance(result, AudioError)
            assert str(result) == DIED_TWICE
        else:
            assert result == number * number
    pids = {number: [pid for n, pid in begun(log) if n == number] for number in deadly}
    for number in deadly:
        assert 1 <= len(pids[number]) == len(set(pids[number])) <= 2
    assert len(pids[5]) == 2


@pytest.mark.slow
def test_the_last_task_may_be_the_deadly_one(engine: Engine, log: str) -> None:
    results = dict(engine.each(Squares(log, deadly=(2,)), range(3)))
    assert [results[0], results[1]] == [0, 1]
    assert isinstance(results[2], AudioError)
    assert len({pid for number, pid in begun(log) if number == 2}) == 2  # it had a second try


@pytest.mark.slow
def test_a_task_that_takes_too_long_is_given_up(engine: Engine, log: str) -> None:
    results = dict(engine.each(Squares(log, slow=(1,)), range(4), time_limit=0.5))
    assert [results[n] for n in (0, 2, 3)] == [0, 4, 9]
    assert str(results[1]) == "given up after 0.5 s, the time limit for one file"
    assert isinstance(results[1], AudioError)


@pytest.mark.slow
def test_a_run_that_is_stopped_ends_at_once(engine: Engine, log: str) -> None:
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    start = time.monotonic()
    results = list(engine.each(Squares(log, slow=(2, 3)), range(1000), stop.is_set))
    assert time.monotonic() - start < 30
    assert len(results) < 1000
    # The workers are free again.
    assert len(list(engine.each(Squares(log), range(10)))) == 10


def test_workers_with_other_models_are_refused_before_anything_is_done(engine: Engine) -> None:
    tasks = iter(range(3))
    with pytest.raises(ConfigError, match=r"worker tcp://.*@\d+ for the task tempo, here it is"):
        list(engine.each(OtherModels(), tasks))
    assert next(tasks) == 0


@pytest.mark.slow
def test_a_worker_that_comes_later_is_refused_too() -> None:
    other = replace(provenance(OtherModels()), models=(("tempo", "model:tempo@0"),))
    result = run_chunk(OtherModels(), other, [1], None)
    assert result.results == ()
    assert result.refused is not None
    assert isinstance(result.refused.error(), ConfigError)


@pytest.mark.slow
def test_workers_without_the_model_are_refused(engine: Engine) -> None:
    with pytest.raises(ClusterError, match=r"worker tcp://.* no such model file"):
        list(engine.each(OnlyHere(os.getpid()), range(3)))
