"""The table of tasks: a line for each, and a folder of that name.

The folder has `columns.py`, which says what the task shows, and `row.py`, which says how it is
done. Both are imported when they are asked for: the first costs next to nothing.
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
}


def row(name: str) -> Task[Any, Any, Any, Any]:
    """The row of a task."""
    found: Task[Any, Any, Any, Any] = import_module(f"{TASKS[name]}.row").TASK
    return found


def columns(name: str) -> tuple[Column, ...]:
    """What a task shows."""
    found: tuple[Column, ...] = import_module(f"{TASKS[name]}.columns").COLUMNS
    return found
