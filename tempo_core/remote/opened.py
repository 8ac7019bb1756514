"""Storages in use: what opens addresses in this process."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ..addresses import ELSEWHERE, INSIDE, NOT_CONFIGURED, Bytes, is_address, parts_of
from ..errors import AudioError
from ..files import EXTENSIONS
from ..reading import RegularFile
from .ranges import HEAD, Blocks, Changed
from .settings import Storages
from .zips import NO_MEMBER, Directory, directories, open_member

if TYPE_CHECKING:
    from .s3 import Buckets
    from .web import Web

Known = tuple[int, str]  # size [bytes] and mark of an object


class Opened:
    """What opens the addresses of some storages; see `Elsewhere`. Threads may share it."""

    def __init__(self, storages: Storages) -> None:
        self._storages = storages
        self._making = threading.RLock()
        self._made: dict[str, Any] = {}
        self._archives: dict[str, Known] = {}  # whose directory was read

    def open(self, address: str) -> Bytes:
        """See `Elsewhere`."""
        if address.startswith("zip://"):
            return self._open_member(address)
        source = self._ranged(address)
        return Blocks(source, source.head)

    def state(self, address: str) -> tuple[int, str]:
        """See `Elsewhere`."""
        if address.startswith("zip://"):
            member, archive = self._split(address)
            content, (size, mark) = self._open_archive(archive)
            try:
                found = directories.of(content, archive, mark).get(member)
            finally:
                content.close()
            if found is None:
                raise AudioError(NO_MEMBER)
            return found.size, f"{found.crc} {size} {mark}"
        source = self._ranged(address, n_head=1)
        source.close()
        return source.size, source.mark

    def inside(self, address: str) -> Iterator[str]:
        """See `Elsewhere`."""
        if address.startswith("s3://"):
            name, prefix = self._buckets.split(address)
            for key in self._buckets.keys(name, prefix):
                if PurePosixPath(key).suffix.lower() in EXTENSIONS:
                    yield f"s3://{name}/{key}"
        elif address.startswith("zip://"):
            folder, archive = self._split(address)
            content, known = self._open_archive(archive)
            try:
                names = sorted(directories.of(content, archive, known[1]))
            finally:
                content.close()
            for name in names:
                if name.startswith(folder) and PurePosixPath(name).suffix.lower() in EXTENSIONS:
                    yield f"zip://{name}{INSIDE}{archive}"
        else:
            self._ranged(address).close()  # raises why it cannot be listed

    def close(self) -> None:
        """Close all connections."""
        if not self._made:
            return
        from .loop import wait

        for made in self._made.values():
            with suppress(Exception):  # at the end of a process they are closed in any case
                wait(made.close())
        self._made.clear()

    def _ranged(self, address: str, known: Known | None = None, n_head: int = HEAD) -> Any:
        """An object of S3 or of a site; its first request is for `n_head` bytes."""
        if address.startswith("s3://"):
            from .s3 import S3Object

            return S3Object(self._buckets, address, known, n_head)
        from .http import HttpObject

        return HttpObject(self._web, address, known, n_head)

    @property
    def _web(self) -> Web:
        from .web import Web

        return self._one(Web)

    @property
    def _buckets(self) -> Buckets:
        if not self._storages.buckets:
            raise AudioError(NOT_CONFIGURED)
        from .s3 import Buckets

        return self._one(Buckets)

    def _one(self, kind: Any) -> Any:
        """The only instance of a class."""
        with self._making:
            if kind.__name__ not in self._made:
                self._made[kind.__name__] = kind(self._storages)
            return self._made[kind.__name__]

    def _split(self, address: str) -> tuple[str, str]:
        """Member and archive in an address."""
        if not self._storages.zip:
            raise AudioError(f"{NOT_CONFIGURED} (archives need `zip: true`)")
        member, inside, archive = parts_of(address)
        if not inside or not archive or archive.startswith("zip://"):
            raise AudioError("is no address of a member; give zip://member::/path/archive.zip")
        return member, archive

    def _open_member(self, address: str) -> Bytes:
        member, archive = self._split(address)
        known = self._archives.get(archive)
        try:
            return self._member(archive, member, known)
        except Changed:
            if known is None:
                raise
            self._archives.pop(archive, None)  # it is another one than some time ago
            return self._member(archive, member, None)

    def _member(self, archive: str, member: str, known: Known | None) -> Bytes:
        content, (size, mark) = self._open_archive(archive, known)
        try:
            directory: Directory = directories.of(content, archive, mark)
            if mark and is_address(archive):
                self._archives[archive] = size, mark
            return open_member(content, directory, member)
        except BaseException:
            content.close()
            raise

    def _open_archive(self, archive: str, known: Known | None = None) -> tuple[Bytes, Known]:
        if not is_address(archive):
            file = RegularFile(archive)
            return file, (file.size, str(os.fstat(file.fileno()).st_mtime_ns))
        source = self._ranged(archive, known, n_head=1)  # its directory is at its end
        if getattr(source, "is_whole", False):
            source.close()
            raise AudioError("its archive is at a server that gives no parts of files; download it")
        return Blocks(source, source.head), (source.size, source.mark)


@lru_cache(maxsize=4)
def _opened(storages: Storages, _process: int) -> Opened:
    opened = Opened(storages)
    atexit.register(opened.close)
    return opened


def opened(storages: Storages) -> Opened:
    """What opens the addresses of some storages, one in a process."""
    return _opened(storages, os.getpid())


@contextmanager
def active(storages: Storages) -> Iterator[None]:
    """Context in which addresses may be opened, in this thread and those that it starts."""
    token = ELSEWHERE.set(opened(storages))
    try:
        yield
    finally:
        ELSEWHERE.reset(token)
