"""Splices: changes of a file as stretches of bytes that are replaced by others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import LayoutError

BYTES_AT_ONCE = 1 << 20  # copied or compared at a time
# Left free in a tag that has to grow, so that the next change fits without moving the audio.
SPARE_BYTES = 1024


@dataclass(frozen=True)
class Splice:
    """Bytes `start` to `stop` (exclusive) of a file become `data`, of any length."""

    start: int
    stop: int
    data: bytes


def write_spliced(source: BinaryIO, target: BinaryIO, splices: Sequence[Splice]) -> None:
    """Copy an open file with splices; these are in ascending order and do not overlap.

    Raises
    ------
    LayoutError
        If the file becomes shorter while it is copied.
    """
    source.seek(0)
    position = 0
    for splice in splices:
        _copy(source, target, splice.start - position)
        target.write(splice.data)
        position = source.seek(splice.stop)
    _copy(source, target, size_of(source) - position)


def _copy(source: BinaryIO, target: BinaryIO, n_bytes: int) -> None:
    """Copy bytes from the current position of one file to that of another."""
    while n_bytes > 0:
        block = source.read(min(BYTES_AT_ONCE, n_bytes))
        if not block:
            raise LayoutError("another process is writing to it")
        target.write(block)
        n_bytes -= len(block)


def size_of(file: BinaryIO) -> int:
    """Length of an open file [bytes]; its position is kept."""
    position = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(position)
    return size


def read_at(file: BinaryIO, start: int, n_bytes: int) -> bytes:
    """Bytes of a file from a position on; fewer than asked for if it ends before."""
    file.seek(start)
    return file.read(n_bytes)


def only_zeros(file: BinaryIO, start: int) -> bool:
    """Whether all bytes of a file from a position on are zero."""
    file.seek(start)
    while block := file.read(BYTES_AT_ONCE):
        if block.strip(b"\0"):
            return False
    return True


def same_outside(source: BinaryIO, target: BinaryIO, splices: Sequence[Splice]) -> bool:
    """Whether two files have the same bytes outside of the splices between them."""
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
    """Whether the next bytes of two files are the same."""
    while n_bytes > 0:
        block = source.read(min(BYTES_AT_ONCE, n_bytes))
        if not block or block != target.read(len(block)):
            return False
        n_bytes -= len(block)
    return True


def intact_from(source: BinaryIO, target: BinaryIO) -> int:
    """Position from which on a file has the same bytes as the end of another file."""
    position, other = size_of(source), size_of(target)
    while (n_bytes := min(BYTES_AT_ONCE, position, other)) > 0:
        block = read_at(source, position - n_bytes, n_bytes)
        other_block = read_at(target, other - n_bytes, n_bytes)
        if block != other_block:
            # The longest common end of the two blocks, by bisection.
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
