"""Vorbis comments, and the metadata blocks of FLAC files that hold them.

A Vorbis comment consists of the name of the encoder's vendor and entries `NAME=value`.

References: https://xiph.org/vorbis/doc/v-comment.html, https://www.rfc-editor.org/rfc/rfc9639
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import LayoutError
from . import id3
from .splices import Splice, read_at, size_of

STREAMINFO_BLOCK, PADDING_BLOCK, COMMENT_BLOCK = 0, 1, 4  # types of FLAC metadata blocks
MAX_BLOCK_SIZE = (1 << 24) - 1  # [bytes] without the header of the block
DAMAGED_COMMENT = "its Vorbis comment is damaged"


@dataclass(frozen=True)
class VorbisComment:
    """A Vorbis comment. `entries` are `NAME=value`; `rest` holds the bytes that follow them."""

    vendor: bytes
    entries: tuple[bytes, ...]
    rest: bytes = b""

    def replaced(self, dropped: Collection[str], new: Sequence[bytes]) -> VorbisComment:
        """Make a copy with the entries named `dropped` (lower case) replaced by the entries `new`.

        The new entries stand where the first dropped entry stood, or at the end.
        """
        place = next((n for n, e in enumerate(self.entries) if name_of(e) in dropped), None)
        kept = [entry for entry in self.entries if name_of(entry) not in dropped]
        place = len(kept) if place is None else place
        return VorbisComment(self.vendor, (*kept[:place], *new, *kept[place:]), self.rest)

    def to_bytes(self) -> bytes:
        """Bytes of the comment for a file."""
        fields = [self.vendor, *self.entries]
        packed = [struct.pack("<I", len(field)) + field for field in fields]
        packed.insert(1, struct.pack("<I", len(self.entries)))
        return b"".join(packed) + self.rest


def parse(data: bytes) -> VorbisComment:
    """Parse the bytes of a comment.

    Raises
    ------
    LayoutError
        If the sizes in it exceed the data.
    """
    position = 0

    def number() -> int:
        nonlocal position
        if position + 4 > len(data):
            raise LayoutError(DAMAGED_COMMENT)
        (value,) = struct.unpack_from("<I", data, position)
        position += 4
        return int(value)

    def field() -> bytes:
        nonlocal position
        size = number()
        if size > len(data) - position:
            raise LayoutError(DAMAGED_COMMENT)
        position += size
        return data[position - size : position]

    vendor = field()
    entries = tuple(field() for _ in range(number()))
    return VorbisComment(vendor, entries, data[position:])


def name_of(entry: bytes) -> str:
    """Name of an entry `NAME=value`, in lower case because case does not matter."""
    return entry.partition(b"=")[0].decode("utf-8", "replace").lower()


@dataclass(frozen=True)
class MetadataBlock:
    """A metadata block of a FLAC file.

    Its header of four bytes is at `start`; `size` is the length of its body in bytes. `last` says
    that no other metadata block follows.
    """

    kind: int
    start: int
    size: int
    last: bool

    @property
    def end(self) -> int:
        return self.start + 4 + self.size

    def head(self, size: int) -> bytes:
        """Header of this block with another size of the body [bytes].

        Raises
        ------
        LayoutError
            If the size is more than a block can have.
        """
        if size > MAX_BLOCK_SIZE:
            raise LayoutError("its Vorbis comment would become too large")
        return bytes((self.kind | 128 * self.last,)) + size.to_bytes(3, "big")


def blocks(file: BinaryIO) -> list[MetadataBlock]:
    """Read the metadata blocks of an open FLAC file.

    Raises
    ------
    LayoutError
        If the metadata is damaged or cut off, or if something other than an ID3 tag precedes it.
    """
    position = id3.stated_size(read_at(file, 0, id3.HEADER_SIZE)) or 0
    if read_at(file, position, 4) != b"fLaC":
        raise LayoutError("there is something unknown before its audio")
    position += 4
    found: list[MetadataBlock] = []
    size_of_file = size_of(file)
    while not found or not found[-1].last:
        head = read_at(file, position, 4)
        if len(head) < 4:
            raise LayoutError("its metadata is cut off")
        block = MetadataBlock(
            head[0] & 127, position, int.from_bytes(head[1:], "big"), head[0] > 127
        )
        if block.end > size_of_file:
            raise LayoutError("its metadata is cut off")
        found.append(block)
        position = block.end
    if found[0].kind != STREAMINFO_BLOCK:
        raise LayoutError("its metadata is damaged")
    return found


def read_comment(file: BinaryIO, found: Sequence[MetadataBlock]) -> VorbisComment:
    """Read the comment of an open FLAC file from its blocks; an empty comment if it has none.

    Raises
    ------
    LayoutError
        If the comment is damaged.
    """
    block = next((block for block in found if block.kind == COMMENT_BLOCK), None)
    if block is None:
        return VorbisComment(b"", ())
    comment = parse(read_at(file, block.start + 4, block.size))
    if comment.rest:
        raise LayoutError(DAMAGED_COMMENT)
    return comment


def replaced(file: BinaryIO, dropped: Collection[str], new: Sequence[bytes]) -> list[Splice]:
    """Splices that replace the entries of a FLAC file named `dropped` by the entries `new`.

    Raises
    ------
    LayoutError
        If the metadata is damaged or would become too large.
    """
    found = blocks(file)
    data = read_comment(file, found).replaced(dropped, new).to_bytes()
    old = next((block for block in found if block.kind == COMMENT_BLOCK), None)
    if old is None:
        # Insert the comment behind the first block, which has to stay first.
        first = found[0]
        old = MetadataBlock(COMMENT_BLOCK, first.end, -4, first.last)
        heads = (
            [Splice(first.start, first.start + 1, bytes((STREAMINFO_BLOCK,)))] if first.last else []
        )
    else:
        heads = []
    splices = [*heads, Splice(old.start, old.end, old.head(len(data)) + data)]
    grown = len(data) - old.size
    padding = next((block for block in found if block.kind == PADDING_BLOCK), None)
    if padding and 0 <= padding.size - grown <= MAX_BLOCK_SIZE:
        size = padding.size - grown
        splices.append(Splice(padding.start, padding.end, padding.head(size) + bytes(size)))
    return sorted(splices, key=lambda splice: splice.start)
