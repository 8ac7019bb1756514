"""What the second toy task shows."""

from tempo_core.columns import Column

COLUMNS = (
    Column("brightness_for_tempo", float, "toy_for_tempo"),
    Column("speed", str, "toy_speed", in_table=False),
)
