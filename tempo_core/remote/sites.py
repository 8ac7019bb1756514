"""Addresses of sites as they are asked for, and which configured site an address is of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote, urljoin, urlsplit

from ..addresses import NOT_CONFIGURED
from ..errors import AudioError
from ..labels.http.addresses import host_of, origin_of
from .settings import Site

_SAFE = "!#$%&'()*+,/:;=?@[]~"  # what stays as it is in an address; % because it may be quoted

_LONE = re.compile(r"%(?![0-9A-Fa-f]{2})")  # which stands for nothing but itself


def usable(address: str) -> str:
    """An address as it is asked for: quoted where that is needed, in one form.

    Raises
    ------
    AudioError
        If it is none, or has a user, a password, or a path that leads elsewhere.
    """
    if "@" in re.split(r"[/?#\\]", address.partition("://")[2], maxsplit=1)[0]:
        raise AudioError(
            "has a user or a password in it; give them in the storages file, as a header"
        )
    if "#" in address:
        raise AudioError("has a # in it; write it as %23")
    origin = origin_of(address)
    if not origin or not (origin.isascii() and address.isprintable()):
        raise AudioError("is no usable address")
    parts = urlsplit(address)
    plain = unquote(unquote(parts.path))
    if any(part in (".", "..") for part in re.split(r"[\\/]", plain)) or not plain.isprintable():
        raise AudioError("is no usable address: its path leads elsewhere")
    query = f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
    return f"{origin}{quoted(parts.path) or '/'}{query}"


def quoted(path: str) -> str:
    """The path of an address as it is sent."""
    return quote(_LONE.sub("%25", path), safe=_SAFE)


def site_of(sites: Sequence[Site], url: str) -> Site:
    """The site that an address is of, that with the longest path if there are several.

    Raises
    ------
    AudioError
        If none is.
    """
    origin, path = origin_of(url), urlsplit(url).path
    found = [site for site in sites if site.holds(origin, path)]
    if not found:
        raise AudioError(NOT_CONFIGURED)
    return max(found, key=lambda site: len(site.folder))


def redirect_target(url: str, location: str) -> str:
    """Where a redirect leads to."""
    try:
        return usable(urljoin(url, location).partition("#")[0])
    except (AudioError, ValueError) as error:
        raise AudioError(
            f"{host_of(url)} redirects to something that is no usable address"
        ) from error
