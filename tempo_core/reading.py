"""Reading of files: only regular ones are opened, and memory is taken only for what they have.

Only the disk can make these functions wait, and storages where a command was told of them.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import BinaryIO, cast

from .addresses import (
    NOT_CONFIGURED,
    Bytes,
    as_text,
    elsewhere,
    is_address,
    is_open_address,
    place_of,
)
from .background import check_wanted
from .errors import AudioError

AnyPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
NOT_REGULAR = "not a regular file; give the path of an audio file"
LARGEST_READ = 1 << 27  # [bytes] in one piece, enough for a tag with a hundred pictures


def regular_file(path: AnyPath) -> str:
    """Absolute path of a regular file, which can be opened without waiting for another program.

    Raises
    ------
    AudioError
        If it is missing, empty, or no regular file (a folder, a pipe, a socket, a device).
    """
    name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  Path.resolve would follow links
    try:
        _check(os.stat(name))  # noqa: PTH116  as bytes that are no text too
    except (OSError, ValueError) as error:
        raise explain_opening(error) from error
    return name


class RegularFile(io.FileIO):
    """A regular file, open for reading; a read raises `Stopped` once the result is not wanted.

    Raises
    ------
    AudioError
        As `regular_file`, or if it cannot be opened.
    """

    def __init__(self, path: AnyPath):
        try:
            super().__init__(os.fsdecode(path), "rb", opener=_open_regular)
        except AudioError:
            raise
        except (OSError, ValueError) as error:
            raise explain_opening(error) from error

    def read(self, size: int | None = -1) -> bytes:
        """See `io.RawIOBase`. Memory is taken only for bytes that the file has.

        Raises
        ------
        AudioError
            If more than `LARGEST_READ` are asked for at once.
        """
        check_wanted()
        return self._read(size)

    def _read(self, size: int | None) -> bytes:
        left = max(0, os.fstat(self.fileno()).st_size - io.FileIO.tell(self))
        size = left if size is None or size < 0 else min(size, left)
        check_size(size)
        return io.FileIO.read(self, size) or b""

    @property
    def size(self) -> int:
        """Length [bytes]."""
        return os.fstat(self.fileno()).st_size

    def part(self, position: int, size: int) -> bytes:
        """See `Bytes`; moves to the end of what was read."""
        io.FileIO.seek(self, position)
        return self._read(size)


class BytesFile(io.RawIOBase):
    """Bytes from anywhere as a file, open for reading; reads raise as those of `RegularFile`.

    Parameters
    ----------
    name
        What is told to decoders as the name of the file.
    """

    def __init__(self, content: Bytes, name: str):
        super().__init__()
        self.name = name
        self._content = content
        self._at = 0

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def seekable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """See `io.RawIOBase` and `RegularFile.read`."""
        check_wanted()
        left = max(0, self._content.size - self._at)
        size = left if size is None or size < 0 else min(size, left)
        check_size(size)
        part = self._content.part(self._at, size) if size else b""
        self._at += len(part)
        return part

    def _end_position(self) -> int:
        """Where the file ends for whoever reads it."""
        return self._content.size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """See `io.RawIOBase`."""
        if whence == os.SEEK_END:
            offset += self._end_position()
        elif whence == os.SEEK_CUR:
            offset += self._at
        if offset < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._at = offset
        return offset

    def tell(self) -> int:
        """See `io.RawIOBase`."""
        return self._at

    def close(self) -> None:
        """See `io.RawIOBase`."""
        if not self.closed and hasattr(self, "_content"):  # else it could not be opened
            self._content.close()
        super().close()


def open_bytes(path: AnyPath) -> Bytes:
    """The bytes of a regular file, or of an object at an address.

    A path is taken for an address only where storages are configured.

    Raises
    ------
    AudioError
        As `RegularFile`; or if the object cannot be read.
    """
    name = as_text(path)
    if is_open_address(name):
        return elsewhere().open(name)
    try:
        return RegularFile(path)
    except AudioError as error:
        if is_address(name) and isinstance(error.__cause__, FileNotFoundError):
            raise AudioError(NOT_CONFIGURED) from error
        raise


def open_file(path: AnyPath) -> BinaryIO:
    """A file or an object as a file, see `open_bytes`."""
    opened = open_bytes(path)
    if isinstance(opened, RegularFile):
        return cast(BinaryIO, opened)
    return cast(BinaryIO, BytesFile(opened, place_of(as_text(path))))


def check_size(size: int) -> None:
    """Refuse, as `AudioError`, a read of more than `LARGEST_READ`."""
    if size > LARGEST_READ:
        raise AudioError(f"holds more than {LARGEST_READ >> 20} MB in one piece that is no music")


def _open_regular(name: str, flags: int) -> int:
    """Descriptor of a regular file; an `opener` for `io.FileIO`."""
    # Without O_NONBLOCK, opening a pipe would wait for its writer. The check follows the opening,
    # because a path that was a file a moment ago may be a pipe now.
    descriptor = os.open(name, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    try:
        _check(os.fstat(descriptor))
    except AudioError:
        os.close(descriptor)
        raise
    return descriptor


def _check(found: os.stat_result) -> None:
    """Refuse, as `AudioError`, what is no regular file or is empty."""
    if not stat.S_ISREG(found.st_mode):
        raise AudioError(NOT_REGULAR)
    if found.st_size == 0:
        raise AudioError("the file is empty (0 bytes)")


def explain_opening(error: Exception) -> AudioError:
    """The error to raise for a file that the system does not open."""
    if isinstance(error, FileNotFoundError):
        return AudioError("no such file")
    if isinstance(error, OSError):
        if error.errno == errno.ENXIO:  # a socket, or a device that does not exist
            return AudioError(NOT_REGULAR)
        return AudioError(f"cannot be opened ({error.strerror or type(error).__name__})")
    return AudioError("no such file (no file can have this name)")
