"""The tracks of a run: files, folders and lists of these, taken one by one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import BinaryIO

from ..addresses import without_user
from ..background import Stopped, call, never
from ..console import explain
from ..errors import ConfigError, TempoError
from ..files import audio_inside

STDIN = Path("-")


@dataclass(frozen=True)
class Track:
    """A track of a run: its path, and why it cannot be used, or None.

    `number` counts the tracks of a run from 0. `absolute` is the path for other processes, None
    where there are none.
    """

    number: int
    path: str
    problem: str | None = None
    absolute: str | None = None


def tracks(
    places: Iterable[str],
    lists: Iterable[Path] = (),
    stopped: Callable[[], bool] = never,
    time_limit: float | None = None,
) -> Iterator[Track]:
    """All tracks in order; never are all of them in memory.

    Parameters
    ----------
    places
        Files and folders.
    lists
        Text files with one file or folder in each line; `-` is standard input.
    stopped
        Called ten times a second; once it returns True, the search ends.
    time_limit
        For each look into a folder [s].

    Raises
    ------
    ConfigError
        If a list cannot be read.
    """
    numbers = count()
    for place in all_places(places, lists):
        inside = audio_inside(place)
        while not stopped():
            try:
                path = call(partial(next, inside, None), stopped, time_limit)
            except Stopped:
                return
            except (TempoError, OSError) as error:
                yield Track(next(numbers), without_user(place), explain(error))
                break
            if path is None:
                break
            yield Track(next(numbers), path)


def all_places(places: Iterable[str], lists: Iterable[Path]) -> Iterator[str]:
    """Files and folders, and those in lists; see `tracks`."""
    yield from places
    for path in lists:
        if path == STDIN:
            if sys.stdin is None:
                raise ConfigError("standard input is closed; give a list of files")
            yield from _lines(sys.stdin.buffer, path)
            continue
        try:
            with path.open("rb") as file:
                yield from _lines(file, path)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror or error}") from error


def check_lists(lists: Iterable[Path]) -> None:
    """Refuse lists that are not there, before anything is done.

    Raises
    ------
    ConfigError
        If one is missing, or is a folder.
    """
    for path in lists:
        if path != STDIN and (path.is_dir() or not path.exists()):
            raise ConfigError(f"{path}: there is no such list of files")


def _lines(file: BinaryIO, path: Path) -> Iterator[str]:
    """Lines of a file but blank ones, as paths: their bytes may be no text.

    Raises
    ------
    ConfigError
        If it is another kind of file.
    """
    for line in file:
        if b"\0" in line:
            raise ConfigError(f"{path}: is no list of files, with one in each line")
        if line.strip():
            yield line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")


def count_tracks(places: Iterable[str], lists: Iterable[Path]) -> int | None:
    """Number of places, for a progress bar; None if it is not known before the end."""
    number = 0
    for path in lists:
        if not path.is_file():  # what is read from a pipe is gone
            return None
        try:
            with path.open("rb") as file:
                number += sum(1 for line in file if line.strip())
        except OSError:
            return None
    for place in places:
        if Path(place).is_dir():
            return None
        number += 1
    return number
