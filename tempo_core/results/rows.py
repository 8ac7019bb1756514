"""Rows: what was found out about a track, as values by the names of the tasks' columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from .. import tasks
from ..columns import Column

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
    """Result for a file: the values of the tasks' columns, by name, and the message of an error.

    One of `values` and `error` may be None; there are both where some of the tasks failed. `curve`
    is the tempo of every window, if it was asked for.
    """

    path: str
    values: Mapping[str, Any] | None
    error: str | None
    curve: Sequence[TempoPoint] | None = None


def shown_by(names: Sequence[str]) -> dict[str, Column]:
    """Columns of the tasks with the given names, by the names of the columns."""
    return {column.name: column for column in chain(*map(tasks.columns, names))}


def table_names(columns: Mapping[str, Column]) -> tuple[str, ...]:
    """Names of the columns of a table, `path` first and `error` last."""
    further = [name for name, c in columns.items() if c.in_table and name not in TABLE_COLUMNS]
    return ("path", *TABLE_COLUMNS, *further, "error")


def cells(row: Row, columns: Mapping[str, Column]) -> dict[str, Any]:
    """Content of the cells of a row, by the names of the columns: numbers and texts.

    What is missing is left out; `error` is empty if there is none.
    """
    found: dict[str, Any] = {"path": row.path, "error": row.error or ""}
    for name, value in (row.values or {}).items():
        if value is not None:
            found[name] = columns[name].text(value)
    return found


def plain(row: Row, columns: Mapping[str, Column]) -> dict[str, Any]:
    """The object of a row without its error: plain values as in JSON, None for what is missing."""
    values = row.values or {}
    found: dict[str, Any] = {"path": row.path}
    for name in (*OBJECT_FIELDS, *(name for name in columns if name not in OBJECT_FIELDS)):
        value = values.get(name)
        found[name] = None if value is None else columns[name].plain(value)
    return found
