"""Columns of the results of the beats task."""

from __future__ import annotations

from ...beatgrid import plain_sections
from ...columns import Column

# No fields: the grid in a library must agree with the tempo there, which may be somebody else's.
COLUMNS = (
    Column("beat_confidence", float, in_table=False, in_text=False),
    Column("first_beat", float, in_table=False),
    Column("downbeat", float, in_table=False),
    Column("downbeat_confidence", float, in_table=False, in_text=False),
    Column("grid", str, plain=plain_sections, text=str, in_table=False, in_text=False),
)
