"""A training set on disk: what `build` makes of a collection, and training and evaluation read.

A folder of tab-separated tables with a header line each, readable and diffable:

- `tracks.tsv`: every recording that is kept, with its label and its split.
- `dropped.tsv`: every track that is not, with the reason.
- `split-1.tsv`: what stands on which side, see `split.py`.
- `cache/`: the network's inputs, `analysis.db`: what was heard; both can be computed again.

The audio stays where it is.
"""

from __future__ import annotations

import csv
import dataclasses
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tempo_core.config import Windows
from tempo_core.console import unescaped
from tempo_core.errors import ConfigError, reason
from tempo_core.files import replace_file
from tempo_core.keys import parse_key

from ..files import tsv
from ..inputs.recordings import Recording

TRACKS, DROPPED = "tracks.tsv", "dropped.tsv"
SPLITS = ("train", "validation", "test")
CACHE = "cache"  # folder for `inputs.views.load_views`
WINDOWS = Windows(12.0, 5.0)  # of whole tracks: fewer than of clips


@dataclass(frozen=True)
class LabelledTrack:
    """A track that a training set may be built from.

    `bpm` is 0 where nobody said anything. `label_source` is one of `trust.TRUST`, with the name of
    a site after a colon, or whatever else a table says. `label_title` is what the source of the
    label calls the recording, empty where it says nothing. `other_labels` are those that contradict
    this one, see `trust.format_labels`. Several artists stand one after another, with semicolons.
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
    label_title: str = ""
    other_labels: str = ""
    # As somebody stated it, in the short form (`F#m`); empty where nobody did.
    key: str = field(default="", kw_only=True)


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


def collected(track: LabelledTrack, id_: str, duration: float) -> CollectedTrack:
    """The track as a recording of a training set, with the identity and length [s] of its file."""
    values = {f.name: getattr(track, f.name) for f in dataclasses.fields(LabelledTrack)}
    return CollectedTrack(**values, id=id_, duration=duration)


def key_label(text: str) -> str:
    """A stated key in the short form, whatever notation it is in; empty for what is no key."""
    return str(parse_key(text) or "")


def absolute(path: Path) -> Path:
    """A path from the root, without following links: these are what their owner calls a file."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def file_in_table(cell: str, table: Path) -> Path:
    """The file that a table names, as it is or as the tables of `tempo-core` write names.

    A relative path is one beside the table.
    """
    name = unescaped(cell)
    given = name != cell and (table.parent / cell).exists()
    return absolute(table.parent / (cell if given else name))


R = TypeVar("R", CollectedTrack, DroppedTrack)


def write_table(path: Path, rows: Iterable[R], kind: type[R]) -> None:
    """Write a table of `kind` atomically."""
    names = [field.name for field in dataclasses.fields(kind)]
    replace_file(path, tsv(names, ([getattr(row, name) for name in names] for row in rows)))


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
    except (OSError, TypeError, ValueError, csv.Error) as error:
        raise ConfigError(f"{path}: not a table of a training set ({reason(error)})") from error


def read_collection(folder: Path) -> list[CollectedTrack]:
    """The recordings of a training set.

    Raises
    ------
    ConfigError
        If there is none in `folder`, or a label in it is no tempo.
    """
    tracks = read_table(folder / TRACKS, CollectedTrack)
    for number, track in enumerate(tracks, 2):
        if not (math.isfinite(track.bpm) and track.bpm > 0):
            raise ConfigError(
                f"{folder / TRACKS}, line {number}: the label is {track.bpm} BPM, not a tempo; "
                "correct it, or build the set again"
            )
    return tracks
