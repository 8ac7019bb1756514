"""Finding music in folders; writing files in one step; private files."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from .addresses import check_user, elsewhere, is_address, is_folder, is_open_address, without_user
from .background import parallel

# Endings of audio files, for the search in folders; whether a file is audio says its content.
EXTENSIONS = frozenset(
    [
        ".aac",
        ".aif",
        ".aiff",
        ".alac",
        ".ape",
        ".dsf",
        ".flac",
        ".m4a",
        ".m4b",
        ".mka",
        ".mp2",
        ".mp3",
        ".mp4",
        ".mpc",
        ".oga",
        ".ogg",
        ".opus",
        ".tta",
        ".wav",
        ".webm",
        ".wma",
        ".wv",
    ]
)


def audio_files(
    places: Iterable[str | os.PathLike[str]],
    stopped: Callable[[], bool] = lambda: False,
    time_limit: float | None = None,
) -> Iterator[tuple[str, Exception | None]]:
    """(path, error or None) of given files, and of the audio files in given folders at any depth.

    The files of a folder are sorted by name. A folder without audio files is yielded itself.

    Parameters
    ----------
    places
        Paths of files and folders.
    stopped
        Called ten times a second; once it returns True, the search ends early.
    time_limit
        Of each place [s]. One that takes longer is yielded with a `TimeLimitError`.
    """
    names = (os.fspath(place) for place in places)
    for place, found in parallel(_inside, names, 1, stopped, time_limit):
        if isinstance(found, Exception):
            yield without_user(place), found
        else:
            yield from ((name, None) for name in found)


def _inside(place: str) -> list[str]:
    """Audio files in a folder; the place itself if it is a file or has none."""
    if is_address(place):
        return list(audio_inside(place))
    if not Path(place).is_dir():
        return [place]
    names = (os.path.join(root, name) for root, _, names in os.walk(place) for name in names)  # noqa: PTH118
    return sorted(name for name in names if Path(name).suffix.lower() in EXTENSIONS) or [place]


def audio_inside(place: str) -> Iterator[str]:
    """Audio files in a folder, folder by folder, sorted within each; the place itself if none.

    The place may be an address: of a prefix in a bucket, or of an archive. Unlike with
    `audio_files`, no more than the names in one folder are in memory.

    Raises
    ------
    AudioError
        If it is an address with a password in it, or cannot be listed.
    """
    found = False
    check_user(place)
    if is_open_address(place):
        for name in elsewhere().inside(place) if is_folder(place) else ():
            found = True
            yield name
    elif Path(place).is_dir():
        for root, folders, names in os.walk(place):
            folders.sort()
            for name in sorted(names):
                if Path(name).suffix.lower() in EXTENSIONS:
                    found = True
                    yield os.path.join(root, name)  # noqa: PTH118
    if not found:
        yield place


LONGEST_NAME = 255  # bytes that systems allow
LONG_NAME = 200  # bytes of a name to which no more can be added


def named(stem: str, ending: str) -> str:
    """A name with an ending, shortened to `LONGEST_NAME`."""
    while len(os.fsencode(stem + ending)) > LONGEST_NAME:
        stem = stem[:-1]
    return stem + ending


STDOUT = Path("/dev/stdout")  # standard output as a path, also on systems that have no such name
Content = bytes | Callable[[BinaryIO], None]  # of a file: all of it, or what writes it


def replace_file(path: Path, data: Content, check: Callable[[Path], None] | None = None) -> None:
    """Replace a file in one step: after a crash there is either the old or the new content.

    Where the path is a link, the file that it leads to is replaced. A pipe, a device, and `STDOUT`
    wherever that leads, is written to.

    Parameters
    ----------
    data
        A function is called with the new file, so that content need not be in memory.
    check
        Called with the path of the new file before it takes its place; if it raises, the old one
        stays. Not called for a pipe or a device.

    Raises
    ------
    OSError
        If it cannot be written; the old file is then unchanged.
    """
    if is_channel(path):
        _send(path, data)
        return
    if path.is_symlink():
        path = path.resolve()
    name = os.fsencode(path.name)
    short = path.name if len(name) <= LONG_NAME else hashlib.sha256(name).hexdigest()
    part = path.with_name(f".{short}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            _write(file, data)
            file.flush()
            os.fsync(file.fileno())
        if check is not None:
            check(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def part_of(path: Path) -> Path:
    """Where a file is written before it takes its place; no other process has the same name."""
    import platform
    from uuid import uuid4

    return path.with_suffix(f".{platform.node()[:40]}.{uuid4().hex[:12]}.part")


def is_channel(path: Path) -> bool:
    """Whether bytes are sent to a path and no file is replaced: a pipe, a device, `STDOUT`."""
    if path == STDOUT:
        return True
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _write(file: BinaryIO, data: Content) -> None:
    if isinstance(data, bytes):
        file.write(data)
    else:
        data(file)


def _send(path: Path, data: Content) -> None:
    """Write to a pipe or a device. A pipe that nobody reads is an error, not a wait."""
    if not isinstance(data, bytes):  # which may go back in the file, as in no pipe
        whole = io.BytesIO()
        data(whole)
        data = whole.getvalue()
    if path == STDOUT:
        _print(data)
        return
    handle = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if hasattr(os, "set_blocking"):
        os.set_blocking(handle, True)
    with open(handle, "wb") as file:  # noqa: PTH123  # of a handle
        file.write(data)


def _print(data: bytes) -> None:
    """Write to standard output, behind what was printed there before."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    sys.stdout.flush()
    try:
        handle = os.dup(sys.stdout.fileno())
    except (OSError, ValueError):  # it is no file of the system, as in a test
        sys.stdout.buffer.write(data)
        return
    # A file of its own, so that nothing is left over for the exit to fail on if this fails.
    with open(handle, "wb") as file:  # noqa: PTH123  # of a handle
        file.write(data)


def create_private(path: Path) -> None:
    """Create an empty file that only its owner can read, unless the file exists.

    Raises
    ------
    OSError
        If it cannot be created.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def keep_private(path: Path) -> None:
    """Make a database, and the files that SQLite keeps beside it, readable for the owner only."""
    for ending in ("", "-wal", "-shm", "-journal"):
        with suppress(OSError):  # not ours, or not there
            path.with_name(path.name + ending).chmod(0o600)
