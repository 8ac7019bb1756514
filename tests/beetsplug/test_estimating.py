"""Tests of estimating several tracks at a time in threads; items here only have a path."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from beets.library import Item

from beetsplug.tempo.estimating import estimate_all
from tempo_core import AudioError, Estimate, Pace

from .conftest import Beet

HOUSE = Estimate(127.98, 0.93, (Pace(128.0, 0.97),))


@pytest.fixture(autouse=True)
def _plugin(beet: Beet) -> None:
    beet.load()


def tracks(n: int) -> list[Item]:
    return [Item(path=f"/{i}.mp3".encode()) for i in range(n)]


def never() -> bool:
    return False


@pytest.mark.parametrize("threads", [1, 3])
def test_every_track_comes_back_with_its_own_result(threads: int) -> None:
    def estimate(path: bytes) -> Estimate:
        time.sleep(0.001 * (path[1] % 3))
        return Estimate(float(path[1:-4]), 1.0, ())

    items = tracks(20)
    results = list(estimate_all(estimate, items, threads, never))
    assert len(results) == 20
    for item, result in results:
        assert isinstance(result, Estimate)
        assert result.bpm == float(item.path[1:-4])


def test_what_goes_wrong_with_one_track_is_its_result() -> None:
    errors = [AudioError("too short"), RuntimeError("a bug"), MemoryError()]
    remaining = iter(errors)

    def estimate(path: bytes) -> Estimate:
        raise next(remaining)

    results = [result for _, result in estimate_all(estimate, tracks(3), 1, never)]
    assert results == errors


def test_tracks_are_taken_only_as_they_are_needed() -> None:
    """Tracks are only read when a thread is free, so that they do not fill the memory."""
    taken = 0

    def counted() -> Iterator[Item]:
        nonlocal taken
        for item in tracks(50):
            taken += 1
            yield item

    ahead = []
    for done, _ in enumerate(estimate_all(lambda path: HOUSE, counted(), 2, never), 1):
        ahead.append(taken - done)
    assert taken == 50
    assert max(ahead) <= 4


def test_no_more_threads_than_asked_for() -> None:
    running = most = 0
    lock = threading.Lock()

    def estimate(path: bytes) -> Estimate:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return HOUSE

    assert len(list(estimate_all(estimate, tracks(12), 3, never))) == 12
    assert most == 3


def test_stopping_does_not_wait_for_a_long_track() -> None:
    release = threading.Event()
    started = threading.Event()

    def estimate(path: bytes) -> Estimate:
        started.set()
        release.wait(10)
        return HOUSE

    begin = time.monotonic()
    assert list(estimate_all(estimate, tracks(5), 2, started.is_set)) == []
    assert time.monotonic() - begin < 2
    release.set()


def test_what_is_ready_is_delivered_before_stopping() -> None:
    stop = threading.Event()
    results = []
    for _item, result in estimate_all(lambda path: HOUSE, tracks(50), 1, stop.is_set):
        results.append(result)
        if len(results) == 3:
            stop.set()
    assert len(results) == 3


def test_the_threads_end_with_the_work() -> None:
    before = threading.active_count()
    list(estimate_all(lambda path: HOUSE, tracks(5), 3, never))
    assert threading.active_count() == before
