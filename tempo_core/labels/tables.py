"""Tables of labels: text files in the format of the project that this one is based on.

They are tab-separated with the header line `title artist album genre path tempo key`. `NA` means
that a value was not found, a tempo of 0 that no source was asked. Characters of a path that cannot
be printed are escaped, see `escaped`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..console import escaped, shown
from ..errors import LabelError, reason
from ..files import replace_file
from ..keys import PITCH_CLASSES, parse_key
from .record import Candidate, Record, Status, TrackQuery, parse_bpm

COLUMNS = ("title", "artist", "album", "genre", "path", "tempo", "key")
NA = "NA"  # a value that was not found


def read_table(path: Path) -> Iterator[tuple[Candidate, str]]:
    """Read a table; yields each label with the path of its audio file, rows without tempo left out.

    Raises
    ------
    LabelError
        If the file cannot be read or lacks a column.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            # Titles may contain quotation marks, so these have no special meaning here.
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            lacking = set(COLUMNS) - set(rows.fieldnames or ())
            if lacking:
                raise LabelError(
                    f"{path}: has no column {', '.join(sorted(lacking))}; a table of labels has "
                    f"{' '.join(COLUMNS)}, separated by tabs"
                )
            for row in rows:
                cell = {name: (row[name] or "").strip() for name in COLUMNS}
                if parse_bpm(cell["tempo"]) is None:
                    continue
                candidate = Candidate(
                    source_id=f"line {rows.line_num}",
                    url="",
                    title=cell["title"],
                    artists=(cell["artist"],),
                    album="" if cell["album"] == NA else cell["album"],
                    raw_bpm=cell["tempo"],
                    raw_key=None if cell["key"] in ("", NA) else cell["key"],
                    complete=True,
                )
                yield candidate, cell["path"]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelError(f"{path}: cannot be read as a table ({reason(error)})") from error


def write_table(path: Path, rows: Iterable[tuple[TrackQuery, Record | None, bool]]) -> int:
    """Write a table, completely or not at all, and return the number of labels in it.

    Parameters
    ----------
    rows
        Tracks, each with its label or None, and whether any source was asked about it.

    Raises
    ------
    LabelError
        If the file cannot be written.
    """
    lines, n_labels = [COLUMNS], 0
    for track, record, asked in rows:
        tempo, key = (NA, NA) if asked else ("0.0", "")
        if record is not None and record.status is Status.FOUND and record.bpm:
            tempo, key = f"{record.bpm:g}", _key(record.key)
            n_labels += 1
        names = (track.title, track.artist, track.album, track.genre)
        title, artist, album, genre = (shown(" ".join((name or NA).split())) for name in names)
        lines.append((title, artist, album, genre, escaped(track.path or NA), tempo, key))
    try:
        replace_file(path, "".join("\t".join(line) + "\n" for line in lines).encode())
    except OSError as error:
        raise LabelError(f"{path}: cannot be written ({error.strerror})") from error
    return n_labels


def _key(text: str | None) -> str:
    """Write a key in the table's notation: `C# Maj`, `F min`; `NA` if it is none."""
    key = parse_key(text or "")
    return (
        NA if key is None else f"{PITCH_CLASSES[key.pitch_class]} {'min' if key.minor else 'Maj'}"
    )
