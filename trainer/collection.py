"""A training set on disk: what `build` makes of a collection, and training and evaluation read.

A folder of tab-separated tables with a header line each, readable and diffable:

- `tracks.tsv`: every recording that is kept, with its label and its split.
- `dropped.tsv`: every track that is not, with the reason.

The audio stays where it is.
"""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tempo_core.errors import ConfigError

from .dataset import Recording

TRACKS, DROPPED = "tracks.tsv", "dropped.tsv"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class LabelledTrack:
    """A track that a training set may be built from.

    `label_source` is `manual`, `tag`, `field`, `label:<site>` or whatever else a table says.
    """

    path: Path
    bpm: float
    label_source: str
    artist: str = ""
    title: str = ""
    album: str = ""
    genre: str = ""
    year: int = 0  # 0: unknown
    recording_id: str = ""  # MusicBrainz, for finding duplicates


@dataclass(frozen=True)
class CollectedTrack(LabelledTrack):
    """A recording of a training set."""

    id: str = ""  # first 16 hex digits of the SHA-256 of the file
    duration: float = 0.0  # [s]
    group: str = ""  # never on both sides of a split
    split: str = ""

    def recording(self) -> Recording:
        """As training and evaluation know it."""
        tempi = ((self.bpm, 1.0),)
        return Recording(self.path, "collection", tempi, self.split, self.group, (), self.genre)


@dataclass(frozen=True)
class DroppedTrack:
    """A track that was left out: a short fixed `reason` to count by, and what was found."""

    path: Path
    reason: str
    detail: str = ""


R = TypeVar("R", CollectedTrack, DroppedTrack)


def write_table(path: Path, rows: Iterable[R], kind: type[R]) -> None:
    """Write a table of `kind` atomically."""
    names = [field.name for field in dataclasses.fields(kind)]
    temporary = path.with_name(path.name + ".part")
    with temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(names)
        writer.writerows([getattr(row, name) for name in names] for row in rows)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_table(path: Path, kind: type[R]) -> list[R]:
    """The rows of a table that `write_table` wrote.

    Raises
    ------
    ConfigError
        If there is none, or it is not one of these.
    """
    convert: dict[str, type] = {"path": Path, "bpm": float, "duration": float, "year": int}
    try:
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file, delimiter="\t"))
        return [kind(**{k: convert.get(k, str)(v) for k, v in row.items()}) for row in rows]
    except FileNotFoundError as error:
        raise ConfigError(f"no table {path}; give the folder of a training set") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{path}: not a table of a training set ({error})") from error


def read_collection(folder: Path) -> list[CollectedTrack]:
    """The recordings of a training set.

    Raises
    ------
    ConfigError
        If there is none in `folder`.
    """
    return read_table(folder / TRACKS, CollectedTrack)
