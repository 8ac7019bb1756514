"""Columns of the results of the second toy task."""

from tempo_core.columns import Column

COLUMNS = (
    Column("brightness_for_tempo", float, "toy_for_tempo"),
    Column("speed", str, "toy_speed", in_table=False),
)
