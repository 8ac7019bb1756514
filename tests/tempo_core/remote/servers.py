"""HTTP server on this machine that keeps what it was asked for: `Site`.

It serves `files` well, by ranges, and answers other paths as `answers` say (see `hostile.py`).
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

MODIFIED = "Sat, 28 Nov 2026 10:00:00 GMT"


@dataclass
class Request:
    """A request as it arrived.

    Parameters
    ----------
    headers
        By their names in lower case.
    number
        How many requests of this path came before.
    n_sent
        Length of what was sent for it, without the head [bytes].
    """

    method: str
    path: str
    headers: Mapping[str, str]
    number: int
    at: float = field(default_factory=time.monotonic)
    n_sent: int = 0


class Exchange(BaseHTTPRequestHandler):
    """A connection, and the request on it that is to be answered next."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    asked: Request
    server: _Server

    def answer(
        self, status: int, body: bytes | Iterable[bytes] = b"", **headers: str | None
    ) -> None:
        """Send an answer; without a length if the body comes in pieces, unless a header has one.

        Names of headers have underscores for hyphens; a header that is None is not sent.
        """
        if isinstance(body, bytes):
            headers = {"Content_Length": str(len(body)), **headers}
        else:
            self.close_connection = True
        self.send_response_only(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            for piece in [body] if isinstance(body, bytes) else body:
                self.send(piece)

    def send(self, piece: bytes) -> None:
        """Send bytes of a body."""
        for start in range(0, len(piece), 1 << 16):
            part = piece[start : start + (1 << 16)]
            self.wfile.write(part)
            self.asked.n_sent += len(part)

    def wait(self, seconds: float) -> None:
        """Do nothing for a time; the connection breaks if the site is closed meanwhile."""
        if self.server.closing.wait(seconds):
            raise ConnectionAbortedError

    def _serve(self) -> None:
        site = self.server.site
        self.asked = site.note(self.command, self.path, dict(self.headers.items()))
        if length := self.headers.get("Content-Length"):
            self.rfile.read(int(length))
        answer = site.answers.get(self.path.partition("?")[0])
        if answer is None:
            data = site.files.get(self.path.partition("?")[0])
            answer = missing if data is None else Content(data)
        answer(self)

    do_GET = do_HEAD = do_POST = do_PUT = do_OPTIONS = do_CONNECT = _serve

    def handle(self) -> None:
        self.server.connections.add(self.connection)
        with suppress(OSError, ValueError):
            super().handle()
        self.server.connections.discard(self.connection)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


Answer = Callable[[Exchange], None]


def missing(exchange: Exchange) -> None:
    """An answer: there is nothing at this path."""
    exchange.answer(404, b"nothing here")


@dataclass(frozen=True)
class Content:
    """An answer with some content or the range of it that was asked for, as RFC 9110 says."""

    data: bytes
    etag: str | None = '"1"'
    modified: str | None = MODIFIED

    def __call__(self, exchange: Exchange) -> None:
        asked = exchange.asked.headers
        about: dict[str, Any] = {
            "Content_Type": "audio/flac", "Accept_Ranges": "bytes",
            "ETag": self.etag, "Last_Modified": self.modified,
        }  # fmt: skip
        if asked.get("if-match", self.etag) not in (self.etag, "*"):
            exchange.answer(412, **about)
            return
        span = asked_range(asked, len(self.data))
        if span is None or asked.get("if-range", self.etag) not in (self.etag, self.modified):
            exchange.answer(200, self.data, **about)
        elif not span:
            exchange.answer(416, Content_Range=f"bytes */{len(self.data)}", **about)
        else:
            part = f"bytes {span.start}-{span.stop - 1}/{len(self.data)}"
            exchange.answer(206, self.data[span.start : span.stop], Content_Range=part, **about)


def asked_range(headers: Mapping[str, str], length: int) -> range | None:
    """Positions of a content that a request asks for; None for all of it."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("range", ""))
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, length - int(last)), length)
    return range(int(first), min(length, int(last or length) + 1))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        self.closing = threading.Event()
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), cast(Any, Exchange))
        if site.tls is not None:
            self.socket = site.tls.wrap_socket(self.socket, server_side=True)

    def handle_error(self, *_: Any) -> None:
        """Print nothing: connections are meant to break."""


class Site:
    """Web site on the loopback device; use as a context manager.

    Parameters
    ----------
    files
        Content of files by path, such as `/a.flac`.
    answers
        What other paths are answered with; they come before `files`. Without an entry
        `/robots.txt` is missing.
    tls
        What encrypts its connections; None if nothing does.
    """

    def __init__(
        self,
        files: Mapping[str, bytes] | None = None,
        answers: Mapping[str, Answer] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.tls = tls
        self.files = dict(files or {})
        self.answers = dict(answers or {})
        self.requests: list[Request] = []
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.port = 0
        self.start()

    def start(self) -> None:
        """Begin to answer, at the same port as before."""
        self._server = _Server(self, self.port)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Break all connections, and refuse new ones until it is started again."""
        self._server.closing.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in [*self._server.connections]:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Address of the site, without a slash at its end."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    @property
    def n_sent(self) -> int:
        """Length of all that was sent, without heads [bytes]."""
        return sum(request.n_sent for request in self.requests)

    def asked(self, path: str) -> list[Request]:
        """The requests of a path so far."""
        return [request for request in self.requests if request.path == path]

    def note(self, method: str, path: str, headers: Mapping[str, str]) -> Request:
        """Keep a request that has arrived."""
        with self._lock:
            lower = {name.lower(): value for name, value in headers.items()}
            request = Request(method, path, lower, self._counts[path])
            self._counts[path] += 1
            self.requests.append(request)
        return request
