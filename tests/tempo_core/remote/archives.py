"""Zip archives byte by byte, also such as no program would write."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

STORED, DEFLATED = 0, 8
ENCRYPTED, UTF_8 = 1, 1 << 11


@dataclass(frozen=True)
class Member:
    """A member of an archive as it lies there: `data` is what is stored, whatever `method` says.

    `size` and `crc` are those of the content. `shift` is added to the position that the directory
    gives [bytes].
    """

    name: bytes
    data: bytes
    size: int
    crc: int
    method: int = STORED
    flags: int = UTF_8
    shift: int = 0


def stored(name: str, content: bytes, **others: int) -> Member:
    """A member that is not compressed."""
    return Member(name.encode(), content, len(content), zlib.crc32(content), **others)


def deflated(name: str, content: bytes, **others: int) -> Member:
    """A compressed member."""
    packer = zlib.compressobj(6, wbits=-15)
    data = packer.compress(content) + packer.flush()
    return Member(name.encode(), data, len(content), zlib.crc32(content), DEFLATED, **others)


def bomb(name: str, n_megabytes: int, begin: bytes = b"") -> Member:
    """A member of zeros behind a beginning: a thousandth of its size [MB] in the archive."""
    packer = zlib.compressobj(9, wbits=-15)
    head = packer.compress(begin) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    data = head + zeros * n_megabytes + packer.flush()
    return Member(name.encode(), data, len(begin) + (n_megabytes << 20), 0, DEFLATED)


def archive(*members: Member) -> bytes:
    """An archive of some members."""
    body, directory = b"", b""
    for member in members:
        about = struct.pack(
            "<HHHHHIIIHH", 20, member.flags, member.method, 0, 0x21, member.crc, len(member.data),
            member.size, len(member.name), 0,
        )  # fmt: skip
        place = max(0, len(body) + member.shift)
        directory += b"PK\1\2" + struct.pack("<H", 20) + about
        directory += struct.pack("<HHHII", 0, 0, 0, 0, place) + member.name
        body += b"PK\3\4" + about + member.name + member.data
    end = struct.pack(
        "<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0
    )  # fmt: skip
    return body + directory + b"PK\5\6" + end
