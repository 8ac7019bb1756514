"""Sending of a single request with limits of the time and size of its answer."""

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

TIMEOUT = (5.0, 10.0)  # [s] to connect, and between two parts of an answer
MAX_BYTES = 2_000_000  # size of an answer, both as it is sent and decompressed
READ_BYTES = 16_384  # bytes of an answer to read at a time


class PoliteAdapter(HTTPAdapter):
    """Adapter that sends a request when it is allowed and limits the time and size of the answer.

    The timeouts of requests only limit the time between two parts of an answer, so a site that
    sends a byte now and then never exceeds them. Therefore a timer cuts the connection when the
    time for the whole answer is over, whether in the handshake, the headers or the body.

    Parameters
    ----------
    before
        Called with the address before a request; waits until it may be sent, and returns the time
        that the answer may take [s].
    after
        Called with the time that the request took [s].
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
            if time.monotonic() - begin >= allowed:  # an answer that was cut can look complete
                raise requests.exceptions.ReadTimeout("the answer takes too long")
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            if time.monotonic() - begin >= allowed:
                raise requests.exceptions.ReadTimeout(error) from error
            raise
        finally:
            timer.cancel()
            self.close()  # connections are not reused
            while self._lines:
                self._lines.pop().close()
            self._after(time.monotonic() - begin)
        remove_secrets(request, response, body)
        return response

    def _watched(self, line: socket.socket) -> socket.socket:
        """The socket itself, after keeping a duplicate of it to cut the connection with."""
        self._lines.append(line.dup())
        return line

    def _cut(self) -> None:
        """Cut all open connections."""
        for line in [*self._lines]:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def _read(response: requests.Response) -> bytes:
    """Read the body of an answer as it is sent; SourceError if it is longer than `MAX_BYTES`."""
    body = bytearray()
    try:
        # `read1` returns what has arrived; `read` would wait until the buffer is full.
        while piece := response.raw.read1(READ_BYTES, decode_content=False):
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
    """Decompress the body of an answer; SourceError if it becomes longer than `MAX_BYTES`.

    urllib3 could do this, but without a limit of the size, and for more formats than needed.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if not body or encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise unreadable(url, "another compression")
    try:
        # First with a header of zlib or gzip, then without one, as some servers send `deflate`.
        for bits in (47, -15):
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
    """The error for an answer of more than `MAX_BYTES`."""
    message = f"{host_of(url)} sends more than {MAX_BYTES // 1000} kB"
    return SourceError(Status.PARSE_ERROR, message)
