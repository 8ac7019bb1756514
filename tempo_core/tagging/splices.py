"""A new file as an old one with some stretches of it replaced."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

BLOCK = 1 << 20  # [bytes] copied at a time


@dataclass(frozen=True)
class Splice:
    """Bytes `start` to `stop` (exclusive) of a file become `data`, of any length."""

    start: int
    stop: int
    data: bytes


def write_spliced(source: BinaryIO, target: BinaryIO, splices: Sequence[Splice]) -> None:
    """Copy a file with some of it replaced; splices are in ascending order and do not overlap."""
    source.seek(0)
    position = 0
    for splice in splices:
        _copy(source, target, splice.start - position)
        target.write(splice.data)
        position = source.seek(splice.stop)
    _copy(source, target, size_of(source) - position)


def _copy(source: BinaryIO, target: BinaryIO, n_bytes: int) -> None:
    while n_bytes > 0:
        block = source.read(min(BLOCK, n_bytes))
        if not block:
            raise EOFError("the file became shorter while it was copied")
        target.write(block)
        n_bytes -= len(block)


def size_of(file: BinaryIO) -> int:
    """Length of an open file [bytes]; its position stays."""
    position = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(position)
    return size


def read_at(file: BinaryIO, start: int, n_bytes: int) -> bytes:
    """Bytes of a file from a position on, fewer where it ends."""
    file.seek(start)
    return file.read(n_bytes)


def only_zeros(file: BinaryIO, start: int) -> bool:
    """Whether nothing but zero bytes follows a position."""
    file.seek(start)
    while block := file.read(BLOCK):
        if block.strip(b"\0"):
            return False
    return True
