"""The comment packet of an Ogg stream of Vorbis or Opus.

A packet may extend over several pages. Pages are numbered, so all later pages have to be rewritten
if the comment needs more or fewer of them. To avoid this, zeros are kept behind the comment as
padding. The library mutagen parses and assembles the pages.

References: RFC 3533 (Ogg), RFC 7845 (Opus)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import BinaryIO

from mutagen import MutagenError
from mutagen.ogg import OggPage

from ..errors import LayoutError
from .vorbis import DAMAGED_COMMENT, VorbisComment, parse

# First bytes of the comment packet, by kind of stream.
COMMENT_MARKS = {"ogg": b"\x03vorbis", "opus": b"OpusTags"}
GROWTH_PADDING = 1024  # [bytes] of padding behind a comment that has to grow


def read_comment(file: BinaryIO, kind: str) -> VorbisComment:
    """Read the comment of the first stream of an open file; `kind` is "ogg" (Vorbis) or "opus".

    Raises
    ------
    LayoutError
        If the comment is damaged or missing.
    """
    return _split(_packets(_pages(file, kind))[0], kind)[0]


def replace(file: BinaryIO, kind: str, dropped: Collection[str], new: Sequence[bytes]) -> None:
    """Replace the entries named `dropped` by `new` in a file open for reading and writing.

    Raises
    ------
    LayoutError
        If the comment is damaged or missing.
    """
    pages = _pages(file, kind)
    packets = _packets(pages)
    comment, spare = _split(packets[0], kind)
    data = COMMENT_MARKS[kind] + comment.replaced(dropped, new).to_bytes()
    if spare is not None:
        room = len(packets[0]) - len(data)
        data += bytes(room if room >= 0 else GROWTH_PADDING)
    if len(data) == len(packets[0]):
        for page in pages:
            share = len(page.packets[0])
            page.packets[0], data = data[:share], data[share:]
            file.seek(page.offset or 0)
            file.write(page.write())
        return
    packets[0] = data
    OggPage.replace(file, pages, OggPage.from_packets(packets, pages[0].sequence))


def _split(packet: bytes, kind: str) -> tuple[VorbisComment, int | None]:
    """The comment in a packet, without its padding, and the length of the padding [bytes].

    The length is None if the packet must not have padding.
    """
    comment = parse(packet[len(COMMENT_MARKS[kind]) :])
    if kind == "opus" and comment.rest[:1] and comment.rest[0] & 1:
        return comment, None  # RFC 7845: data that follows with this bit set has to be preserved
    rest = comment.rest.rstrip(b"\0")
    return VorbisComment(comment.vendor, comment.entries, rest), len(comment.rest) - len(rest)


def _packets(pages: list[OggPage]) -> list[bytes]:
    """The packets on some pages."""
    return [bytes(packet) for packet in OggPage.to_packets(pages, strict=False)]


def _pages(file: BinaryIO, kind: str) -> list[OggPage]:
    """The pages that the comment packet extends over."""
    file.seek(0)
    try:
        page = OggPage(file)
        while not page.packets or not page.packets[0].startswith(COMMENT_MARKS[kind]):
            page = OggPage(file)
        pages = [page]
        while not (pages[-1].complete or len(pages[-1].packets) > 1):
            page = OggPage(file)
            if page.serial == pages[0].serial:
                pages.append(page)
    except (MutagenError, EOFError, ValueError) as error:
        raise LayoutError(DAMAGED_COMMENT) from error
    return pages
