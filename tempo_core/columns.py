"""What tasks show to people and programs: columns of tables, fields of JSON objects and libraries.

Nothing here, and in the `columns.py` of a task, needs NumPy: beets asks for the fields at every
start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def as_is(value: Any) -> Any:
    """For values that are plain already."""
    return value


@dataclass(frozen=True)
class Column:
    """One of them.

    Parameters
    ----------
    name
        In tables and objects.
    kind
        Of the value in a table or a library.
    field
        The flexible field of an item in a beets library; None where the plugin has rules of its
        own for what becomes of the value.
    plain
        The value as numbers, text, lists and objects, as JSON has it.
    text
        The value in a table's cell or a library's field.
    in_table
        Whether tables have it, too.
    """

    name: str
    kind: type[float] | type[int] | type[str]
    field: str | None = None
    plain: Callable[[Any], Any] = as_is
    text: Callable[[Any], Any] = as_is
    in_table: bool = True
