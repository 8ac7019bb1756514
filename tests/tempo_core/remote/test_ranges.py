"""Tests of the blocks that bytes of an object are fetched in."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_core.remote import ranges
from tempo_core.remote.ranges import HEAD, LARGEST_FETCH, LEAST_BLOCK, MOST_BLOCK, N_KEPT, Blocks

KB = 1 << 10


@dataclass
class Source:
    """Bytes in memory as an object, and what was fetched of them."""

    data: bytes
    fetched: list[tuple[int, int]] = field(default_factory=list)
    is_closed: bool = False

    @property
    def size(self) -> int:
        return len(self.data)

    def fetch(self, begin: int, end: int) -> bytes:
        assert 0 <= begin < end <= len(self.data)
        self.fetched.append((begin, end))
        return self.data[begin:end]

    def close(self) -> None:
        self.is_closed = True


def source(size: int) -> Source:
    return Source(random.Random(size).randbytes(size))


READS = st.lists(st.tuples(st.integers(0, 400 * KB), st.integers(0, 90 * KB)), max_size=25)


@given(READS, st.integers(1, 300 * KB))
def test_reads_give_what_is_there(reads: list[tuple[int, int]], size: int) -> None:
    object_ = source(size)
    blocks = Blocks(object_, object_.data[:HEAD])
    for position, n in reads:
        assert blocks.part(position, n) == object_.data[position : position + n]


def test_a_whole_object_takes_few_requests_and_no_byte_twice() -> None:
    object_ = source(10 << 20)
    blocks = Blocks(object_, object_.data[:HEAD])
    for position in range(0, object_.size, 32 * KB):
        blocks.part(position, 32 * KB)
    assert sum(end - begin for begin, end in object_.fetched) == object_.size - HEAD
    assert len(object_.fetched) < 2 * object_.size / MOST_BLOCK


def test_a_jump_takes_little() -> None:
    object_ = source(10 << 20)
    blocks = Blocks(object_, object_.data[:HEAD])
    blocks.part(5 << 20, 100)
    assert object_.fetched == [(5 << 20, (5 << 20) + LEAST_BLOCK)]


def test_a_search_backwards_takes_whole_blocks() -> None:
    """As decoders do that look for the last page or frame of a file, in ever longer steps."""
    object_ = source(10 << 20)
    blocks = Blocks(object_, object_.data[:HEAD])
    for back in (4, 5, 7, 11, 19, 35, 60):
        begin = object_.size - back * KB
        assert blocks.part(begin, KB) == object_.data[begin : begin + KB]
    assert object_.fetched == [(object_.size - LEAST_BLOCK, object_.size)]


def test_a_large_read_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "LARGEST_FETCH", 256 * KB)
    object_ = source(3 << 20)
    assert Blocks(object_).part(1, 2 << 20) == object_.data[1 : 1 + (2 << 20)]
    assert max(end - begin for begin, end in object_.fetched) == 256 * KB
    assert LARGEST_FETCH >= MOST_BLOCK


def test_memory_is_bounded() -> None:
    object_ = source(30 << 20)
    blocks = Blocks(object_)
    for position in range(0, object_.size, 100 * KB):
        blocks.part(position, 32 * KB)
    kept = list(blocks._kept.values())
    assert len(kept) <= N_KEPT
    assert sum(map(len, kept)) <= N_KEPT * MOST_BLOCK


def test_behind_the_end_nothing_is_asked() -> None:
    object_ = source(10)
    blocks = Blocks(object_, object_.data)
    assert blocks.part(10, 5) == blocks.part(99, 5) == blocks.part(3, 0) == b""
    assert blocks.part(8, 99) == object_.data[8:]
    assert object_.fetched == []
    blocks.close()
    assert object_.is_closed
