"""Finding music in folders; writing files in one step, and files that are private."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from .background import parallel

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
    """Files as they are given, and the audio files in folders at any depth, by name.

    A folder without music is there itself. A place that cannot be looked at within `time_limit` [s]
    has the reason beside it. If it was to stop, some are missing.
    """
    names = (os.fspath(place) for place in places)
    for place, found in parallel(_inside, names, 1, stopped, time_limit):
        if isinstance(found, Exception):
            yield place, found
        else:
            yield from ((name, None) for name in found)


def _inside(place: str) -> list[str]:
    if not Path(place).is_dir():
        return [place]
    names = (os.path.join(root, name) for root, _, names in os.walk(place) for name in names)  # noqa: PTH118
    return sorted(name for name in names if Path(name).suffix.lower() in EXTENSIONS) or [place]


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
