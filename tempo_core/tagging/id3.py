"""Structure of ID3v2 tags, and replacement of frames that leaves all other frames as they are.

A tag is a header of ten bytes, optionally an extended header, frames, and padding with zeros; in
version 2.4 it may have a footer instead of the padding. A frame is a header (a name, a size and,
from 2.3 on, flags) and a body, whose content is not interpreted here.

Two things complicate sizes. *Synchsafe* numbers use seven bits of a byte: the
size of the tag in all versions, those of frames in 2.4. *Unsynchronisation* puts a zero behind each
0xFF that could be taken for the start of MPEG audio: in 2.4 it is done to a frame's body and the
size is that of the result, before that to the whole tag, and the sizes of frames are those before.

References: https://id3.org/id3v2-00, https://id3.org/id3v2.3.0, https://id3.org/id3v2.4.0-structure
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import IntFlag

from ..errors import LayoutError
from .splices import SPARE_BYTES

HEADER_SIZE = 10  # [bytes] of the header of a tag, and of a frame from version 2.3 on
MAX_INFLATED = 1 << 24  # [bytes] that a compressed frame may become
MAX_SIZE = (1 << 28) - 1  # the largest synchsafe number of four bytes

# Old iTunes put the three-letter names of 2.2 into tags of 2.3, filled up with a zero or a space.
_NAME = {3: re.compile(rb"[A-Z0-9]{3}"), 4: re.compile(rb"[A-Z0-9]{3}[A-Z0-9 \0]")}


class Flags(IntFlag):
    """Flags in the header of a tag. In 2.2 the second one means that the tag is compressed."""

    UNSYNCHRONISED = 0x80
    EXTENDED = 0x40
    EXPERIMENTAL = 0x20
    FOOTER = 0x10


VERSIONS = (2, 3, 4)
_KNOWN_FLAGS = {2: 0x80, 3: 0xE0, 4: 0xF0}
# Flags of frames whose bodies are compressed or encrypted, by version.
_PACKED = {3: 0xC0, 4: 0x0C}


@dataclass(frozen=True)
class Frame:
    """A frame of an ID3v2 tag: its name, and all of its bytes in the file, header included.

    `packed` means that its body is compressed or encrypted.
    """

    name: bytes
    raw: bytes
    packed: bool = False


@dataclass(frozen=True)
class Id3Tag:
    """An ID3v2 tag in its parts.

    `version` is 2, 3 or 4; `extended` are the bytes of the extended header; `padding` is the number
    of zero bytes after the frames.
    """

    version: int
    revision: int = 0
    flags: int = 0  # `Flags`
    extended: bytes = b""
    frames: tuple[Frame, ...] = ()
    padding: int = 0

    @property
    def size(self) -> int:
        """Length of the tag in the file [bytes], header and footer included."""
        return self._ends + self._body_size + self.padding

    @property
    def _ends(self) -> int:
        return HEADER_SIZE * (2 if self.flags & Flags.FOOTER else 1)

    @property
    def _body_size(self) -> int:
        return len(self.extended) + sum(len(frame.raw) for frame in self.frames)

    def replaced(self, dropped: Collection[Frame], new: Sequence[Frame]) -> Id3Tag:
        """The tag with some frames replaced by others, of the same length if they fit.

        The new frames stand in the place of the first that is dropped, or at the end. They must be
        in the form of the version of this tag, and not unsynchronised yet.

        Raises
        ------
        LayoutError
            If a new frame, or the extended header, cannot be written in the form of this tag.
        """
        added = [self._in_form(frame) for frame in new]
        kept: list[Frame] = []
        place = None
        for frame in self.frames:
            if any(frame is gone for gone in dropped):
                place = len(kept) if place is None else place
            else:
                kept.append(frame)
        place = len(kept) if place is None else place
        frames = (*kept[:place], *added, *kept[place:])
        tag = Id3Tag(self.version, self.revision, self.flags, self.extended, frames)
        if self.flags & Flags.FOOTER:
            return tag  # a tag with a footer has no padding
        room = self.size - tag.size
        return tag._padded(room if room >= 0 else SPARE_BYTES)

    def _in_form(self, frame: Frame) -> Frame:
        if not self.flags & Flags.UNSYNCHRONISED:
            return frame
        raw = unsynchronise(frame.raw)
        if self.version == 4 and raw != frame.raw:
            raise LayoutError("a new frame would have to be unsynchronised on its own")
        return Frame(frame.name, raw, frame.packed)

    def _padded(self, padding: int) -> Id3Tag:
        extended = self.extended
        if self.version == 3 and len(extended) >= 10:
            extended = extended[:6] + padding.to_bytes(4, "big") + extended[10:]
            if self.flags & Flags.UNSYNCHRONISED and unsynchronise(extended) != extended:
                raise LayoutError("its ID3 tag has an extended header that cannot be kept right")
        return Id3Tag(self.version, self.revision, self.flags, extended, self.frames, padding)

    def to_bytes(self) -> bytes:
        """Bytes of the tag in a file.

        Raises
        ------
        LayoutError
            If the tag is larger than the format allows.
        """
        inner = self.size - self._ends
        if inner > MAX_SIZE:
            raise LayoutError("its ID3 tag would become too large")
        head = bytes((self.version, self.revision, self.flags)) + synchsafe(inner)
        body = self.extended + b"".join(frame.raw for frame in self.frames) + bytes(self.padding)
        footer = b"3DI" + head if self.flags & Flags.FOOTER else b""
        return b"ID3" + head + body + footer


def inflates(tag: Id3Tag) -> bool:
    """Whether a compressed frame inflates to more than `MAX_INFLATED`, to harm who reads it."""
    for frame in tag.frames:
        if not frame.packed:
            continue
        for body in (frame.raw[HEADER_SIZE:], resynchronise(frame.raw[HEADER_SIZE:])):
            # A length and the number of a group may precede the compressed data.
            for start in range(8):
                if inflates_beyond(body[start:], MAX_INFLATED):
                    return True
    return False


def inflates_beyond(packed: bytes, limit: int) -> bool:
    """Whether compressed data inflates to more than `limit` [bytes]; takes no more memory."""
    try:
        return len(zlib.decompressobj().decompress(packed, limit + 1)) > limit
    except zlib.error:
        return False


def stated_size(header: bytes) -> int | None:
    """Length [bytes] of the tag whose header these ten bytes are; None if they are no header."""
    if len(header) < HEADER_SIZE or header[:3] != b"ID3" or max(header[6:10]) > 127:
        return None
    footer = HEADER_SIZE if header[3] == 4 and header[5] & Flags.FOOTER else 0
    return HEADER_SIZE + from_synchsafe(header[6:10]) + footer


def parse(data: bytes) -> Id3Tag:
    """A tag from all of its bytes, whose number is `stated_size`.

    Raises
    ------
    LayoutError
        If the tag is damaged, or has something that cannot be kept right in a change.
    """
    version, revision, flags = data[3], data[4], data[5]
    if version not in VERSIONS:
        raise LayoutError(f"its ID3 tag is of the unknown version 2.{version}")
    if flags & ~_KNOWN_FLAGS[version]:
        raise LayoutError("its ID3 tag has unknown flags")
    footer = bool(version == 4 and flags & Flags.FOOTER)
    if len(data) != stated_size(data) or (footer and data[-10:] != b"3DI" + data[3:10]):
        raise LayoutError("its ID3 tag is cut off")
    body = data[HEADER_SIZE : len(data) - HEADER_SIZE * footer]
    whole = version < 4 and bool(flags & Flags.UNSYNCHRONISED)
    extended = _extended(body, version, whole) if flags & Flags.EXTENDED else b""
    # Some programs write sizes of 2.3 in the way of 2.4 or the reverse: the way in which all frames
    # fit into the tag is the right one.
    for safe in {2: (False,), 3: (False, True), 4: (True, False)}[version]:
        frames = _frames(body[len(extended) :], version, safe, whole)
        if frames is not None:
            padding = len(body) - len(extended) - sum(len(frame.raw) for frame in frames)
            return Id3Tag(version, revision, flags, extended, tuple(frames), padding)
    raise LayoutError("its ID3 tag is damaged")


def _extended(body: bytes, version: int, unsynchronised: bool) -> bytes:
    """Bytes of the extended header; empty if one is announced but a frame follows instead."""
    if _NAME[4].fullmatch(body[:4]):
        return b""
    if version == 4:
        size, has_checksum = from_synchsafe(body[:4]), bool(body[5] & 0x20) if body[5:] else True
    else:
        size, has_checksum = 4 + int.from_bytes(body[:4], "big"), bool(body[4:5] >= b"\x80")
    extended = body[:size]
    if not 6 <= size <= len(body) or (unsynchronised and b"\xff" in extended):
        raise LayoutError("its ID3 tag is damaged")
    if has_checksum:
        raise LayoutError("its ID3 tag has a checksum, which would not hold any more")
    return extended


def _frames(body: bytes, version: int, safe: bool, unsynchronised: bool) -> list[Frame] | None:
    """The frames of a tag; None if they do not fit into it.

    `safe` says whether their sizes are read as synchsafe numbers.
    """
    name_size, size_size, head_size = (3, 3, 6) if version == 2 else (4, 4, HEADER_SIZE)
    frames = []
    position = 0
    while body[position : position + 1] not in (b"", b"\0"):
        start = _skip(body, position, head_size, unsynchronised)
        if start is None:
            return None
        head = body[position:start]
        if unsynchronised:
            head = resynchronise(head)
        size_field = head[name_size : name_size + size_size]
        if not _NAME[name_size].fullmatch(head[:name_size]) or (safe and max(size_field) > 127):
            return None
        size = from_synchsafe(size_field) if safe else int.from_bytes(size_field, "big")
        stop = _skip(body, start, size, unsynchronised)
        if stop is None:
            return None
        packed = version > 2 and bool(head[9] & _PACKED[version])
        frames.append(Frame(head[:name_size], body[position:stop], packed))
        position = stop
    return None if body[position:].strip(b"\0") else frames


def _skip(body: bytes, position: int, n_bytes: int, unsynchronised: bool) -> int | None:
    """Position after `n_bytes`, counted before unsynchronisation; None if there are fewer."""
    while unsynchronised and n_bytes:
        at = body.find(b"\xff\0", position, position + n_bytes + 1)
        if at < 0:
            break
        n_bytes -= at + 1 - position
        position = at + 2
    return position + n_bytes if position + n_bytes <= len(body) else None


def unsynchronise(data: bytes) -> bytes:
    """Data with a zero after each 0xFF that looks like MPEG audio or like such a pair."""
    return re.sub(rb"\xff(?=[\xe0-\xff\0]|\Z)", b"\xff\0", data)


def resynchronise(data: bytes) -> bytes:
    """Data as before `unsynchronise`."""
    return data.replace(b"\xff\0", b"\xff")


def synchsafe(number: int) -> bytes:
    """A number as four bytes of seven bits each."""
    return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))


def from_synchsafe(data: bytes) -> int:
    """The number in synchsafe bytes, of any length."""
    number = 0
    for byte in data:
        number = number << 7 | byte & 127
    return number
