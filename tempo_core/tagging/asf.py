"""The objects in the header of an ASF file (wma), as far as they are no tags.

Reference: Advanced Systems Format specification, revision 01.20.03
"""

from __future__ import annotations

import struct
from typing import BinaryIO
from uuid import UUID

from ..errors import LayoutError
from .splices import read_at

HEAD = 30  # [bytes] of the header before its first object
MAX_HEADER = 1 << 28  # [bytes]
# What a change of tags may change: the tags of three kinds, and the room to spare.
CHANGEABLE = {
    UUID(guid).bytes_le
    for guid in (
        "75b22633-668e-11cf-a6d9-00aa0062ce6c",  # content description
        "d2d0a440-e307-11d2-97f0-00a0c95ea850",  # extended content description
        "5fbf03b5-a92e-11cf-8ee3-00c00c205365",  # header extension, with the metadata objects
        "1806d474-cadf-4509-a4ba-9aabcb96aae8",  # padding
    )
}


def header_size(file: BinaryIO) -> int:
    """Length of what comes before the packets [bytes]."""
    return int.from_bytes(read_at(file, 16, 8), "little")


def other_objects(file: BinaryIO) -> list[bytes]:
    """The objects in the header of an open file that are no tags.

    Raises
    ------
    LayoutError
        If they do not fill it.
    """
    size = header_size(file)
    if not HEAD <= size <= MAX_HEADER:
        raise LayoutError("its header is damaged")
    header = read_at(file, 0, size)
    found = []
    position = HEAD
    while position < size:
        if position + 24 > len(header):
            raise LayoutError("its header is damaged")
        (length,) = struct.unpack_from("<Q", header, position + 16)
        if not 24 <= length <= size - position:
            raise LayoutError("its header is damaged")
        if header[position : position + 16] not in CHANGEABLE:
            found.append(header[position : position + length])
        position += length
    return found
