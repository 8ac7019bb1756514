"""Objects at `http://` and `https://`, read by ranges."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

import aiohttp

from ..errors import AudioError
from .loop import wait
from .ranges import HEAD, Changed
from .sites import usable
from .spool import Spool
from .web import Take, Web

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_EMPTY = re.compile(r"bytes \*/0")
EMPTY = "the file is empty (0 bytes)"
PIECE = 1 << 16  # [bytes] of an answer at a time


class HttpObject:
    """An object of a site; see `Ranged`. Opening it is its first request.

    Of a server that knows no ranges, the whole object is put into a temporary file.

    Parameters
    ----------
    known
        The state that the object is known to have: then nothing is asked to begin with.

    Raises
    ------
    AudioError
        If it cannot be read.
    """

    def __init__(
        self, web: Web, address: str, known: tuple[int, str] | None = None, n_head: int = HEAD
    ) -> None:
        self._web, self._url = web, usable(address)
        self._found = self._url  # where redirects have led to
        if urlsplit(self._url).path.endswith("/"):
            raise AudioError(
                "is a folder of a site, which cannot be listed; give the addresses of its files"
            )
        self._spool: Spool | None = None
        self._size: int | None = None
        self._mark = self._time = ""  # ETag and Last-Modified
        self.head = b""
        if known is None:
            self.head = self._get(0, n_head)
        else:
            self._size = known[0]
            self._mark, _, self._time = known[1].partition("\n")

    @property
    def size(self) -> int:
        """Length [bytes]."""
        assert self._size is not None
        return self._size

    @property
    def mark(self) -> str:
        """What the server says that changes with the object; empty if nothing."""
        return f"{self._mark}\n{self._time}" if self._mark or self._time else ""

    @property
    def is_whole(self) -> bool:
        """Whether all of it had to be fetched, because the server knows no ranges."""
        return self._spool is not None

    def fetch(self, begin: int, end: int) -> bytes:
        """See `Ranged`."""
        return self._get(begin, end)

    def close(self) -> None:
        """See `Ranged`."""
        if self._spool is not None:
            self._spool.close()

    def _get(self, begin: int, end: int) -> bytes:
        if self._spool is None:
            headers = {"Range": f"bytes={begin}-{end - 1}"}
            if known := self._validator():
                headers["If-Range"] = known
            try:
                found = self._asked(headers, partial(self._take, begin, end))
            except BaseException:
                self.close()
                raise
            if found is not None:
                return found
        assert self._spool is not None
        return self._spool.part(begin, end - begin)

    def _asked(self, headers: Mapping[str, str], take: Take[bytes | None]) -> bytes | None:
        """What an answer of where redirects have led to holds; such places may hold for minutes."""
        try:
            return wait(self._web.ask(self._found, headers, take))
        except Changed:
            raise
        except AudioError:
            if self._found == self._url:
                raise
        self._found = self._url
        return wait(self._web.ask(self._url, headers, take))

    def _validator(self) -> str:
        """What `If-Range` may have: a strong ETag, or a time."""
        return self._mark if self._mark and not self._mark.startswith("W/") else self._time

    async def _take(self, begin: int, end: int, response: aiohttp.ClientResponse) -> bytes | None:
        """The bytes that were asked for; None if all of the object is in the spool now."""
        if response.status == 416:
            if _EMPTY.fullmatch(response.headers.get("Content-Range", "").strip()):
                raise AudioError(EMPTY)
            if self._size is not None:
                raise Changed
            raise AudioError("the server does not give this part of it (416)")
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise AudioError("the server sends it compressed")
        self._compare(response)
        if response.status == 200:
            await self._take_all(response)
            return None
        found = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if found is None:
            raise AudioError(
                "the server does not say which part it sends, and how long the whole is"
            )
        first, last, total = map(int, found.groups())
        if self._size is not None and total != self._size:
            raise Changed
        if not total or first != begin or last != min(end, total) - 1:
            raise AudioError("the server sends another part than was asked for")
        body = await _body(response, last + 1 - first)
        self._size, self._found = total, str(response.url)
        return body

    def _compare(self, response: aiohttp.ClientResponse) -> None:
        """Note what the server says of the state of the object.

        Raises
        ------
        Changed
            If it has another one than before.
        """
        mark, time = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
        for now, before in ((mark, self._mark), (time, self._time)):
            if now and before and now != before:
                raise Changed
        if self._size is None:
            self._mark, self._time = mark, time

    async def _take_all(self, response: aiohttp.ClientResponse) -> None:
        """Put the whole object into the spool."""
        stated = response.content_length
        if stated is not None and self._size not in (None, stated):
            raise Changed
        spool = Spool()
        try:
            spool.expect(stated)
            async for piece in response.content.iter_chunked(PIECE):
                spool.add(piece)
            if self._size not in (None, spool.size):
                raise Changed
            if not spool.size:
                raise AudioError(EMPTY)
        except BaseException:
            spool.close()
            raise
        self._size, self._spool = spool.size, spool


async def _body(response: aiohttp.ClientResponse, size: int) -> bytes:
    """The body of an answer, which must be of a size [bytes]."""
    if response.content_length not in (None, size):
        raise AudioError("the server sends more or less than it says")
    body = bytearray()
    while len(body) <= size and (piece := await response.content.read(PIECE)):
        body += piece
    if len(body) != size:
        raise AudioError("the server sends more or less than it says")
    return bytes(body)
