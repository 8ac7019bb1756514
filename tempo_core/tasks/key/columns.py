"""What the key task shows."""

from __future__ import annotations

from ...columns import Column
from ...keys import Key


def text(key: Key | None) -> str | None:
    """The short form with sharps, as beets stores it; None where there is no key."""
    return None if key is None else str(key)


COLUMNS = (
    # What becomes of it in a library depends on what is there: see the plugin.
    Column("key", str, plain=text, text=text),
    Column("key_confidence", float, "tempo_key_confidence"),
)
