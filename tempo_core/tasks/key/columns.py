"""What the key task shows."""

from __future__ import annotations

from ...columns import Column

COLUMNS = (
    # The short form with sharps, as beets stores it; what becomes of it in a library depends on
    # what is there: see the plugin.
    Column("key", str),
    Column("key_confidence", float, "tempo_key_confidence"),
)
