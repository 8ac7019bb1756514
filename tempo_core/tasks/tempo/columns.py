"""What the tempo task shows."""

from ...columns import Column

COLUMNS = (
    # What becomes of it in a library depends on what is there: see the plugin.
    Column("bpm", float),
    Column("confidence", float, "tempo_confidence"),
    Column("stability", float, "tempo_stability", in_table=False),
)
