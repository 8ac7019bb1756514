"""Output of estimates as text for people, as a table, or as JSON."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

import click

from .. import tasks
from ..columns import Column
from ..console import echo, encoding_of, escaped

if TYPE_CHECKING:
    from ..tasks.tempo.course import TempoPoint

# Columns and fields that are always written, in this order, because programs rely on them.
TABLE_COLUMNS = ("bpm", "confidence", "paces", "key", "key_confidence")
OBJECT_FIELDS = (
    "bpm", "confidence", "octave_confidence", "stability", "paces", "key", "key_confidence",
    "tempo_range",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Result for a file: the values of the tasks' columns, by name, or the message of an error.

    Either `values` or `error` is None. `curve` is the tempo of every window, if it was asked for.
    """

    path: str
    values: Mapping[str, Any] | None
    error: str | None
    curve: Sequence[TempoPoint] | None = None


class Writer(Protocol):
    """Interface of the output formats.

    `row` is called for each row as soon as it is ready, `end` once after the last row.
    """

    def row(self, row: Row) -> None: ...
    def end(self) -> None: ...


def shown_by(names: Sequence[str]) -> dict[str, Column]:
    """Columns of the tasks with the given names, by the names of the columns."""
    return {column.name: column for column in chain(*map(tasks.columns, names))}


class TextWriter:
    """Output for people: one line for each file, failures on stderr."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = columns

    def row(self, row: Row) -> None:
        if row.values is None:
            echo(f"{row.path}: {row.error}", err=True)
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
        echo(f"{row.path}: {' '.join(told)}")

    def end(self) -> None:
        pass


class TsvWriter:
    """Output as a tab-separated table: a header line, then a row for each file.

    All cells of a failed file but path and error are empty. Texts are escaped, see `escaped`.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = columns
        further = [name for name, c in columns.items() if c.in_table and name not in TABLE_COLUMNS]
        self._names = ("path", *TABLE_COLUMNS, *further, "error")
        self._writer = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
        self._writer.writerow(self._names)

    def row(self, row: Row) -> None:
        cells: dict[str, Any] = {"path": row.path, "error": row.error or ""}
        for name, value in (row.values or {}).items():
            if value is not None:
                cells[name] = self._columns[name].text(value)
        self._writer.writerow([self._cell(cells.get(name)) for name in self._names])
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
        self._names = (*OBJECT_FIELDS, *(name for name in columns if name not in OBJECT_FIELDS))
        self._first = True

    def row(self, row: Row) -> None:
        text = json.dumps({**self.plain(row), "error": row.error})
        click.echo(("[\n" if self._first else ",\n") + text, nl=False)
        self._first = False

    def plain(self, row: Row) -> dict[str, Any]:
        """The object of a file, without its error."""
        values = row.values or {}
        plain: dict[str, Any] = {"path": row.path}
        for name in self._names:
            value = values.get(name)
            plain[name] = None if value is None else self._columns[name].plain(value)
        return plain

    def end(self) -> None:
        click.echo("[]" if self._first else "\n]")


WRITERS: dict[str, type[TextWriter] | type[TsvWriter] | type[JsonWriter]] = {
    "text": TextWriter,
    "tsv": TsvWriter,
    "json": JsonWriter,
}
