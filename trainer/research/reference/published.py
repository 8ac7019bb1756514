"""The layouts in which two published data sets for tags lie on a disk. Nothing is downloaded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tempo_core.errors import ConfigError, reason
from tempo_core.files import audio_files

from ...evaluation.answers import read_rows
from .sources import (
    Read,
    TaggedTrack,
    is_training_set,
    read_table,
    read_training_set,
    refuse_nothing,
    tag_name,
)

ANNOTATIONS, CLIPS = "annotations_final.csv", "clip_info_final.csv"  # of MagnaTagATune
NO_TAGS = ("clip_id", "mp3_path")  # its columns that are no tags
# Its usual split, by the first sign of the folder: twelve to learn from, one, and three.
FOLDERS = {"train": "0123456789ab", "validation": "c", "test": "def"}
LASTFM = {"lastfm_train": "train", "lastfm_test": "test"}  # folders of the Million Song Dataset
LARGEST = 10_000_000  # [bytes] of a file about a track


def read_source(
    source: Path, audio: Path | None = None, column: str = "tags", least_weight: float = 0.0
) -> Read:
    """Tracks with their tags, and a message for each that cannot be used.

    Parameters
    ----------
    source
        A table, or the folder of a training set, of MagnaTagATune (`annotations_final.csv`) or of
        the Last.fm tags of the Million Song Dataset (`lastfm_train`, `lastfm_test`).
    audio
        Folder of the audio; None is where the source says, or the source itself.
    column, least_weight
        See `read_table` and `read_lastfm`.

    Raises
    ------
    ConfigError
        If the source is none of these, or has no tag.
    """
    if source.is_file():
        read = read_table(source, audio, column)
    elif is_training_set(source):
        read = read_training_set(source)
    elif (source / ANNOTATIONS).is_file():
        read = read_magnatagatune(source, audio)
    elif any((source / name).is_dir() for name in LASTFM):
        read = read_lastfm(source, audio, least_weight)
    else:
        raise ConfigError(
            f"{source}: is no source of tags; give a table, or the folder of a training set, of "
            f"MagnaTagATune ({ANNOTATIONS}) or of the Million Song Dataset ({', '.join(LASTFM)})"
        )
    refuse_nothing(read[0], source)
    return read


def read_magnatagatune(folder: Path, audio: Path | None = None) -> Read:
    """The clips of MagnaTagATune (Law et al., ISMIR 2009) with its usual split by folder.

    `annotations_final.csv` has a column of 0 and 1 for each tag; `clip_info_final.csv`, if it is
    there, has the artists.

    Raises
    ------
    ConfigError
        If a table cannot be read.
    """
    about: dict[str, dict[str, str]] = {}
    if (folder / CLIPS).is_file():
        rows = read_rows(folder / CLIPS, ("mp3_path", "artist"), "the table of MagnaTagATune")
        about = {row["mp3_path"]: row for _, row in rows}
    split_of = {sign: split for split, signs in FOLDERS.items() for sign in signs}
    tracks, problems = [], []
    table = folder / ANNOTATIONS
    for number, row in read_rows(table, NO_TAGS, "the table of MagnaTagATune"):
        place = row["mp3_path"]
        split = split_of.get(place[:1].lower())
        if split is None:
            problems.append(f"{table}, line {number}: {place!r} is in none of the folders 0 to f")
            continue
        # A column without a name is of no tag; what stands behind the last one has None for it.
        tags = {tag_name(tag) for tag, value in row.items() if tag not in NO_TAGS and value == "1"}
        clip = about.get(place, {})
        tracks.append(TaggedTrack(
            (audio or folder) / place, frozenset(tags) - {""}, clip.get("artist", ""), split,
            clip.get("title", ""), album=clip.get("album", ""),
        ))  # fmt: skip
    return tracks, problems


def read_lastfm(folder: Path, audio: Path | None = None, least_weight: float = 0.0) -> Read:
    """The tracks of the Million Song Dataset that have audio, with their tags at Last.fm.

    `lastfm_train` and `lastfm_test` hold a JSON file for each track, at any depth (Bertin-Mahieux
    et al., ISMIR 2011); audio files are found by the track's id, which is their name.

    Parameters
    ----------
    least_weight
        Tags with a lower weight, 0 to 100, do not count.
    """
    found = {
        Path(name).stem: Path(name) for name, error in audio_files([audio or folder]) if not error
    }
    tracks, problems = [], []
    for name, split in LASTFM.items():
        for file in _files(folder / name):
            try:
                if not file.is_file():  # a pipe would wait for its writer
                    raise ValueError("not a regular file")
                with file.open("rb") as opened:
                    about = json.loads(opened.read(LARGEST))
                path = found.get(about["track_id"])
                if path is not None:
                    tracks.append(_of_lastfm(about, path, split, least_weight))
            except (
                OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError,
                RecursionError,
            ) as error:  # fmt: skip
                problems.append(f"{file}: is not about a track ({reason(error)})")
    return tracks, problems


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.rglob("*.json"))


def _of_lastfm(about: Any, path: Path, split: str, least_weight: float) -> TaggedTrack:
    tags = frozenset(
        tag_name(tag) for tag, weight in about["tags"] if float(weight) >= least_weight
    )
    return TaggedTrack(
        path, tags - {""}, str(about.get("artist", "")), split, str(about.get("title", ""))
    )
