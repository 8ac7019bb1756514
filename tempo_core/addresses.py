"""Addresses of audio that is not in a folder: `https://…`, `s3://…`, `zip://member::archive`.

This is what everything that handles paths has to know of them. Nothing is asked here: what opens an
address is `ELSEWHERE`, and is there only where a command was told of storages.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import PurePosixPath
from typing import Protocol
from urllib.parse import unquote, urlsplit

from .errors import AudioError

NOT_CONFIGURED = "no storage is configured for it; see --storages"
INSIDE = "::"  # between the member of an archive and the archive
_ADDRESS = re.compile(r"(?:https?|s3|zip)://")
# The same with one slash less, as a `Path` writes it.
_IN_PATH = re.compile(r"^((?:zip:/(?!/).*?::)?)(https?|s3):/(?!/)", re.DOTALL)
_ZIP_IN_PATH = re.compile(r"^zip:/(?!/)")
_USER = re.compile(r"(https?://|s3://)[^/?#\\]*@")
_QUERY = re.compile(r"(https?://[^?#]*)[?#].*", re.DOTALL)


class Bytes(Protocol):
    """The bytes of a file or an object, at any position."""

    @property
    def size(self) -> int: ...

    def part(self, position: int, size: int) -> bytes:
        """Bytes from a position on: `size` of them, or fewer where they end.

        Raises
        ------
        AudioError, OSError
            If they cannot be read.
        Stopped
            If the result is not wanted any more.
        """

    def close(self) -> None: ...


class Elsewhere(Protocol):
    """What opens addresses. All of it raises `AudioError` with a line without secrets."""

    def open(self, address: str) -> Bytes: ...

    def inside(self, address: str) -> Iterator[str]:
        """Addresses of the audio files in a folder or an archive, one by one."""

    def state(self, address: str) -> tuple[int, str]:
        """Size of an object [bytes], and a text that changes when the object does.

        It is its ETag or time as far as the storage tells them; it may be empty.
        """


ELSEWHERE: ContextVar[Elsewhere | None] = ContextVar("ELSEWHERE", default=None)


def elsewhere() -> Elsewhere:
    """What opens addresses here.

    Raises
    ------
    AudioError
        If no storages are configured.
    """
    found = ELSEWHERE.get()
    if found is None:
        raise AudioError(NOT_CONFIGURED)
    return found


def is_address(name: str | os.PathLike[str]) -> bool:
    """Whether a name is an address; one in a `Path`, which drops a slash, is too."""
    return _ADDRESS.match(as_text(name)) is not None


def is_open_address(name: str | os.PathLike[str]) -> bool:
    """Whether a name is an address and storages are configured: else it is that of a file."""
    return ELSEWHERE.get() is not None and is_address(name)


def is_folder(address: str) -> bool:
    """Whether an address is of all that is in a folder or in an archive."""
    member, inside, _ = parts_of(address)
    if address.startswith("zip://") and inside:
        return member == "" or member.endswith("/")
    _, slash, path = without_query(address).partition("://")[2].partition("/")
    return not slash or not path or path.endswith("/")


def as_text(name: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> str:
    """A name as text; an address in a `Path` has all of its slashes again."""
    text = os.fsdecode(name)
    if isinstance(name, (str, bytes)):
        return text
    return _ZIP_IN_PATH.sub("zip://", _IN_PATH.sub(r"\1\2://", text))


def without_query(name: str) -> str:
    """A name for messages: an address without its query, which may hold a signature.

    It has no user and no password either.
    """
    return _QUERY.sub(r"\1", without_user(name)) if "://" in name else name


def without_user(address: str) -> str:
    """An address with a sign in place of its user and password, if it has any."""
    return _USER.sub(r"\1…@", address) if is_address(address) else address


def check_user(address: str) -> None:
    """Refuse, as `AudioError`, an address with a user or a password in it."""
    if without_user(address) != address:
        raise AudioError("has a user or a password in it; give them in the storages file")


def parts_of(address: str) -> tuple[str, str, str]:
    """Member, `INSIDE` and archive in an address of a member; the first two empty if it is none."""
    rest = address.removeprefix("zip://")
    member, begin, host = rest.rpartition(f"{INSIDE}http")
    if host.startswith(("://[", "s://[")):  # of the sixth version, which may have two colons too
        return member, INSIDE, begin.removeprefix(INSIDE) + host
    return rest.rpartition(INSIDE)


def place_of(name: str) -> str:
    """Path by which outputs for a file are named: of an address its last two parts.

    Such as `album/song.mp3`; nothing in it leads out of a folder.
    """
    if not is_address(name):
        return name
    rest = without_query(name)
    if rest.startswith("zip://"):
        member, _, archive = parts_of(rest)
        parts = [PurePosixPath(archive.replace("\\", "/")).stem, *member.split("/")]
    else:
        path = urlsplit(rest).path if rest.startswith("http") else rest.removeprefix("s3://")
        parts = (unquote(path) if rest.startswith("http") else path).split("/")
    safe = [re.sub(r"[\\/\x00-\x1f]", "_", part) for part in parts if part not in ("", ".", "..")]
    return "/".join(safe[-2:]) or "audio"


def shared_address(address: str) -> str:
    """An address as it means the same in another process: a path of an archive is absolute."""
    member, inside, archive = parts_of(address)
    if address.startswith("zip://") and inside and not is_address(archive):
        return f"zip://{member}{inside}{os.path.abspath(archive)}"  # noqa: PTH100  # keeps links
    return address
