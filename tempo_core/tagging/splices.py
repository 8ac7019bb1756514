"""Copies of a file in which some ranges of bytes are replaced."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import LayoutError

COPY_SIZE = 1 << 20  # [bytes] copied or compared at a time


@dataclass(frozen=True)
class Splice:
    """Replacement of bytes `start` to `stop` (exclusive) of a file by `data`, of any length."""

    start: int
    stop: int
    data: bytes


def write_spliced(source: BinaryIO, target: BinaryIO, splices: Sequence[Splice]) -> None:
    """Copy `source` to `target` with the replacements `splices`.

    The splices must be in ascending order and must not overlap.

    Raises
    ------
    LayoutError
        If the source becomes shorter while it is copied.
    """
    source.seek(0)
    position = 0
    for splice in splices:
        _copy(source, target, splice.start - position)
        target.write(splice.data)
        position = source.seek(splice.stop)
    _copy(source, target, size_of(source) - position)


def _copy(source: BinaryIO, target: BinaryIO, n_bytes: int) -> None:
    """Copy the next `n_bytes`; LayoutError if the source ends before."""
    while n_bytes > 0:
        block = source.read(min(COPY_SIZE, n_bytes))
        if not block:
            raise LayoutError("another process is writing to it")
        target.write(block)
        n_bytes -= len(block)


def size_of(file: BinaryIO) -> int:
    """Length of an open file [bytes]; its current position is kept."""
    position = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(position)
    return size


def read_at(file: BinaryIO, start: int, n_bytes: int) -> bytes:
    """Read `n_bytes` of a file from byte `start` on; fewer if the file ends before."""
    file.seek(start)
    return file.read(n_bytes)


def only_zeros(file: BinaryIO, start: int) -> bool:
    """Whether a file contains nothing but zero bytes from byte `start` on."""
    file.seek(start)
    while block := file.read(COPY_SIZE):
        if block.strip(b"\0"):
            return False
    return True


def same_outside(source: BinaryIO, target: BinaryIO, splices: Sequence[Splice]) -> bool:
    """Whether `target` equals `source` in every byte outside of the splices."""
    shift = sum(len(splice.data) - (splice.stop - splice.start) for splice in splices)
    if size_of(target) != size_of(source) + shift:
        return False
    source.seek(0)
    target.seek(0)
    for splice in splices:
        if not _same(source, target, splice.start - source.tell()):
            return False
        source.seek(splice.stop)
        target.seek(len(splice.data), os.SEEK_CUR)
    return _same(source, target, size_of(source) - source.tell())


def _same(source: BinaryIO, target: BinaryIO, n_bytes: int) -> bool:
    """Whether the next `n_bytes` of both files are the same."""
    while n_bytes > 0:
        block = source.read(min(COPY_SIZE, n_bytes))
        if not block or block != target.read(len(block)):
            return False
        n_bytes -= len(block)
    return True


def intact_from(source: BinaryIO, target: BinaryIO) -> int:
    """Position in `source` of the longest end that both files have in common.

    It is the length of `source` if not even the last bytes agree.
    """
    position, other = size_of(source), size_of(target)
    while (n_bytes := min(COPY_SIZE, position, other)) > 0:
        block = read_at(source, position - n_bytes, n_bytes)
        other_block = read_at(target, other - n_bytes, n_bytes)
        if block != other_block:
            # Find the length of the common end within this block by bisection.
            same, different = 0, n_bytes
            while different - same > 1:
                middle = (same + different) // 2
                if block[-middle:] == other_block[-middle:]:
                    same = middle
                else:
                    different = middle
            return position - same
        position, other = position - n_bytes, other - n_bytes
    return position
