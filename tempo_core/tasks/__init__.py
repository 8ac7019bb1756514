"""The table of tasks: name and package of each.

A package has `columns.py` with the columns of its results, and `row.py` with the row of the task,
see `task.Task`. Both are imported on demand; `columns.py` alone costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..columns import Column
    from ..task import Task

TASKS = {
    "tempo": "tempo_core.tasks.tempo",
    "pace": "tempo_core.tasks.pace",
    "key": "tempo_core.tasks.key",
    "beats": "tempo_core.tasks.beats",
    "notes": "tempo_core.tasks.notes",
    "tags": "tempo_core.tasks.tags",
}


def row(name: str) -> Task[Any, Any, Any, Any]:
    """Row of the table for a task, by its name; KeyError if there is no such task."""
    found: Task[Any, Any, Any, Any] = import_module(f"{TASKS[name]}.row").TASK
    return found


def in_columns() -> list[str]:
    """Names of the tasks whose results are columns of a table; others have their own commands."""
    return [name for name in TASKS if columns(name)]


def columns(name: str) -> tuple[Column, ...]:
    """Columns of the results of a task, by its name; KeyError if there is no such task."""
    found: tuple[Column, ...] = import_module(f"{TASKS[name]}.columns").COLUMNS
    return found
