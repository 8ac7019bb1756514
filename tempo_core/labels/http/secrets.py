"""Keys that are sent to a site: kept out of files and messages."""

from __future__ import annotations

from urllib.parse import quote

import requests

from ..record import Status
from .addresses import host_of
from .errors import SourceError

SECRET_HEADERS = ("x-api-key", "authorization", "proxy-authorization", "cookie")  # headers


def remove_secrets(
    request: requests.PreparedRequest, response: requests.Response, body: bytes
) -> None:
    """Give a response its body, and remove the keys that were sent from it and from its request, so
    that they get into no file and no message."""
    sent = [value for name, value in request.headers.items() if name.lower() in SECRET_HEADERS]
    said = " ".join([str(response.reason), *response.headers.values()])
    for secret in sent:
        secret = secret if isinstance(secret, str) else secret.decode("latin-1")
        for form in (secret, quote(secret, safe="")):
            if form in said:
                raise SourceError(
                    Status.PARSE_ERROR, f"{host_of(request.url or '')} repeats the key"
                )
            body = body.replace(form.encode(), b"[key]")
    kept = request.copy()
    for name in SECRET_HEADERS:
        kept.headers.pop(name, None)
    response.request = kept
    response._content = body
    response._content_consumed = True  # type: ignore[attr-defined]
