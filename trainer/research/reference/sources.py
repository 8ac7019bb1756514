"""Tracks with their tags, from a table, a training set, or a published data set."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tempo_core.errors import ConfigError

from ...evaluation.answers import read_rows
from ...trainingset.tables import SPLITS, TRACKS, file_in_table, read_collection

_BETWEEN = re.compile(r"[;\0]")  # between the tags of one track
Read = tuple[list["TaggedTrack"], list[str]]  # tracks, and a message for each that is no use


@dataclass(frozen=True)
class TaggedTrack:
    """A track and what somebody says that it sounds like.

    `tags` are in small letters; a track with none is one of which nothing is known. `split` is one
    of `SPLITS`, or empty where the source states none.
    """

    path: Path
    tags: frozenset[str]
    artist: str = ""
    split: str = ""
    title: str = ""
    album: str = field(default="", kw_only=True)


def tag_name(text: str) -> str:
    """A tag as it is compared: in small letters that can be printed, with single spaces."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(plain.split()).casefold()


def tags_in(cell: str) -> frozenset[str]:
    """The tags in a cell of a table, between which there are semicolons."""
    return frozenset(filter(None, map(tag_name, _BETWEEN.split(cell))))


def read_table(table: Path, audio: Path | None = None, column: str = "tags") -> Read:
    """The tracks of a tab-separated table with a header line.

    It has the columns `path` (or `file`) and `tags`, and perhaps `artist`, `title`, `album` and
    `split`.

    Parameters
    ----------
    audio
        The folder at which relative paths start; None is that of the table.
    column
        The column with the tags.

    Raises
    ------
    ConfigError
        If the table cannot be read or lacks a column.
    """
    rows = read_rows(table, (column,), f"a table with the columns path and {column}",
                     ("path", "file"))  # fmt: skip
    place = table if audio is None else audio / table.name
    tracks: dict[Path, TaggedTrack] = {}
    problems = []
    for number, row in rows:
        cell, split = row.get("path") or row.get("file") or "", row.get("split") or ""
        if not cell:
            problems.append(f"{table}, line {number}: no path")
        elif split and split not in SPLITS:
            problems.append(
                f"{table}, line {number}: {split!r} is no split; give {', '.join(SPLITS)} or none"
            )
        else:
            path = file_in_table(cell, place)
            if path in tracks:
                problems.append(f"{table}, line {number}: {path} is there twice; the first counts")
            tracks.setdefault(path, TaggedTrack(
                path, tags_in(row[column] or ""), row.get("artist") or "", split,
                row.get("title") or "", album=row.get("album") or "",
            ))  # fmt: skip
    return list(tracks.values()), problems


def read_training_set(folder: Path) -> Read:
    """The recordings of a training set that `tempo-core build` made: their genres are the tags.

    Raises
    ------
    ConfigError
        If the folder is no training set.
    """
    return [
        TaggedTrack(
            track.path, tags_in(track.genre.replace(",", ";")), track.artist, track.split,
            track.title, album=track.album,
        )
        for track in read_collection(folder)
    ], []  # fmt: skip


def is_training_set(source: Path) -> bool:
    """Whether this is the folder of a training set."""
    return (source / TRACKS).is_file()


def refuse_nothing(tracks: Iterable[TaggedTrack], source: Path) -> None:
    """Refuse a source in which no track has a tag.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if not any(track.tags for track in tracks):
        raise ConfigError(f"{source}: no track with a tag in it; see which column has the tags")
