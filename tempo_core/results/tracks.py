"""The tracks of a run: files, folders and lists of these, taken one by one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import BinaryIO

from ..background import call, never
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
            except (TempoError, OSError) as error:
                yield Track(next(numbers), place, explain(error))
                break
            if path is None:
                break
            yield Track(next(numbers), path)


def all_places(places: Iterable[str], lists: Iterable[Path]) -> Iterator[str]:
    """Files and folders, and those in lists; see `tracks`."""
    yield from places
    for path in lists:
        if path == STDIN:
            yield from _lines(sys.stdin.buffer)
            continue
        try:
            with path.open("rb") as file:
                yield from _lines(file)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror or error}") from error


def _lines(file: BinaryIO) -> Iterator[str]:
    """Lines of a file but empty ones, as paths: their bytes may be no text."""
    for line in file:
        name = line.rstrip(b"\r\n")
        if name:
            yield name.decode("utf-8", "surrogateescape")


def count_tracks(places: Iterable[str], lists: Iterable[Path]) -> int | None:
    """Number of places, for a progress bar; None if it is not known before the end."""
    number = 0
    for path in lists:
        if path == STDIN:
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
