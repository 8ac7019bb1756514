"""Output of tempi over time, beside the estimates or as a table of their own."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from typing import Any

from ..addresses import without_query
from ..columns import Column
from ..console import echo, encoding_of, escaped
from ..results.rows import Row
from .writers import JsonWriter, TextWriter

CURVE_COLUMNS = ("path", "start", "bpm", "confidence")


class CurveTextWriter(TextWriter):
    """Output for people: the line of each file, and a line for each of its windows."""

    def row(self, row: Row) -> None:
        super().row(row)
        for point in row.curve or ():
            minutes, seconds = divmod(round(point.start), 60)
            tempo = "-" if point.bpm is None else f"{point.bpm:.2f}"
            echo(f"{minutes:4d}:{seconds:02d} {tempo:>7}  {point.confidence:.2f}")


class CurveTsvWriter:
    """Output as a tab-separated table: a header line, then a row for each window of each file.

    Where there is no clear pulse the tempo is empty. Failures are on stderr.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._writer = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
        self._writer.writerow(CURVE_COLUMNS)

    def row(self, row: Row) -> None:
        if row.error is not None:
            echo(f"{without_query(row.path)}: {row.error}", err=True)
        path = escaped(row.path, encoding_of(sys.stdout))
        for point in row.curve or ():
            tempo = "" if point.bpm is None else f"{point.bpm:.2f}"
            self._writer.writerow([path, f"{point.start:.2f}", tempo, f"{point.confidence:.4f}"])
        sys.stdout.flush()

    def end(self) -> None:
        pass


class CurveJsonWriter(JsonWriter):
    """Output as a JSON array with an object for each file, in which `curve` is a list of windows.

    Each window is an object with `start`, `bpm` (null without a clear pulse) and `confidence`;
    `curve` of a file that failed is null.
    """

    def plain(self, row: Row) -> dict[str, Any]:
        """See `JsonWriter`."""
        points = None if row.curve is None else [vars(point) for point in row.curve]
        return {**super().plain(row), "curve": points}


CURVE_WRITERS: dict[str, type[CurveTextWriter] | type[CurveTsvWriter] | type[CurveJsonWriter]] = {
    "text": CurveTextWriter,
    "tsv": CurveTsvWriter,
    "json": CurveJsonWriter,
}
