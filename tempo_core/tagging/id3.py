"""The structure of ID3v2 tags, and replacement of single frames that keeps all others as they are.

A tag consists of a header of ten bytes, an optional extended header, frames, and zeros as padding;
in version 2.4 a footer may stand in place of the padding. A frame consists of a header (a name, a
size and, from version 2.3 on, flags) and a body, which is not interpreted here.

Two encodings affect the sizes. *Synchsafe* numbers use only seven bits of each byte; the size of
the tag is such a number in all versions, the sizes of frames are in version 2.4.
*Unsynchronisation* inserts a zero after each 0xFF that could be taken for the start of MPEG audio.
Version 2.4 applies it to the body of a frame, whose size is that of the result. Earlier versions
apply it to the whole tag, and the sizes of frames are those before it.

References: https://id3.org/id3v2-00, https://id3.org/id3v2.3.0, https://id3.org/id3v2.4.0-structure
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import IntFlag

from ..errors import LayoutError

HEADER_SIZE = 10  # [bytes] of the header of a tag, and of a frame from version 2.3 on
# [bytes] of padding in a tag that has to grow, so that the next change needs no growth.
GROWTH_PADDING = 1024
MAX_INFLATED_FRAME = 1 << 24  # [bytes] allowed size of a compressed frame after decompression
MAX_TAG_SIZE = (1 << 28) - 1  # [bytes] the largest synchsafe number of four bytes

# Patterns of frame names by their length. Old versions of iTunes wrote the three-letter names of
# version 2.2 into tags of version 2.3, followed by a zero or a space.
_NAME = {3: re.compile(rb"[A-Z0-9]{3}"), 4: re.compile(rb"[A-Z0-9]{3}[A-Z0-9 \0]")}


class TagFlags(IntFlag):
    """Flags in the header of a tag. In version 2.2, 0x40 means that the tag is compressed."""

    UNSYNCHRONISED = 0x80
    EXTENDED = 0x40
    EXPERIMENTAL = 0x20
    FOOTER = 0x10


VERSIONS = (2, 3, 4)  # of ID3v2: 2.2, 2.3 and 2.4
_KNOWN_FLAGS = {2: 0x80, 3: 0xE0, 4: 0xF0}
# Flags of a frame that say that its body is compressed or encrypted, by version.
_PACKED = {3: 0xC0, 4: 0x0C}


@dataclass(frozen=True)
class Id3Frame:
    """A frame of an ID3v2 tag.

    `raw` is the whole frame as in the file, with its header. `packed` says that the body is
    compressed or encrypted.
    """

    name: bytes
    raw: bytes
    packed: bool = False


@dataclass(frozen=True)
class Id3Tag:
    """The parts of an ID3v2 tag.

    `version` is 2, 3 or 4, `flags` a combination of `TagFlags`. `extended` holds the bytes of the
    extended header, empty if there is none. `padding` is the number of zeros after the frames.
    `foreign_sizes` says that the sizes of the frames are encoded as the other version does.
    """

    version: int
    revision: int = 0
    flags: int = 0
    extended: bytes = b""
    frames: tuple[Id3Frame, ...] = ()
    padding: int = 0
    foreign_sizes: bool = False

    @property
    def size(self) -> int:
        """Length of the tag in the file [bytes], with header, footer and padding."""
        return self._ends + self._body_size + self.padding

    @property
    def _ends(self) -> int:
        return HEADER_SIZE * (2 if self.flags & TagFlags.FOOTER else 1)

    @property
    def _body_size(self) -> int:
        return len(self.extended) + sum(len(frame.raw) for frame in self.frames)

    def replaced(self, dropped: Collection[Id3Frame], new: Sequence[Id3Frame]) -> Id3Tag:
        """Make a copy of the tag with other frames, of the same length if the padding suffices.

        Parameters
        ----------
        dropped
            Frame objects of this tag to leave out.
        new
            Frames to put where the first dropped frame stood, or at the end. They must be in the
            format of this version, without unsynchronisation.

        Raises
        ------
        LayoutError
            If the changed tag would have to be unsynchronised in a way that is not supported.
        """
        added = [self._in_form(frame) for frame in new]
        kept: list[Id3Frame] = []
        place = None
        for frame in self.frames:
            if any(frame is gone for gone in dropped):
                place = len(kept) if place is None else place
            else:
                kept.append(frame)
        place = len(kept) if place is None else place
        frames = (*kept[:place], *added, *kept[place:])
        tag = Id3Tag(self.version, self.revision, self.flags, self.extended, frames)
        if self.flags & TagFlags.FOOTER:
            return tag  # a tag with a footer must not have padding
        room = self.size - tag.size
        return tag._padded(room if room >= 0 else GROWTH_PADDING)

    def _in_form(self, frame: Id3Frame) -> Id3Frame:
        """A new frame with its size as in the tag, unsynchronised if the tag is."""
        if self.foreign_sizes:
            size = len(frame.raw) - HEADER_SIZE
            encoded = size.to_bytes(4, "big") if self.version == 4 else synchsafe(size)
            frame = Id3Frame(frame.name, frame.raw[:4] + encoded + frame.raw[8:], frame.packed)
        if not self.flags & TagFlags.UNSYNCHRONISED:
            return frame
        raw = unsynchronise(frame.raw)
        if self.version == 4 and raw != frame.raw:
            raise LayoutError("a new frame would have to be unsynchronised on its own")
        return Id3Frame(frame.name, raw, frame.packed)

    def _padded(self, padding: int) -> Id3Tag:
        """Copy of the tag with `padding` zeros; version 2.3 repeats it in the extended header."""
        extended = self.extended
        if self.version == 3 and len(extended) >= 10:
            extended = extended[:6] + padding.to_bytes(4, "big") + extended[10:]
            if self.flags & TagFlags.UNSYNCHRONISED and unsynchronise(extended) != extended:
                raise LayoutError("its ID3 tag has an extended header that cannot be updated")
        return Id3Tag(self.version, self.revision, self.flags, extended, self.frames, padding)

    def to_bytes(self) -> bytes:
        """Bytes of the tag for a file.

        Raises
        ------
        LayoutError
            If the tag is larger than the format allows.
        """
        inner = self.size - self._ends
        if inner > MAX_TAG_SIZE:
            raise LayoutError("its ID3 tag would become too large")
        head = bytes((self.version, self.revision, self.flags)) + synchsafe(inner)
        body = self.extended + b"".join(frame.raw for frame in self.frames) + bytes(self.padding)
        footer = b"3DI" + head if self.flags & TagFlags.FOOTER else b""
        return b"ID3" + head + body + footer


def inflates(tag: Id3Tag) -> bool:
    """Whether a compressed frame of the tag decompresses to more than `MAX_INFLATED_FRAME` bytes.

    Such a frame could exhaust the memory of programs that read it.
    """
    for frame in tag.frames:
        if not frame.packed:
            continue
        for body in (frame.raw[HEADER_SIZE:], resynchronise(frame.raw[HEADER_SIZE:])):
            # A length or the number of a group may precede the compressed data.
            for start in range(8):
                if inflates_beyond(body[start:], MAX_INFLATED_FRAME):
                    return True
    return False


def inflates_beyond(packed: bytes, limit: int) -> bool:
    """Whether zlib-compressed data decompresses to more than `limit` bytes, False if it is damaged.

    Decompression stops at the limit.
    """
    try:
        return len(zlib.decompressobj().decompress(packed, limit + 1)) > limit
    except zlib.error:
        return False


def stated_size(header: bytes) -> int | None:
    """Length of the tag that begins with `header` (ten bytes), in bytes; None if it is no tag."""
    if len(header) < HEADER_SIZE or header[:3] != b"ID3" or max(header[6:10]) > 127:
        return None
    footer = HEADER_SIZE if header[3] == 4 and header[5] & TagFlags.FOOTER else 0
    return HEADER_SIZE + from_synchsafe(header[6:10]) + footer


def parse(data: bytes) -> Id3Tag:
    """Parse the bytes of a tag, exactly `stated_size` of them.

    Raises
    ------
    LayoutError
        If the tag is damaged, or has something that cannot be kept as it is in a changed tag.
    """
    version, revision, flags = data[3], data[4], data[5]
    if version not in VERSIONS:
        raise LayoutError(f"its ID3 tag is of the unknown version 2.{version}")
    if flags & ~_KNOWN_FLAGS[version]:
        raise LayoutError("its ID3 tag has unknown flags")
    footer = bool(version == 4 and flags & TagFlags.FOOTER)
    if len(data) != stated_size(data) or (footer and data[-10:] != b"3DI" + data[3:10]):
        raise LayoutError("its ID3 tag is cut off")
    body = data[HEADER_SIZE : len(data) - HEADER_SIZE * footer]
    whole = version < 4 and bool(flags & TagFlags.UNSYNCHRONISED)
    extended = _extended(body, version, whole) if flags & TagFlags.EXTENDED else b""
    # Some programs write the sizes of frames as the other version does. The encoding with which
    # all frames fit is the right one.
    for safe in {2: (False,), 3: (False, True), 4: (True, False)}[version]:
        foreign = safe != (version == 4)
        frames = _frames(body[len(extended) :], version, safe, whole)
        if frames is not None:
            padding = len(body) - len(extended) - sum(len(frame.raw) for frame in frames)
            return Id3Tag(version, revision, flags, extended, tuple(frames), padding, foreign)
    raise LayoutError("its ID3 tag is damaged")


def _extended(body: bytes, version: int, unsynchronised: bool) -> bytes:
    """Bytes of the extended header; empty if the flags announce one but a frame follows instead."""
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


def _frames(body: bytes, version: int, safe: bool, unsynchronised: bool) -> list[Id3Frame] | None:
    """The frames in the body of a tag; None if they do not fill it.

    `safe` says that their sizes are read as synchsafe numbers.
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
        frames.append(Id3Frame(head[:name_size], body[position:stop], packed))
        position = stop
    return None if body[position:].strip(b"\0") else frames


def _skip(body: bytes, position: int, n_bytes: int, unsynchronised: bool) -> int | None:
    """Position behind `n_bytes` from `position` on; None if the body ends before it.

    In an unsynchronised body the inserted zeros do not count.
    """
    while unsynchronised and n_bytes:
        at = body.find(b"\xff\0", position, position + n_bytes + 1)
        if at < 0:
            break
        n_bytes -= at + 1 - position
        position = at + 2
    return position + n_bytes if position + n_bytes <= len(body) else None


def unsynchronise(data: bytes) -> bytes:
    """Insert a zero after each 0xFF that could be taken for MPEG audio or for an inserted zero."""
    return re.sub(rb"\xff(?=[\xe0-\xff\0]|\Z)", b"\xff\0", data)


def resynchronise(data: bytes) -> bytes:
    """Undo `unsynchronise`."""
    return data.replace(b"\xff\0", b"\xff")


def synchsafe(number: int) -> bytes:
    """Encode a number below 2**28 as four bytes with seven bits each."""
    return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))


def from_synchsafe(data: bytes) -> int:
    """Decode a synchsafe number of any number of bytes."""
    number = 0
    for byte in data:
        number = number << 7 | byte & 127
    return number
