"""Connections to the server of a bucket: no redirects, no tries of its own, no endless answers."""

from __future__ import annotations

from typing import Any

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession

from .connections import keep_apart, once

LARGEST_ANSWER = 1 << 24  # [bytes] that are read at once: lists of keys, and errors


class OneServer(AIOHTTPSession):
    """What aiobotocore sends requests with. aiohttp would follow redirects to any other server."""

    async def _get_session(self, proxy_url: str | None) -> Any:
        session = await super()._get_session(proxy_url)
        keep_apart(session.connector)
        return _Session(session)


class _Session:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(self, *given: Any, **options: Any) -> aiohttp.ClientResponse:
        response = await self._session.request(
            *given, allow_redirects=False, middlewares=(once,), **options
        )
        response.content = _Body(response.content)  # type: ignore[assignment]
        return response


class _Body:
    """The body of an answer, of which no more than `LARGEST_ANSWER` is read at once."""

    def __init__(self, body: aiohttp.StreamReader) -> None:
        self._body = body

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    async def read(self, n: int = -1) -> bytes:
        """See `aiohttp.StreamReader`; raises ClientPayloadError if there is more."""
        if n >= 0:
            return await self._body.read(n)
        whole = bytearray()
        while piece := await self._body.readany():
            whole += piece
            if len(whole) > LARGEST_ANSWER:
                raise aiohttp.ClientPayloadError(f"more than {LARGEST_ANSWER >> 20} MB")
        return bytes(whole)
