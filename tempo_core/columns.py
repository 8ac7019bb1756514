"""Columns of the results of tasks: in tables, JSON objects and the fields of libraries.

Neither this module nor the `columns.py` of a task may import NumPy: beets reads the fields at every
start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def as_is(value: Any) -> Any:
    """The value unchanged: `plain` and `text` of columns with plain values."""
    return value


@dataclass(frozen=True)
class Column:
    """One column of the results of a task.

    Parameters
    ----------
    name
        Name in tables and JSON objects.
    kind
        Type of the value in a table or a library.
    field
        Name of the flexible field in a beets library; None if the plugin has its own rules for
        storing the value.
    plain
        Value → numbers, text, lists and objects, as in JSON.
    text
        Value → content of a cell or a field.
    in_table, in_text
        Whether tables and lines for people have the column; JSON objects have every column.
    """

    name: str
    kind: type[float] | type[int] | type[str]
    field: str | None = None
    plain: Callable[[Any], Any] = as_is
    text: Callable[[Any], Any] = as_is
    in_table: bool = True
    in_text: bool = True
