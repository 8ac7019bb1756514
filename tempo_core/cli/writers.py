"""Output of estimates as text for people, as a table, or as JSON."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping
from typing import Any, Protocol

import click

from ..addresses import without_query
from ..columns import Column
from ..console import echo, encoding_of, escaped
from ..results.rows import Row, cells, plain, table_names


class Writer(Protocol):
    """Interface of the output formats.

    `row` is called for each row as soon as it is ready, `end` once after the last row.
    """

    def row(self, row: Row) -> None: ...
    def end(self) -> None: ...


class TextWriter:
    """Output for people: one line for each file with results, failures on stderr."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = columns

    def row(self, row: Row) -> None:
        if row.error is not None:
            echo(f"{without_query(row.path)}: {row.error}", err=True)
        if row.values is None:
            return
        values, told = dict(row.values), []
        if "bpm" in values:
            known = f"confidence {values.pop('confidence'):.2f}"
            octave = values.pop("octave_confidence", None)
            if octave is not None:
                known += f", octave {octave:.2f}"
            stability = values.pop("stability", None)
            if stability is not None:
                known += f", stability {stability:.2f}"
            told.append(f"{values.pop('bpm'):.2f} BPM ({known})")
        for name, value in values.items():
            if value is not None and self._columns[name].in_text:
                text = self._columns[name].text(value)
                told.append(f"{name} {text:g}" if isinstance(text, float) else f"{name} {text}")
        echo(f"{without_query(row.path)}: {' '.join(told)}")

    def end(self) -> None:
        pass


class TsvWriter:
    """Output as a tab-separated table: a header line, then a row for each file.

    The cells of tasks that failed are empty, and `error` says why. Texts are escaped, see
    `escaped`.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = columns
        self._names = table_names(columns)
        self._writer = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
        self._writer.writerow(self._names)

    def row(self, row: Row) -> None:
        found = cells(row, self._columns)
        self._writer.writerow([self._cell(found.get(name)) for name in self._names])
        sys.stdout.flush()

    def end(self) -> None:
        pass

    @staticmethod
    def _cell(value: Any) -> Any:
        if isinstance(value, str):
            return escaped(value, encoding_of(sys.stdout))
        return "" if value is None else value


class JsonWriter:
    """Output as a JSON array with an object for each file, printed as soon as it is ready.

    Missing values are null.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = columns
        self._first = True

    def row(self, row: Row) -> None:
        text = json.dumps({**self.plain(row), "error": row.error})
        click.echo(("[\n" if self._first else ",\n") + text, nl=False)
        self._first = False

    def plain(self, row: Row) -> dict[str, Any]:
        """The object of a file, without its error."""
        return plain(row, self._columns)

    def end(self) -> None:
        click.echo("[]" if self._first else "\n]")


WRITERS: dict[str, type[TextWriter] | type[TsvWriter] | type[JsonWriter]] = {
    "text": TextWriter,
    "tsv": TsvWriter,
    "json": JsonWriter,
}
