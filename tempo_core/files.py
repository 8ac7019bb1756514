"""Writing files so that nobody ever sees half of one, or what is not for everybody."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Write a file in one step: the old one or the new one, whenever the machine stops.

    Raises
    ------
    OSError
        If it cannot be written; what was there is there still.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def create_private(path: Path) -> None:
    """Make an empty file that only its owner can read, where there is none yet.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def keep_private(path: Path) -> None:
    """Let only its owner read a database, and what SQLite keeps beside it."""
    for ending in ("", "-wal", "-shm", "-journal"):
        with suppress(OSError):  # not ours, or not there
            path.with_name(path.name + ending).chmod(0o600)
