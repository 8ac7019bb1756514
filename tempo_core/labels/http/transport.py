"""One request on the network, within limits of time and size."""

from __future__ import annotations

import socket
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ..record import Status
from .addresses import host_of
from .answers import unreadable
from .errors import SourceError
from .secrets import remove_secrets

TIMEOUT = (5.0, 10.0)  # [s] to connect, and between two pieces of an answer
MAX_BYTES = 2_000_000  # of one answer, as it comes and uncompressed


class PoliteAdapter(HTTPAdapter):
    """Adapter that sends one request at its time, and limits the time and size of the answer.

    Timeouts of requests are between two pieces of an answer, so a site that sends a byte now and
    then never exceeds one. Hence a timer cuts the connection when the time for the
    whole answer is over, be it in the handshake, in the head or in the body.

    Parameters
    ----------
    before
        Waits until an address may be asked, and says how long the answer may take [s].
    after
        Told how long it took.
    """

    def __init__(self, before: Callable[[str], float], after: Callable[[float], None]) -> None:
        self._before = before
        self._after = after
        self._lines: list[socket.socket] = []  # duplicates of sockets, to cut connections with
        adapter = self

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return adapter._watched(super()._new_conn())

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return adapter._watched(super()._new_conn())

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self._pools = {"http": PlainPool, "https": SecurePool}
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        url = request.url or ""
        allowed = self._before(url)
        begin = time.monotonic()
        timer = threading.Timer(allowed, self._cut)
        timer.daemon = True
        timer.start()
        try:
            response = super().send(request, **{**options, "stream": True, "timeout": TIMEOUT})
            try:
                body = _decompressed(_read(response), response, url)
            finally:
                response.close()
            if time.monotonic() - begin >= allowed:  # cut off, an answer can look complete
                raise requests.exceptions.ReadTimeout("the answer takes too long")
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            if time.monotonic() - begin >= allowed:
                raise requests.exceptions.ReadTimeout(error) from error
            raise
        finally:
            timer.cancel()
            self.close()  # no connection is used twice
            while self._lines:
                self._lines.pop().close()
            self._after(time.monotonic() - begin)
        remove_secrets(request, response, body)
        return response

    def _watched(self, line: socket.socket) -> socket.socket:
        self._lines.append(line.dup())
        return line

    def _cut(self) -> None:
        for line in [*self._lines]:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def _read(response: requests.Response) -> bytes:
    """The body of an answer as it comes, at most `MAX_BYTES` of it."""
    body = bytearray()
    try:
        # What is there, not what fills a buffer: a page that drips would never be looked at.
        while piece := response.raw.read1(16_384, decode_content=False):
            body += piece
            if len(body) > MAX_BYTES:
                raise too_long(response.url)
        if response.raw.length_remaining:
            raise requests.exceptions.ChunkedEncodingError("the answer is not complete")
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.exceptions.ReadTimeout(error) from error
    except (urllib3.exceptions.ProtocolError, OSError) as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
    return bytes(body)


def _decompressed(body: bytes, response: requests.Response, url: str) -> bytes:
    """The decompressed body of an answer, at most `MAX_BYTES` of it.

    Not done by urllib3: it unpacks whatever there is a library for, piece by piece and each of them
    however long it becomes.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if not body or encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise unreadable(url, "another compression")
    try:
        for bits in (47, -15):  # with a head of zlib or gzip; bare, as some understand `deflate`
            unpacker = zlib.decompressobj(bits)
            try:
                unpacked = unpacker.decompress(body, MAX_BYTES + 1)
                break
            except zlib.error:
                if bits < 0 or encoding != "deflate":
                    raise
    except zlib.error as error:
        raise unreadable(url, "broken compression") from error
    if len(unpacked) > MAX_BYTES:
        raise too_long(url)
    if not unpacker.eof:
        raise requests.exceptions.ChunkedEncodingError("the answer is not complete")
    return unpacked


def too_long(url: str) -> SourceError:
    message = f"{host_of(url)} sends more than {MAX_BYTES // 1000} kB"
    return SourceError(Status.PARSE_ERROR, message)
