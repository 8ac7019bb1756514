"""What the pace task shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...columns import Column
from ...paces import Pace, format_paces


def plain(paces: Sequence[Pace]) -> list[dict[str, Any]]:
    """Tempi [BPM] with their probabilities."""
    return [{"bpm": pace.bpm, "probability": pace.probability} for pace in paces]


# What becomes of them in a library depends on what its owner says of them: see the plugin.
COLUMNS = (Column("paces", str, plain=plain, text=format_paces),)
