"""Removal of keys that were sent to a site from files and messages."""

from __future__ import annotations

from urllib.parse import quote

import requests

from ..record import Status
from .addresses import host_of
from .errors import SourceError

SECRET_HEADERS = ("x-api-key", "authorization", "proxy-authorization", "cookie")


def remove_secrets(
    request: requests.PreparedRequest, response: requests.Response, body: bytes
) -> None:
    """Set the body of a response, and remove the keys that were sent from body and request.

    So they cannot get into the cache or into messages.

    Raises
    ------
    SourceError
        If the headers of the response repeat a key.
    """
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
