"""A training set on disk: what `build` makes of a collection, and training and evaluation read.

A folder of tab-separated tables with a header line each, readable and diffable:

- `tracks.tsv`: every recording that is kept, with its label and its split.
- `dropped.tsv`: every track that is left out, with the reason.
- `split-1.tsv`: which artists, albums and recordings belong to which split, see `split.py`.
- `cache/`: the network's inputs; `analysis.db`: what was heard. Both can be computed again.

The audio is not copied.
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

from tempo_core.addresses import as_text, is_address, without_query, without_user
from tempo_core.config import Windows
from tempo_core.console import unescaped
from tempo_core.errors import ConfigError, reason
from tempo_core.files import replace_file
from tempo_core.keys import parse_key

from ..files import tsv
from ..inputs.recordings import Recording

TRACKS, DROPPED = "tracks.tsv", "dropped.tsv"
SPLITS = ("train", "validation", "test")
CACHE = "cache"  # name of the folder with the network's inputs, for `inputs.views.load_views`
WINDOWS = Windows(12.0, 5.0)  # [s] windows of whole tracks; sparser than those of clips


@dataclass(frozen=True)
class LabelledTrack:
    """A track that a training set may be built from.

    `bpm` is the label, 0 if there is none. `label_source` is one of `trust.TRUST`, with the name of
    a site after a colon, or whatever else a table says. `label_title` is the recording's title at
    the source of the label, empty if it has none. `other_labels` are labels that contradict this
    one, see `trust.format_labels`. Several artists are separated by semicolons.
    """

    path: Path
    bpm: float
    label_source: str
    artist: str = ""
    title: str = ""
    album: str = ""
    genre: str = ""
    year: int = 0  # 0: unknown
    recording_id: str = ""  # of MusicBrainz, for finding duplicates
    label_title: str = ""
    other_labels: str = ""
    # The stated musical key in the short form (`F#m`); empty if none is stated.
    key: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class CollectedTrack(LabelledTrack):
    """A recording of a training set."""

    id: str = ""  # first 16 hex digits of the SHA-256 of the file
    duration: float = 0.0  # [s]
    group: str = ""  # tracks of one group are always in the same split
    split: str = ""  # one of `SPLITS`

    def recording(self) -> Recording:
        """The track in the form that training and evaluation work with."""
        tempi = ((self.bpm, 1.0),)
        return Recording(self.path, "collection", tempi, self.split, self.group, (), self.genre)


@dataclass(frozen=True)
class DroppedTrack:
    """A track that was left out: a `reason` out of a fixed list, and details of what was found."""

    path: Path
    reason: str
    detail: str = ""


def collected(track: LabelledTrack, id_: str, duration: float) -> CollectedTrack:
    """A track as a recording of a training set, with the identity and length [s] of its file."""
    values = {f.name: getattr(track, f.name) for f in dataclasses.fields(LabelledTrack)}
    return CollectedTrack(**values, id=id_, duration=duration)


def key_label(text: str) -> str:
    """A stated musical key in the short form, whatever its notation; empty if it is no key."""
    return str(parse_key(text) or "")


def absolute(path: Path) -> Path:
    """An absolute path. Links are not followed, so that a file keeps the name its owner gave it.

    An address stays as it is.
    """
    if is_address(path):
        return path
    return Path(os.path.abspath(path))  # noqa: PTH100


def file_in_table(cell: str, table: Path) -> Path:
    """The path of a file that is named in a table, plain or escaped as in tables of `tempo-core`.

    Relative paths start at the folder of the table. An address stays as it is.

    Raises
    ------
    ConfigError
        If it is an address that a `Path` would change, with two slashes inside, or has a password.
    """
    name = unescaped(cell)
    if is_address(name):
        if without_user(name) != name:
            raise ConfigError(f"{without_query(name)}: has a user or a password in it")
        if as_text(Path(name)) != name:
            raise ConfigError(f"{without_query(name)}: is an address with // or . in its path")
        return Path(name)
    given = name != cell and (table.parent / cell).exists()
    return absolute(table.parent / (cell if given else name))


R = TypeVar("R", CollectedTrack, DroppedTrack)


def write_table(path: Path, rows: Iterable[R], kind: type[R]) -> None:
    """Write a table with the fields of the dataclass `kind` as columns, atomically."""
    names = [field.name for field in dataclasses.fields(kind)]
    replace_file(path, tsv(names, ([getattr(row, name) for name in names] for row in rows)))


def read_table(path: Path, kind: type[R]) -> list[R]:
    """The rows of a table that `write_table` wrote.

    Raises
    ------
    ConfigError
        If the file does not exist or is not such a table.
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
        If `folder` is not a training set, or a label in it is not a tempo.
    """
    tracks = read_table(folder / TRACKS, CollectedTrack)
    for number, track in enumerate(tracks, 2):
        if not (math.isfinite(track.bpm) and track.bpm > 0):
            raise ConfigError(
                f"{folder / TRACKS}, line {number}: the label is {track.bpm} BPM, not a tempo; "
                "correct it, or build the set again"
            )
    return tracks
