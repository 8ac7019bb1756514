"""CRC-32 of bytes that are read in any order."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MOST_RUNS = 64
ZEROS = bytes(1 << 20)
ALL_ONES = 0xFFFFFFFF


@dataclass
class _Run:
    """Bytes that were read one after another: from `begin` to `end`, and their CRC-32."""

    begin: int
    end: int
    crc: int = 0


class Sum:
    """The CRC-32 of so many bytes [bytes], in which each counts once, however often it is read."""

    def __init__(self, size: int) -> None:
        self._size = self.n_missing = size
        self._runs: list[_Run] = []  # by their beginnings

    def add(self, position: int, data: bytes) -> None:
        """Note bytes that were read. Of too many places to remember nothing is known any more."""
        stop = position + len(data)
        for begin, end in [*self.missing(position, stop)]:
            before = next((run for run in self._runs if run.end == begin), None)
            if before is None:
                before = _Run(begin, begin)
                self._runs = sorted((*self._runs, before), key=lambda run: run.begin)
            before.crc = zlib.crc32(memoryview(data)[begin - position : end - position], before.crc)
            before.end = end
            self.n_missing -= end - begin
        if len(self._runs) > MOST_RUNS:
            self._runs, self.n_missing = [_Run(0, self._size)], self._size

    def missing(self, begin: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
        """Where bytes were not read, between two positions."""
        end = self._size if end is None else end
        for run in self._runs:
            if begin < run.begin and begin < end:
                yield begin, min(run.begin, end)
            begin = max(begin, run.end)
        if begin < end:
            yield begin, end

    def value(self) -> int:
        """The sum, when nothing is missing."""
        total = 0
        for run in self._runs:
            # The sum of two parts is that of the first, carried on over as many zeros as the second
            # has bytes, and that of the second: CRC-32 is linear but for the ones at both ends.
            total ^= ALL_ONES
            left = run.end - run.begin
            while left and run is not self._runs[0]:
                n_zeros = min(left, len(ZEROS))
                total = zlib.crc32(memoryview(ZEROS)[:n_zeros], total)
                left -= n_zeros
            total = total ^ ALL_ONES ^ run.crc
        return total
