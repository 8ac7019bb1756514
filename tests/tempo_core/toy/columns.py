"""What the toy task shows."""

from tempo_core.columns import Column

COLUMNS = (Column("brightness", float, "toy_brightness"),)
