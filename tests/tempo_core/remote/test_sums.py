"""Tests of sums over bytes that are read in any order."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from tempo_core.remote.sums import MOST_RUNS, ZEROS, Sum


@pytest.mark.parametrize("seed", range(20))
def test_any_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = rng.bytes(int(rng.integers(1, 4000)))
    found = Sum(len(data))
    while found.n_missing:
        begin = int(rng.integers(len(data)))
        found.add(begin, data[begin : begin + int(rng.integers(1, 700))])
    assert found.value() == zlib.crc32(data)
    assert list(found.missing()) == []


def test_parts_that_are_larger_than_the_zeros_at_hand() -> None:
    data = np.random.default_rng(0).bytes(3 * len(ZEROS) + 5)
    found = Sum(len(data))
    found.add(7, data[7:])
    assert list(found.missing()) == [(0, 7)]
    found.add(0, data[:9])
    assert found.value() == zlib.crc32(data)


def test_of_too_many_places_nothing_is_known() -> None:
    data = bytes(4 * MOST_RUNS)
    found = Sum(len(data))
    for begin in range(0, len(data), 2):
        found.add(begin, data[begin : begin + 1])
    for _ in range(2):
        found.add(0, data)
    assert found.n_missing == len(data)
