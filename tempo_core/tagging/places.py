"""Location of the ID3 tag in files of each format: before the audio, in a chunk, or at the end.

A chunk consists of a name of four letters, a size and a body of that size, which is filled up to an
even length. A RIFF or FORM file is itself a chunk, whose body begins with the name of the format.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Literal

from ..errors import LayoutError
from . import id3
from .splices import Splice, only_zeros, read_at, size_of

WRONG_SIZES = "the sizes in its header do not fit the file"


@dataclass(frozen=True)
class TagPlace:
    """Location of the ID3 tag of a file.

    `tag` is the present tag, None if there is none. `put` takes the bytes of a new tag and returns
    the splices that write it.
    """

    tag: id3.Id3Tag | None
    put: Callable[[bytes], list[Splice]]


def find(file: BinaryIO, kind: str) -> TagPlace:
    """Find the ID3 tag of an open file; `kind` is "mp3", "wav", "aiff" or "dsf".

    Raises
    ------
    LayoutError
        If the file or the tag is damaged.
    """
    if kind == "mp3":
        return _before_audio(file)
    if kind == "dsf":
        return _at_pointer(file)
    return _in_chunk(file, "<" if kind == "wav" else ">")


def kind_of(file: BinaryIO) -> str | None:
    """Kind of an open file, as `find` takes it, by its first bytes; None if it is none of them."""
    head = read_at(file, 0, 12)
    if head[:3] == b"ID3":
        return "mp3"
    forms = {b"RIFF": "wav", b"FORM": "aiff", b"DSD ": "dsf"}
    return forms.get(head[:4])


def _tag_at(file: BinaryIO, start: int, limit: int) -> id3.Id3Tag | None:
    """Read the tag at byte `start`, of at most `limit` bytes; None if no tag is there."""
    header = read_at(file, start, min(id3.HEADER_SIZE, limit))
    if header[:3] != b"ID3":
        return None
    size = id3.stated_size(header)
    if size is None or size > limit:
        raise LayoutError("its ID3 tag is damaged or cut off")
    return id3.parse(read_at(file, start, size))


def _before_audio(file: BinaryIO) -> TagPlace:
    """Location in an MP3 file: the tag begins the file."""
    tag = _tag_at(file, 0, size_of(file))
    old_size = tag.size if tag else 0
    return TagPlace(tag, lambda new: [Splice(0, old_size, new)])


def _at_pointer(file: BinaryIO) -> TagPlace:
    """Location in a DSF file: a pointer in the header; the tag ends the file."""
    size = size_of(file)
    head = read_at(file, 0, 92)
    if len(head) < 92 or head[:4] != b"DSD " or head[80:84] != b"data":
        raise LayoutError(WRONG_SIZES)
    total, pointer = struct.unpack("<QQ", head[12:28])
    (data_size,) = struct.unpack("<Q", head[84:92])
    start = pointer or size
    if total != size or 80 + data_size != start:
        raise LayoutError(WRONG_SIZES)
    tag = _tag_at(file, start, size - start)
    if start + (tag.size if tag else 0) != size:
        raise LayoutError("there is something unknown at its end")

    def put(new: bytes) -> list[Splice]:
        header = struct.pack("<QQ", start + len(new), start)
        return [Splice(12, 28, header), Splice(start, size, new)]

    return TagPlace(tag, put)


@dataclass(frozen=True)
class _Chunk:
    """A chunk. Its header of eight bytes is at `start`; `size` is the length of its body."""

    name: bytes
    start: int
    size: int

    @property
    def body(self) -> int:
        return self.start + 8

    @property
    def end(self) -> int:
        return self.body + self.size


def _in_chunk(file: BinaryIO, order: Literal["<", ">"]) -> TagPlace:
    """Location in a RIFF or FORM file; `order` is "<" for RIFF and ">" for FORM."""
    form_end, chunks = _chunks(file, order)
    name, audio = (b"id3 ", b"data") if order == "<" else (b"ID3 ", b"SSND")
    sounds = [chunk for chunk in chunks if chunk.name == audio]
    if len(sounds) != 1 or not sounds[0].size:
        raise LayoutError(WRONG_SIZES)
    # Programs read the first of several chunks with a tag.
    old = next((chunk for chunk in chunks if chunk.name.lower() == b"id3 "), None)
    if old is None:
        tag, rest = None, b""
        pad = form_end % 2
        old = _Chunk(name, form_end, -8)  # an empty range at the end, to insert a chunk there
        stop = form_end
    else:
        tag = _tag_at(file, old.body, old.size)
        used = tag.size if tag else 0
        rest = read_at(file, old.body + used, old.size - used)
        pad, stop = 0, min(old.end + old.end % 2, form_end)
    start, old_name = old.start, old.name

    def put(new: bytes) -> list[Splice]:
        content = new + rest
        chunk = bytes(pad) + old_name + struct.pack(f"{order}I", len(content)) + content
        chunk += bytes((len(content)) % 2)
        size = form_end - 8 + len(chunk) - (stop - start)
        if size >= 1 << 32:
            raise LayoutError("it would become larger than its format allows")
        return [Splice(4, 8, struct.pack(f"{order}I", size)), Splice(start, stop, chunk)]

    return TagPlace(tag, put)


def _chunks(file: BinaryIO, order: Literal["<", ">"]) -> tuple[int, list[_Chunk]]:
    """End of the RIFF or FORM chunk, as a position in the file, and the chunks in it.

    The padding byte after a last chunk of odd size may be missing, even if the size counts it.

    Raises
    ------
    LayoutError
        If the chunks do not fill the file.
    """
    file_size = size_of(file)
    head = read_at(file, 0, 12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"FORM"):
        raise LayoutError(WRONG_SIZES)
    form_end = 8 + struct.unpack(f"{order}I", head[4:8])[0]
    chunks: list[_Chunk] = []
    position = 12
    while position + 8 <= min(form_end, file_size):
        chunk_name, size = struct.unpack(f"{order}4sI", read_at(file, position, 8))
        chunk = _Chunk(chunk_name, position, size)
        if chunk.end > min(form_end, file_size) or not all(32 <= b < 127 for b in chunk_name):
            raise LayoutError(WRONG_SIZES)
        chunks.append(chunk)
        position = chunk.end + size % 2
    last = chunks[-1].end if chunks else 12
    if form_end not in (position, last):
        raise LayoutError(WRONG_SIZES)
    if form_end > file_size:
        form_end = last
    if not only_zeros(file, form_end):
        raise LayoutError("there is something unknown behind its end")
    return form_end, chunks
