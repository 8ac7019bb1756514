"""Bytes of an object in blocks: few requests, and not many more bytes than a decoder asks for."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from ..errors import AudioError

HEAD = 1 << 16  # [bytes] of an object that its first request is for
# [bytes] of a request at a new place, and of one after others without a gap, which each ask for
# twice as much as the one before.
LEAST_BLOCK, MOST_BLOCK = 1 << 16, 1 << 19
LARGEST_FETCH = 1 << 23  # [bytes] of a request in any case
N_KEPT = 8  # blocks in memory


class Changed(AudioError):
    """An object that is another one than it was when it was opened."""

    def __init__(self) -> None:
        super().__init__("it was changed while it was read")


class Ranged(Protocol):
    """An object that is read by ranges."""

    @property
    def size(self) -> int: ...

    def fetch(self, begin: int, end: int) -> bytes:
        """Exactly the bytes from `begin` to `end`, which lie within the object."""

    def close(self) -> None: ...


class Blocks:
    """Bytes of an object; see `Bytes`. The last blocks that were fetched are kept.

    Parameters
    ----------
    head
        Bytes from the beginning on that are there already.
    """

    def __init__(self, source: Ranged, head: bytes = b"") -> None:
        self._source = source
        self._kept: OrderedDict[int, bytes] = OrderedDict()  # by their beginnings
        self._next, self._ahead = len(head), LEAST_BLOCK  # what a read without a gap begins with
        if head:
            self._kept[0] = head

    @property
    def size(self) -> int:
        """Length [bytes]."""
        return self._source.size

    def part(self, position: int, size: int) -> bytes:
        """See `Bytes`."""
        end = min(position + size, self.size)
        pieces = []
        while position < end:
            begin, block = self._block(position, end)
            piece = block[position - begin : end - begin]
            pieces.append(piece)
            position += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _block(self, position: int, end: int) -> tuple[int, bytes]:
        """The block with a position, and where it begins; it is fetched if it is not kept."""
        for begin, block in self._kept.items():
            if begin <= position < begin + len(block):
                self._kept.move_to_end(begin)
                return begin, block
        self._ahead = min(2 * self._ahead, MOST_BLOCK) if position == self._next else LEAST_BLOCK
        stop = min(max(end, position + self._ahead), position + LARGEST_FETCH, self.size)
        following = min((begin for begin in self._kept if begin > position), default=self.size)
        if following <= stop:
            # Before what is kept, or before the end, some search backwards: a whole block as well.
            stop = following
            before = [b + len(block) for b, block in self._kept.items() if b < position]
            position = min(position, max([0, stop - LEAST_BLOCK, *before]))
        block = self._source.fetch(position, stop)
        self._kept[position] = block
        if len(self._kept) > N_KEPT:
            self._kept.popitem(last=False)
        self._next = stop
        return position, block

    def close(self) -> None:
        """Let go of the object."""
        self._kept.clear()
        self._source.close()
