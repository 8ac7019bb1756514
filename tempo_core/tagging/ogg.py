"""The comment packet of an Ogg stream of Vorbis or Opus.

A packet may lie on several pages, and pages are numbered: if the comment needs another number of
them, all following pages have to be written anew. So zeros are left free after the comment, and
used up first. Pages are read and written by mutagen.

References: RFC 3533 (Ogg), RFC 7845 (Opus)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import BinaryIO

from mutagen import MutagenError
from mutagen.ogg import OggPage

from ..errors import LayoutError
from .splices import SPARE_BYTES
from .vorbis import DAMAGED_COMMENT, Comment, parse

MARKS = {"ogg": b"\x03vorbis", "opus": b"OpusTags"}  # first bytes of a comment packet


def read_comment(file: BinaryIO, kind: str) -> Comment:
    """The comment of the first stream in an open file of the kind "ogg" (Vorbis) or "opus".

    Raises
    ------
    LayoutError
        If the comment is missing or damaged.
    """
    return _split(_packets(_pages(file, kind))[0], kind)[0]


def replace(file: BinaryIO, kind: str, dropped: Collection[str], new: Sequence[bytes]) -> None:
    """Replace the entries with names in `dropped`, in a file that is open for reading and writing.

    Raises
    ------
    LayoutError
        As `read_comment`.
    """
    pages = _pages(file, kind)
    packets = _packets(pages)
    comment, spare = _split(packets[0], kind)
    data = MARKS[kind] + comment.replaced(dropped, new).to_bytes()
    if spare is not None:
        room = len(packets[0]) - len(data)
        data += bytes(room if room >= 0 else SPARE_BYTES)
    if len(data) == len(packets[0]):
        for page in pages:
            share = len(page.packets[0])
            page.packets[0], data = data[:share], data[share:]
            file.seek(page.offset or 0)
            file.write(page.write())
        return
    packets[0] = data
    OggPage.replace(file, pages, OggPage.from_packets(packets, pages[0].sequence))


def _split(packet: bytes, kind: str) -> tuple[Comment, int | None]:
    """A comment without the zeros after it, and their number; None if none may be added."""
    comment = parse(packet[len(MARKS[kind]) :])
    if kind == "opus" and comment.rest[:1] and comment.rest[0] & 1:
        return comment, None  # what follows must be kept as it is (RFC 7845, section 5.2)
    rest = comment.rest.rstrip(b"\0")
    return Comment(comment.vendor, comment.entries, rest), len(comment.rest) - len(rest)


def _packets(pages: list[OggPage]) -> list[bytes]:
    """Packets on pages that follow each other."""
    return [bytes(packet) for packet in OggPage.to_packets(pages, strict=False)]


def _pages(file: BinaryIO, kind: str) -> list[OggPage]:
    """Pages on which the comment packet lies."""
    file.seek(0)
    try:
        page = OggPage(file)
        while not page.packets or not page.packets[0].startswith(MARKS[kind]):
            page = OggPage(file)
        pages = [page]
        while not (pages[-1].complete or len(pages[-1].packets) > 1):
            page = OggPage(file)
            if page.serial == pages[0].serial:
                pages.append(page)
    except (MutagenError, EOFError, ValueError) as error:
        raise LayoutError(DAMAGED_COMMENT) from error
    return pages
