"""S3 server on this machine (moto) that keeps what it was asked for: `Bucket`s on an `S3Server`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import requests
from botocore.config import Config
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server
from werkzeug.wsgi import ClosingIterator

KEY, SECRET = "AKIDOFTHETESTS000000", "secret/of+the/tests"
ERROR = "<?xml version='1.0'?><Error><Code>{0}</Code><Message>{0}</Message></Error>"
Refusal = Callable[[dict[str, Any]], "tuple[str, str] | None"]


@dataclass
class S3Request:
    """A request as it arrived, and the length of the answer's body that was sent [bytes]."""

    method: str
    path: str
    range: str
    authorization: str
    token: str
    n_sent: int = 0


class S3Server:
    """An S3 server on the loopback device; use as a context manager.

    `refuse` is asked about each request, as its WSGI environment: it returns a status and the code
    of an error (`"403 Forbidden", "AccessDenied"`), or None.
    """

    def __init__(self) -> None:
        self.requests: list[S3Request] = []
        self.refuse: Refusal = lambda environ: None
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._app, threaded=True, request_handler=_QuietHandler
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self) -> S3Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _app(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        request = S3Request(
            environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("HTTP_RANGE", ""),
            environ.get("HTTP_AUTHORIZATION", ""),
            environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""),
        )  # fmt: skip
        self.requests.append(request)
        refused = self.refuse(environ)
        if refused is not None:
            status, code = refused
            start(status, [("Content-Type", "application/xml")])
            return [] if request.method == "HEAD" else [ERROR.format(code).encode()]
        body = self._moto(environ, start)
        return ClosingIterator(_counted(body, request), getattr(body, "close", None))

    def forget(self) -> None:
        """Delete all buckets, and what was asked."""
        self.refuse = lambda environ: None
        self._ask_moto("reset")
        self.requests.clear()

    @contextmanager
    def with_authorization(self) -> Iterator[None]:
        """Context in which only roles and users of IAM may do something; else everybody may."""
        self._ask_moto("reset-auth", b"0")
        try:
            yield
        finally:
            self._ask_moto("reset-auth", b"inf")

    def _ask_moto(self, what: str, data: bytes = b"") -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.post(f"{self.url}/moto-api/{what}", data=data).raise_for_status()

    def client(self, service: str = "s3") -> Any:
        """A client of boto3 with a key."""
        return boto3.client(
            service, endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            config=Config(retries={"max_attempts": 1}, proxies={"http": None}),
        )  # fmt: skip

    @property
    def n_sent(self) -> int:
        """Length of the bodies that were sent [bytes]."""
        return sum(request.n_sent for request in self.requests)


def _counted(body: Iterable[bytes], request: S3Request) -> Iterator[bytes]:
    for piece in body:
        request.n_sent += len(piece)
        yield piece


class _QuietHandler(MotoRequestHandler):
    def log_request(self, *_: Any) -> None:
        """Print nothing."""

    def log(self, *_: Any) -> None:
        """Print nothing."""
