"""Columns of the results of the toy task."""

from tempo_core.columns import Column

COLUMNS = (Column("brightness", float, "toy_brightness"),)
