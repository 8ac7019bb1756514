"""Labelled tracks, gathered from files with tags, a table of labels, and a label store."""

from __future__ import annotations

import csv
import dataclasses
import fnmatch
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tempo_core.addresses import as_text, is_address, without_query
from tempo_core.background import TIME_LIMIT, never, parallel
from tempo_core.console import explain
from tempo_core.errors import ConfigError, reason
from tempo_core.files import audio_files
from tempo_core.labels.files import read_track
from tempo_core.labels.record import Record, TrackQuery, parse_bpm
from tempo_core.labels.store import Store
from tempo_core.labels.training import TRAINABLE_SOURCES, objection

from .clean import merge
from .tables import LabelledTrack, absolute, file_in_table, key_label

# Names that other programs use for the columns of a table of labels, and the names used here.
ALIASES = {
    "file": "path", "tempo": "bpm", "mb_trackid": "recording_id", "initial_key": "key",
}  # fmt: skip


class Verbatim(csv.excel):
    """Dialect of tables in which a quotation mark has no special meaning."""

    quoting = csv.QUOTE_NONE


def find_files(
    places: Iterable[Path | str],
    exclude: Sequence[str] = (),
    stop: Callable[[], bool] = never,
    time_limit: float | None = None,
    problems: list[tuple[Path, str]] | None = None,
) -> list[Path]:
    """Paths of the given files, and of the audio files in the given folders, at any depth.

    Parameters
    ----------
    places
        Files and folders. An address of a folder is a text, as a path loses the slash at its end.
    exclude
        Patterns (`*/Audiobooks/*`, `*.wma`) of paths to leave out.
    stop
        Called ten times a second; once it returns True, the search is abandoned.
    time_limit
        How long the search of one of the places may take [s]; None for no limit.
    problems
        Output: addresses that a path cannot hold are appended, with the reason.
    """
    distinct: dict[Path, None] = {}
    for name, _ in audio_files(map(as_text, places), stop, time_limit):
        path = absolute(Path(name))
        if any(fnmatch.fnmatch(name if is_address(name) else str(path), e) for e in exclude):
            continue
        if not is_address(name) or as_text(path) == name.rstrip("/"):
            distinct[path] = None
        elif problems is not None:
            problems.append((path, f"not used: {without_query(name)} has // or . in its path"))
    return [*distinct]


def read_labels(table: Path) -> dict[Path, LabelledTrack]:
    """The labels in a table, by the path of the audio file.

    The table has a header line. Columns are separated by tabs, or by commas if the header line has
    no tab. `path` (or `file`) and `bpm` (or `tempo`) are needed; `artist`, `title`, `album`,
    `genre`, `year`, `recording_id`, `label_source` and `key` are read if they are there; other
    columns are ignored. Relative paths start at the folder of the table. A tempo that is not a
    number becomes NaN. Several lines for one path are several labels.

    Raises
    ------
    ConfigError
        If the table cannot be read, or lacks one of the columns that are needed.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            line = file.readline()
            delimiter = "\t" if "\t" in line else ","
            header = next(csv.reader([line], delimiter=delimiter), [])
            names = [ALIASES.get(name.strip().lower(), name.strip().lower()) for name in header]
            # The tables of `labels --export` have titles with quotation marks that are not escaped.
            dialect = Verbatim if "tempo" in header else csv.excel
            reader = csv.reader(file, dialect, delimiter=delimiter)
            rows = [dict(zip(names, cells, strict=False)) for cells in reader]
    except (OSError, UnicodeError, csv.Error) as error:
        raise ConfigError(f"{table}: cannot be read as a table ({reason(error)})") from error
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
    """The labelled track in a row, given as its cells by the name of their column."""
    cell = {name: value.strip() for name, value in row.items()}
    cell = {name: "" if value == "NA" else value for name, value in cell.items()}
    year = cell.get("year", "")[:4]
    return LabelledTrack(
        path=file_in_table(cell["path"], table),
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
    """The tempo [BPM] in a text, 0 for an empty text, NaN if it is not a number."""
    if not text:
        return 0.0
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return math.nan


@dataclass(frozen=True)
class ReadingLimits:
    """Limits to how long tags are read.

    `stop` is called ten times a second; once it returns True, no more tracks are read.
    `time_limit` is how long reading the tags of one file may take [s].
    """

    stop: Callable[[], bool] = never
    time_limit: float = TIME_LIMIT


def gather(
    files: Iterable[Path],
    table: Mapping[Path, LabelledTrack],
    store: Store | None,
    problems: list[tuple[Path, str]],
    sources: Sequence[str] = TRAINABLE_SOURCES,
    limits: ReadingLimits = ReadingLimits(),
) -> Iterator[LabelledTrack]:
    """Tracks with the labels of files: one track for each label, one for a file without labels.

    Parameters
    ----------
    table
        Labels from `read_labels`. Its artist, album and other descriptions replace those of the
        tags. A title in the tags stays, so that the table's title can be compared with it.
    store
        Published labels, or None. Those of `sources` are used if the audio agrees with them.
    problems
        Output: files whose tags cannot be read are appended, with the reason.
    """
    for path, read in parallel(read_track, files, 1, limits.stop, limits.time_limit):
        row = table.get(path)
        if isinstance(read, Exception):
            if row is None:
                problems.append((path, explain(read)))
            track = TrackQuery("", (), path=str(path))
        else:
            track = read
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
            # The store may know a tag that was removed since, or that this program wrote itself:
            # neither is a label.
            known_tag = track.tag_bpm is not None
            records = store.current(track.id).values()
            found += published([r for r in records if known_tag or r.source != "tags"], sources)
        for bpm, source, title in found or [(0.0, "", "")]:
            yield dataclasses.replace(known, bpm=bpm, label_source=source, label_title=title)


def published(records: Iterable[Record], sources: Sequence[str]) -> list[tuple[float, str, str]]:
    """The published labels that may be trained on: (tempo [BPM], source, title at the source)."""
    return [
        (record.bpm, "tag" if record.source == "tags" else f"label:{record.source}",
         record.match_title)
        for record in records
        if record.bpm and not objection(record, sources)
    ]  # fmt: skip
