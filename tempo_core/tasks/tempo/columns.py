"""Columns of the results of the tempo task."""

from ...columns import Column

COLUMNS = (
    # No field: what the plugin stores as `bpm` depends on the tempo that is there already.
    Column("bpm", float),
    Column("confidence", float, "tempo_confidence"),
    Column("stability", float, "tempo_stability", in_table=False),
)
