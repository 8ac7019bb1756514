"""Items of an APEv2 tag at the end of a file (Monkey's Audio, WavPack, Musepack).

The tag consists of a header, items and a footer; only an ID3v1 tag may follow it.

Reference: https://wiki.hydrogenaud.io/index.php?title=APEv2_specification
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import LayoutError
from .splices import Splice, read_at, size_of

PREAMBLE = b"APETAGEX"
HEADER_SIZE = 32  # [bytes] length of the header, and of the footer
HAS_HEADER, IS_HEADER = 1 << 31, 1 << 29  # flags in header and footer
MAX_TAG_SIZE = 1 << 28  # [bytes] tags that claim to be larger are refused
DAMAGED_TAG = "its APE tag is damaged"


@dataclass(frozen=True)
class ApeItem:
    """An item of an APE tag. `key` is in lower case; `raw` is the whole item as in the file."""

    key: str
    raw: bytes


@dataclass(frozen=True)
class ApeTag:
    """An APE tag, bytes `start` to `stop` (exclusive) of the file.

    Both are equal, and `items` is empty, in a file without a tag; they say where one would be.
    """

    start: int
    stop: int
    items: tuple[ApeItem, ...] = ()


def item(key: str, value: bytes, kind: int) -> ApeItem:
    """Make an item. `kind` is 0 for text, 1 for binary data, 2 for a link."""
    return ApeItem(
        key.lower(), struct.pack("<II", len(value), kind << 1) + key.encode() + b"\0" + value
    )


def read(file: BinaryIO) -> ApeTag:
    """Read the APE tag of an open file; an empty tag if the file has none.

    Raises
    ------
    LayoutError
        If the tag is damaged or is not at the end of the file.
    """
    stop = size_of(file)
    if stop >= 128 and read_at(file, stop - 128, 3) == b"TAG":
        stop -= 128
    footer = read_at(file, max(0, stop - HEADER_SIZE), HEADER_SIZE)
    if footer[:8] != PREAMBLE:
        if PREAMBLE in read_at(file, 0, 8) or PREAMBLE in read_at(file, max(0, stop - 4096), 4096):
            raise LayoutError("its APE tag is not at the end of the file")
        return ApeTag(stop, stop)
    version, size, count, flags = struct.unpack("<IIII", footer[8:24])
    start = stop - size - HEADER_SIZE * bool(flags & HAS_HEADER)
    if version != 2000 or not HEADER_SIZE <= size <= MAX_TAG_SIZE or start < 0 or flags & IS_HEADER:
        raise LayoutError(DAMAGED_TAG)
    if flags & HAS_HEADER and read_at(file, start, 8) != PREAMBLE:
        raise LayoutError(DAMAGED_TAG)
    data = read_at(file, stop - size, size - HEADER_SIZE)
    items = []
    position = 0
    while position < len(data):
        end_of_key = data.find(b"\0", position + 8)
        if end_of_key < 0:
            raise LayoutError(DAMAGED_TAG)
        end = end_of_key + 1 + struct.unpack_from("<I", data, position)[0]
        if end > len(data):
            raise LayoutError(DAMAGED_TAG)
        key = data[position + 8 : end_of_key].decode("utf-8", "replace").lower()
        items.append(ApeItem(key, data[position:end]))
        position = end
    if len(items) != count:
        raise LayoutError(DAMAGED_TAG)
    return ApeTag(start, stop, tuple(items))


def replaced(tag: ApeTag, dropped: Collection[str], new: Sequence[ApeItem]) -> list[Splice]:
    """Splices that replace the items with the keys `dropped` (lower case) by the items `new`.

    The new items stand where the first dropped item stood, or at the end.
    """
    place = next((n for n, item in enumerate(tag.items) if item.key in dropped), None)
    kept = [item for item in tag.items if item.key not in dropped]
    place = len(kept) if place is None else place
    items = [*kept[:place], *new, *kept[place:]]
    body = b"".join(item.raw for item in items)

    def end(flags: int) -> bytes:
        """The header or the footer."""
        size = len(body) + HEADER_SIZE
        return PREAMBLE + struct.pack("<IIII8x", 2000, size, len(items), HAS_HEADER | flags)

    return [Splice(tag.start, tag.stop, end(IS_HEADER) + body + end(0))]
