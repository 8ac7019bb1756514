"""Web addresses: the host they lead to, and their form in messages."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from ...errors import ConfigError
from ..record import one_line


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, in lower case; empty if it is no usable http address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme.lower()]
    return f"{parts.scheme.lower()}://{host}" + (f":{port}" if port not in (None, default) else "")


def is_this_machine(origin: str) -> bool:
    """Whether an origin is on the computer that this program runs on."""
    host = urlsplit(origin).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(url: str) -> str:
    """Host and port of an address."""
    return urlsplit(url).netloc


def without_secrets(url: str) -> str:
    """An address for a message, shortened, without user, password and query."""
    head, at, tail = url.partition("?")[0].rpartition("@")
    scheme = head.partition("//")[0] + "//" if at and "//" in head else ""
    return one_line(scheme + tail, 80)


def proxy_address(address: str) -> str:
    """Check the address of a proxy and return it.

    Raises
    ------
    ConfigError
        If it is no such address. The message does not contain it, as it may contain a password.
    """
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError("proxy is no address; give one such as http://proxy.example.org:3128")
    return address
