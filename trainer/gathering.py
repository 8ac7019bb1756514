"""Tracks with labels from what lies on a disk: files with tags, a table, a label store."""

from __future__ import annotations

import csv
import dataclasses
import fnmatch
import math
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tempo_core.errors import AudioError, ConfigError
from tempo_core.labels.files import read_track
from tempo_core.labels.record import Record, Track, parse_bpm
from tempo_core.labels.store import Store
from tempo_core.labels.training import SOURCES, objection

from .cleaning import merge
from .collection import LabelledTrack, absolute, key_label

EXTENSIONS = frozenset(
    [
        ".aac",
        ".aif",
        ".aiff",
        ".alac",
        ".ape",
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
        ".wma",
        ".wv",
    ]
)
# Names of columns as other tables have them.
ALIASES = {
    "file": "path", "tempo": "bpm", "mb_trackid": "recording_id", "initial_key": "key",
}  # fmt: skip


class Verbatim(csv.excel):
    """A quote is a quote."""

    quoting = csv.QUOTE_NONE


def find_files(places: Iterable[Path], exclude: Sequence[str] = ()) -> list[Path]:
    """Files, and the audio files in folders at any depth, by name.

    Parameters
    ----------
    exclude
        Patterns (`*/Audiobooks/*`, `*.wma`) of paths to leave out.
    """
    found = []
    for place in places:
        if place.is_dir():
            inside = (Path(root, name) for root, _, names in os.walk(place) for name in names)
            found += sorted(path for path in inside if path.suffix.lower() in EXTENSIONS)
        else:
            found.append(place)
    distinct = dict.fromkeys(absolute(path) for path in found)
    return [p for p in distinct if not any(fnmatch.fnmatch(str(p), e) for e in exclude)]


def read_labels(table: Path) -> dict[Path, LabelledTrack]:
    """The labels in a table, by the path of the file.

    It is tab-separated (`.csv`: separated by commas) with a header line. `path` (or `file`) and
    `bpm` (or `tempo`) are needed; `artist`, `title`, `album`, `genre`, `year`, `recording_id`,
    `label_source` and `key` are taken where they are there, and other columns left alone. A
    relative path is one beside the table. What is no number is a tempo that is none, and several
    lines for one path are several labels.

    Raises
    ------
    ConfigError
        If it is no such table.
    """
    delimiter = "," if table.suffix.lower() == ".csv" else "\t"
    try:
        with table.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            header = next(csv.reader([file.readline()], delimiter=delimiter), [])
            names = [ALIASES.get(name.strip().lower(), name.strip().lower()) for name in header]
            # The tables of `labels --export` have titles in which a quote is a quote.
            dialect = Verbatim if "tempo" in header else csv.excel
            reader = csv.reader(file, dialect, delimiter=delimiter)
            rows = [dict(zip(names, cells, strict=False)) for cells in reader]
    except (OSError, UnicodeError, csv.Error) as error:
        raise ConfigError(f"{table}: cannot be read as a table ({error})") from error
    lacking = {"path", "bpm"} - set(names)
    if lacking:
        raise ConfigError(
            f"{table}: has no column {' or '.join(sorted(lacking))}; a table of labels has at "
            "least path and bpm, separated by tabs, with a header line"
        )
    labels: dict[Path, list[LabelledTrack]] = defaultdict(list)
    for row in rows:
        if row.get("path"):
            track = _row(row, table)
            labels[track.path].append(track)
    return {path: merge(same) for path, same in labels.items()}


def _row(row: Mapping[str, str], table: Path) -> LabelledTrack:
    cell = {name: value.strip() for name, value in row.items()}
    cell = {name: "" if value == "NA" else value for name, value in cell.items()}
    year = cell.get("year", "")[:4]
    return LabelledTrack(
        path=absolute(table.parent / cell["path"]),
        bpm=_number(cell.get("bpm", "")),
        label_source=cell.get("label_source") or "table",
        artist=cell.get("artist", ""),
        title=cell.get("title", ""),
        album=cell.get("album", ""),
        genre=cell.get("genre", ""),
        year=int(year) if year.isdecimal() else 0,
        recording_id=cell.get("recording_id", ""),
        label_title=cell.get("title", ""),
        key=key_label(cell.get("key", "")),
    )


def _number(text: str) -> float:
    """A tempo [BPM] as written, 0 for none, NaN for what is no number."""
    if not text:
        return 0.0
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return math.nan


def gather(
    files: Iterable[Path],
    table: Mapping[Path, LabelledTrack],
    store: Store | None,
    problems: list[tuple[Path, str]],
    sources: Sequence[str] = SOURCES,
) -> Iterator[LabelledTrack]:
    """Files with their labels: one track for each label, and one for a file without any.

    Parameters
    ----------
    table
        Of `read_labels`. What it says of artist and title replaces what the tags say, except that
        a title in the tags is what the table's title is compared with.
    store
        Published labels; those of `sources` count that the audio agrees with.
    problems
        Files whose tags cannot be read are added, with the reason.
    """
    for path in files:
        row = table.get(path)
        try:
            track = read_track(path)
        except AudioError as error:
            if row is None:
                problems.append((path, str(error)))
            track = Track("", (), path=str(path))
        known = LabelledTrack(
            path=path,
            bpm=0.0,
            label_source="",
            artist=track.artist,
            title=track.title,
            album=track.album,
            genre=track.genre,
            recording_id=track.recording_id or "",
            key=key_label(track.tag_key or ""),
        )
        if row is not None:
            named = {
                name: getattr(row, name) or getattr(known, name)
                for name in ("artist", "album", "genre", "year", "recording_id", "key")
            }
            known = dataclasses.replace(known, **named, title=known.title or row.title)
        found = []
        if row is not None and row.bpm:
            found.append((row.bpm, row.label_source, row.label_title))
            known = dataclasses.replace(known, other_labels=row.other_labels)
        if track.tag_bpm:
            bpm = parse_bpm(track.tag_bpm)
            found.append((_number(track.tag_bpm) if bpm is None else bpm, "tag", ""))
        if store is not None:
            found += published(store.current(track.id).values(), sources)
        for bpm, source, title in found or [(0.0, "", "")]:
            yield dataclasses.replace(known, bpm=bpm, label_source=source, label_title=title)


def published(records: Iterable[Record], sources: Sequence[str]) -> list[tuple[float, str, str]]:
    """(BPM, source, title there) of the published labels that may be trained on."""
    return [
        (record.bpm, "tag" if record.source == "tags" else f"label:{record.source}",
         record.match_title)
        for record in records
        if record.bpm and not objection(record, sources)
    ]  # fmt: skip
