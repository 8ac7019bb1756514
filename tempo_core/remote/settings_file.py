"""Storages that may be asked for audio, as a YAML file has them."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import ConfigError
from ..labels.http.addresses import origin_of
from .settings import OPEN_TOKEN, Bucket, Site, Storages, is_open
from .sites import quoted

MACHINE = "machine"  # of `credentials`
MOST_REQUESTS = 64  # at a time to one site
OTHERS_CAN_READ = stat.S_IRGRP | stat.S_IROTH
# Headers that say what is asked for; they are ours.
OWN_HEADERS = frozenset((
    "accept-encoding", "connection", "content-length", "expect", "host", "if-range", "range", "te",
    "transfer-encoding", "upgrade", "user-agent",
))  # fmt: skip
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_REGION = re.compile(r"[a-z0-9-]{1,40}")


def read_storages(path: Path, tell: Callable[[str], None] = lambda line: None) -> Storages:
    """The storages in a YAML file.

    Parameters
    ----------
    tell
        Called with a line for people, if others can read secrets in the file.

    Raises
    ------
    ConfigError
        If it cannot be read, or a setting is unknown or wrong; the line has no secrets.
    ImportError
        If a package that asks such a storage is not installed.
    """
    import yaml

    from ..strict_yaml import RefusedKeyError, StrictLoader

    try:
        with path.open("rb") as file:
            given = yaml.load(file, StrictLoader)
            mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # What it says of the place may quote a secret.
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        problem = error.problem if isinstance(error, RefusedKeyError) else "is no YAML file"
        raise ConfigError(f"{path}{where}: {problem}") from None
    try:
        storages = _storages({} if given is None else given)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    if storages.has_secrets and mode & OTHERS_CAN_READ:
        tell(f"{path}: others can read the secrets in it; chmod 600 it")
    if storages.sites:
        import aiohttp  # noqa: F401
        import fsspec  # noqa: F401
    if storages.buckets:
        import s3fs  # noqa: F401
    return storages


def _storages(given: Any) -> Storages:
    _check_names(given, ("http", "s3", "zip"), "the file")
    sites = tuple(_site(entry, where) for entry, where in _entries(given, "http"))
    buckets = tuple(_bucket(entry, where) for entry, where in _entries(given, "s3"))
    for names, kind, what in (
        ([f"{s.origin}{s.folder}" for s in sites], "http", "site"),
        ([b.name for b in buckets], "s3", "bucket"),
    ):
        twice = [name for k, name in enumerate(names) if name in names[:k]]
        if twice:
            raise ConfigError(f"{kind}: the {what} {twice[0]} is there twice")
    return Storages(sites, buckets, _flag(given, "zip", False, "the file"))


def _entries(given: Mapping[str, Any], kind: str) -> list[tuple[Any, str]]:
    """Entries of a kind of storage, and what they are called in messages."""
    entries = given.get(kind)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise ConfigError(f"{kind}: must be a list")
    return [(entry, f"{kind}, entry {number}") for number, entry in enumerate(entries, 1)]


def _site(given: Any, where: str) -> Site:
    if isinstance(given, str):
        given = {"site": given}
    _check_names(given, ("site", "robots", "headers", "requests"), where)
    origin, folder = _address(given.get("site"), "site", where)
    most = given.get("requests", 4)
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= MOST_REQUESTS:
        raise ConfigError(f"{where}: requests must be a whole number from 1 to {MOST_REQUESTS}")
    robots = _flag(given, "robots", True, where)
    return Site(origin, folder, robots, _headers(given.get("headers"), where), most)


def _headers(given: Any, where: str) -> tuple[tuple[str, str], ...]:
    if given is None:
        return ()
    fits = isinstance(given, dict) and all(
        isinstance(name, str)
        and _TOKEN.fullmatch(name)
        and isinstance(value, str)
        and value.isprintable()
        and value.isascii()
        for name, value in given.items()
    )
    if not fits:
        raise ConfigError(f"{where}: headers must be texts by name, in plain ASCII on one line")
    if len({name.lower() for name in given}) < len(given):
        raise ConfigError(f"{where}: one of the headers is there twice")
    if own := [name for name in given if name.lower() in OWN_HEADERS]:
        raise ConfigError(f"{where}: the header {own[0]} cannot be set")
    return tuple(given.items())


def _bucket(given: Any, where: str) -> Bucket:
    names = ("bucket", "endpoint", "region", "key", "secret", "token", "credentials")
    _check_names(given, names, where)
    for name, value in given.items():
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{where}: {name} must be a text; put it in quotes")
    found = Bucket(
        given.get("bucket", ""), given.get("endpoint", ""), given.get("region", ""),
        given.get("key", ""), given.get("secret", ""), given.get("token", ""),
        given.get("credentials") == MACHINE,
    )  # fmt: skip
    if not _BUCKET.fullmatch(found.name):
        raise ConfigError(f"{where}: bucket must be the name of a bucket")
    if found.endpoint:
        _, path = _address(found.endpoint, "endpoint", where)
        if path not in found.endpoint:
            raise ConfigError(f"{where}: endpoint must be quoted, in plain ASCII")
    if found.region and not _REGION.fullmatch(found.region):
        raise ConfigError(f"{where}: region must be one such as eu-central-1")
    if "credentials" in given and not found.machine:
        raise ConfigError(f"{where}: credentials can only be {MACHINE!r}")
    if bool(found.key) != bool(found.secret) or (found.key and found.machine):
        raise ConfigError(f"{where}: give key and secret, or credentials: {MACHINE}, or none")
    for name, value in (("key", found.key), ("token", found.token)):
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise ConfigError(f"{where}: {name} must be one word in plain ASCII")
    if found.token and not found.key:
        raise ConfigError(f"{where}: token belongs to a temporary key and secret; give them too")
    if found.token and is_open(found.endpoint):
        raise ConfigError(f"{where}: {OPEN_TOKEN}")
    if not found.endpoint and not found.region and not found.machine:
        raise ConfigError(f"{where}: give an endpoint, or a region of AWS")
    return found


def _address(given: Any, name: str, where: str) -> tuple[str, str]:
    """Origin, and path as it is sent without a slash at its end, of an address in the settings."""
    if not isinstance(given, str) or not given.isprintable():
        raise ConfigError(f"{where}: {name} must be an address such as https://example.org/audio/")
    if "@" in given.partition("://")[2].partition("/")[0]:
        raise ConfigError(f"{where}: {name} has a user or a password in it; give headers, or a key")
    origin = origin_of(given)
    if (
        not origin
        or not origin.isascii()
        or any(letter in given for letter in "?#")
        or " " in origin
    ):
        raise ConfigError(f"{where}: {name} must be an address such as https://example.org/audio/")
    path = urlsplit(given).path
    if any(part in (".", "..") for part in re.split(r"[\\/]", unquote(path))):
        raise ConfigError(f"{where}: {name} must be an address without . and .. in its path")
    return origin, quoted(path).rstrip("/")


def _check_names(given: Any, names: tuple[str, ...], where: str) -> None:
    if not isinstance(given, dict):
        raise ConfigError(f"{where}: must be settings by name: {', '.join(names)}")
    for name in given:
        if name not in names:
            raise ConfigError(f"{where}: no setting {name!r}; there are {', '.join(names)}")


def _flag(given: Mapping[str, Any], name: str, default: bool, where: str) -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise ConfigError(f"{where}: {name} must be true or false")
    return value
