"""What is common to all connections: which are used again, one try of a request, why one failed."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import Any

import aiohttp


class ConnectionBroke(aiohttp.ClientConnectionError):
    """A connection that ended before the answer."""


def keep_apart(connector: aiohttp.BaseConnector) -> None:
    """Let a connector use no connection again on which something came that nobody asked for.

    The second answer of a server that answers twice would be taken for that to the next request,
    which is for another object. (What comes after that request was sent, nobody can tell apart.)
    """
    if "_get" in vars(connector):  # done before
        return
    get = connector._get

    async def get_clean(*given: Any, **options: Any) -> Any:
        while (found := await get(*given, **options)) is not None:
            if found.protocol is not None and not found.protocol.should_close:
                return found
            found.close()
        return None

    connector._get = get_clean  # type: ignore[method-assign]


async def once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send a request; aiohttp would try one that breaks once more, beside the tries that we count.

    Raises
    ------
    ConnectionBroke
        If the connection broke before the answer.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionBroke from error


def why(error: BaseException) -> str:
    """Why a server was not reached, in plain words, from the error and those that it came from."""
    found: BaseException | None = error
    while found is not None:
        known = getattr(found, "os_error", found)
        if isinstance(
            known, (ssl.SSLCertVerificationError, aiohttp.ClientConnectorCertificateError)
        ):
            return "no valid certificate"
        if isinstance(known, ssl.SSLError):
            return "no encrypted connection"
        if isinstance(known, (asyncio.TimeoutError, TimeoutError)):
            return "no answer in time"
        if isinstance(known, OSError) and known.errno:
            return _said(known)
        if isinstance(known, (ConnectionBroke, aiohttp.ServerDisconnectedError)):
            return "the connection broke"
        if isinstance(known, (aiohttp.ClientResponseError, aiohttp.ClientPayloadError)):
            return "an answer that cannot be read"
        found = found.__cause__ or found.__context__
    return type(error).__name__


def _said(error: OSError) -> str:
    """What the system says: asyncio puts the address there; resolvers count below zero."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else (error.strerror or type(error).__name__)
