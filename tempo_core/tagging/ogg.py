"""The comment packet of an Ogg stream of Vorbis or Opus.

A packet may lie on several pages, and pages are numbered: where the comment needs another number of
them, all that follow are written anew. So there are zeros to spare behind it, which are used first.
mutagen takes pages apart and puts them together.

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

MARKS = {"ogg": b"\x03vorbis", "opus": b"OpusTags"}


def read_comment(file: BinaryIO, kind: str) -> Comment:
    """The comment of an open file, "ogg" (Vorbis) or "opus"; of the first stream if there are more.

    Raises
    ------
    LayoutError
        If it cannot be found or does not add up.
    """
    return _split(_packets(_pages(file, kind))[0], kind)[0]


def replace(file: BinaryIO, kind: str, dropped: Collection[str], new: Sequence[bytes]) -> None:
    """Replace entries of some names by others, in a file that is open for reading and writing.

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
    """A comment without the zeros behind it, and how many; None if nothing may follow it."""
    comment = parse(packet[len(MARKS[kind]) :])
    if kind == "opus" and comment.rest[:1] and comment.rest[0] & 1:
        return comment, None  # what follows is to be kept as it is
    rest = comment.rest.rstrip(b"\0")
    return Comment(comment.vendor, comment.entries, rest), len(comment.rest) - len(rest)


def _packets(pages: list[OggPage]) -> list[bytes]:
    return [bytes(packet) for packet in OggPage.to_packets(pages, strict=False)]


def _pages(file: BinaryIO, kind: str) -> list[OggPage]:
    """The pages on which the comment lies."""
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
