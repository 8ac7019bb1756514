"""The columns of the results of the notes task."""

from __future__ import annotations

from ...columns import Column

COLUMNS = (Column("notes", int),)
