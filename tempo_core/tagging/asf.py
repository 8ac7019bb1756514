"""Text attributes in the header of an ASF file (WMA).

The header is a sequence of objects, each with a GUID, a size and a body. Four of the objects hold
attributes; only the one for plain text, the extended content description, is changed here.

Reference: Advanced Systems Format specification, revision 01.20.03
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import BinaryIO
from uuid import UUID

from ..errors import LayoutError
from .splices import Splice, read_at

HEADER_PREFIX_SIZE = 30  # [bytes] of the file header before its first object
OBJECT_HEADER_SIZE = 24  # [bytes] of an object before its body
MAX_HEADER_SIZE = 1 << 28  # [bytes] headers that claim to be larger are refused
DAMAGED_HEADER = "its header is damaged"


def _guid(text: str) -> bytes:
    return UUID(text).bytes_le


CONTENT_DESCRIPTION = _guid("75b22633-668e-11cf-a6d9-00aa0062ce6c")
EXTENDED_DESCRIPTION = _guid("d2d0a440-e307-11d2-97f0-00a0c95ea850")
# Holds two more objects with attributes.
HEADER_EXTENSION = _guid("5fbf03b5-a92e-11cf-8ee3-00c00c205365")
PADDING_OBJECT = _guid("1806d474-cadf-4509-a4ba-9aabcb96aae8")
# Objects that may differ after a change of attributes.
CHANGEABLE = (CONTENT_DESCRIPTION, EXTENDED_DESCRIPTION, HEADER_EXTENSION, PADDING_OBJECT)
# Attributes that the content description holds; they are not changed here.
DESCRIBED = {"Title", "Author", "Copyright", "Description", "Rating"}


@dataclass(frozen=True)
class HeaderObject:
    """An object of the header at byte `start` of the file; `raw` includes its own header."""

    start: int
    raw: bytes

    @property
    def guid(self) -> bytes:
        return self.raw[:16]

    @property
    def end(self) -> int:
        return self.start + len(self.raw)


def header_size(file: BinaryIO) -> int:
    """Stated length of the file header, which is all that precedes the audio packets [bytes]."""
    return int.from_bytes(read_at(file, 16, 8), "little")


def objects(file: BinaryIO) -> list[HeaderObject]:
    """Read the objects in the header of an open file.

    Raises
    ------
    LayoutError
        If the objects do not fill the header exactly.
    """
    size = header_size(file)
    if not HEADER_PREFIX_SIZE <= size <= MAX_HEADER_SIZE:
        raise LayoutError(DAMAGED_HEADER)
    header = read_at(file, 0, size)
    found = []
    position = HEADER_PREFIX_SIZE
    while position < size:
        if position + OBJECT_HEADER_SIZE > len(header):
            raise LayoutError(DAMAGED_HEADER)
        (length,) = struct.unpack_from("<Q", header, position + 16)
        if not OBJECT_HEADER_SIZE <= length <= size - position:
            raise LayoutError(DAMAGED_HEADER)
        found.append(HeaderObject(position, header[position : position + length]))
        position += length
    return found


def other_objects(file: BinaryIO) -> list[bytes]:
    """Bytes of each object in the header of an open file that a change of attributes must keep."""
    return [found.raw for found in objects(file) if found.guid not in CHANGEABLE]


def attribute(name: str, text: str) -> bytes:
    """Bytes of a text attribute for the extended content description.

    Raises
    ------
    LayoutError
        If the name or the text is too long for the format.
    """
    fields = [(field + "\0").encode("utf-16-le") for field in (name, text)]
    if max(map(len, fields)) >= 1 << 16:
        raise LayoutError("a text is too long for its format")
    return (
        struct.pack("<H", len(fields[0])) + fields[0]
        + struct.pack("<HH", 0, len(fields[1])) + fields[1]
    )  # fmt: skip


def replaced(file: BinaryIO, dropped: Collection[str], new: Sequence[bytes]) -> list[Splice] | None:
    """Splices that replace the attributes named `dropped` by `new` (made by `attribute`).

    None if some of those attributes are, or could be, elsewhere than in the extended content
    description.

    Raises
    ------
    LayoutError
        If the header is damaged or would hold too many attributes.
    """
    found = objects(file)
    texts = [one for one in found if one.guid == EXTENDED_DESCRIPTION]
    elsewhere = b"".join(one.raw for one in found if one.guid == HEADER_EXTENSION)
    named = any(name.encode("utf-16-le") in elsewhere for name in dropped)
    if named or len(texts) > 1 or DESCRIBED & set(dropped):
        return None
    # A missing extended content description is added as the last object.
    old = texts[0] if texts else HeaderObject(header_size(file), b"")
    attributes = _attributes(old.raw) if texts else []
    place = next((n for n, (name, _) in enumerate(attributes) if name in dropped), None)
    kept = [raw for name, raw in attributes if name not in dropped]
    place = len(kept) if place is None else place
    rows = [*kept[:place], *new, *kept[place:]]
    if len(rows) >= 1 << 16:
        raise LayoutError("there are too many tags")
    body = struct.pack("<H", len(rows)) + b"".join(rows)
    splices = [Splice(old.start, old.end, _object(EXTENDED_DESCRIPTION, body))]
    grown = OBJECT_HEADER_SIZE + len(body) - len(old.raw)
    for padding in (one for one in found if one.guid == PADDING_OBJECT):
        left = len(padding.raw) - grown - OBJECT_HEADER_SIZE
        if left >= 0:
            splices.append(Splice(padding.start, padding.end, _object(PADDING_OBJECT, bytes(left))))
            grown = 0
            break
    count = len(found) + (not texts)
    head = struct.pack("<QI", header_size(file) + grown, count)
    return [Splice(16, 28, head), *sorted(splices, key=lambda splice: splice.start)]


def _object(guid: bytes, body: bytes) -> bytes:
    """Bytes of an object of the header."""
    return guid + struct.pack("<Q", OBJECT_HEADER_SIZE + len(body)) + body


def _attributes(raw: bytes) -> list[tuple[str, bytes]]:
    """Name and bytes of each attribute in an extended content description."""
    rows = []
    try:
        (count,) = struct.unpack_from("<H", raw, OBJECT_HEADER_SIZE)
        position = OBJECT_HEADER_SIZE + 2
        for _ in range(count):
            (name_size,) = struct.unpack_from("<H", raw, position)
            name = raw[position + 2 : position + 2 + name_size].decode("utf-16-le", "replace")
            (value_size,) = struct.unpack_from("<H", raw, position + 4 + name_size)
            end = position + 6 + name_size + value_size
            rows.append((name.rstrip("\0"), raw[position:end]))
            position = end
    except struct.error as error:
        raise LayoutError(DAMAGED_HEADER) from error
    if position != len(raw):
        raise LayoutError(DAMAGED_HEADER)
    return rows
