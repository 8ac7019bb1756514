"""CSV for spreadsheets and scripts, by RFC 4180: commas, quotes where needed, UTF-8, CRLF.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, which a title may be
made to be. Such texts get a `'` before them, which spreadsheets do not show; numbers never do.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..beatgrid import BAR, DECIMALS
from .track import ExportTrack, ImportedTrack, is_plain, plain

COLUMNS = (
    "path", "title", "artist", "album", "genre", "year", "track", "duration", "bpm", "key",
    "camelot", "openkey", "confidence", "first_beat", "downbeat", "grid", "paces", "comments",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@")


def objection(track: ExportTrack) -> str:
    """Why a track cannot be in such a file, empty if it can: a path is one line of text."""
    return "" if is_plain(track.path) else "its path is not one line of text in UTF-8"


def encode(tracks: Sequence[ExportTrack], playlist: str | None = None) -> bytes:
    """The content of a file with tracks. Times are those of this project, see `clock`."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(COLUMNS)
    rows.writerows(_row(track) for track in tracks)
    return text.getvalue().encode()


def _row(track: ExportTrack) -> list[object]:
    """Cells of a track; empty for what is not known."""
    grid, key = track.grid, track.key
    section = grid.sections[0] if grid else None
    downbeat: object = ""
    if section is not None and section.beat is not None:
        downbeat = f"{section.begin + (1 - section.beat) % BAR * section.period:.{DECIMALS}f}"
    return [
        track.path,
        *(_safe(text) for text in (track.title_or_file, track.artist, track.album, track.genre)),
        track.year or "",
        track.track_number or "",
        f"{track.duration:.2f}" if track.duration else "",
        f"{track.bpm:.2f}" if track.bpm else "",
        *(("", "", "") if key is None else (str(key), key.camelot, key.open_key)),
        "" if track.confidence is None else f"{track.confidence:.2f}",
        "" if section is None else f"{section.begin:.{DECIMALS}f}",
        downbeat,
        str(grid) if grid else "",
        " ".join(f"{pace:g}" for pace in track.paces),
        _safe(track.comments),
    ]


def _safe(text: str) -> str:
    """A text as a cell that no spreadsheet takes for a formula."""
    text = plain(text)
    return f"'{text}" if text.startswith(_FORMULA) else text


def read(path: Path) -> Iterator[ImportedTrack]:
    """The tracks in a file."""
    from ..beatgrid import parse_grid

    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield ImportedTrack(
                row["path"],
                title=row["title"],
                artist=row["artist"],
                raw_bpm=row["bpm"] or None,
                raw_key=row["key"] or None,
                grid=parse_grid(row["grid"]),
            )
