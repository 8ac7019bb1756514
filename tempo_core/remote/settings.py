"""Storages that may be asked for audio."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..labels.http.addresses import is_this_machine

OPEN_TOKEN = "a session token is sent to other machines over https only; give such an endpoint"


@dataclass(frozen=True)
class Site:
    """A site that may be asked, or a part of it.

    Attributes
    ----------
    origin
        Scheme, host and port, as `https://archive.example.org`.
    folder
        The part that may be asked: paths that are this one, or go on from it after a slash.
    robots
        Whether its robots.txt is obeyed.
    headers
        (name, value) of headers that are sent with every request to it.
    requests
        How many may be under way at a time in a process.
    """

    origin: str
    folder: str = ""
    robots: bool = True
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    requests: int = 4

    def holds(self, origin: str, path: str) -> bool:
        """Whether an address is of this site."""
        inside = path == self.folder or path.startswith(f"{self.folder}/")
        return origin == self.origin and inside


@dataclass(frozen=True)
class Bucket:
    """A bucket of S3 that may be asked.

    Attributes
    ----------
    endpoint
        Address of the server; empty for that of AWS in `region`.
    key, secret
        Of an account; empty for none.
    token
        Session token, which belongs to temporary key and secret; empty for none.
    machine
        Whether key, secret and token are looked for where AWS's own programs do.
    """

    name: str
    endpoint: str = ""
    region: str = ""
    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    machine: bool = False


@dataclass(frozen=True)
class Storages:
    """Storages that may be asked; plain and hashable, so that other processes can be told of them.

    Attributes
    ----------
    zip
        Whether members of archives may be read, on disk or in the other storages.
    on_cluster
        Whether many processes ask, which cannot keep an interval together.
    """

    sites: tuple[Site, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    zip: bool = False
    on_cluster: bool = False

    @property
    def has_secrets(self) -> bool:
        """Whether there is something in it that nobody else may know."""
        return any(site.headers for site in self.sites) or any(b.secret for b in self.buckets)


def is_open(address: str) -> bool:
    """Whether what is sent to an address goes to another machine without encryption."""
    return urlsplit(address).scheme == "http" and not is_this_machine(address)
