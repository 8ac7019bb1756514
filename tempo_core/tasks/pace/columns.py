"""Columns of the results of the pace task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...columns import Column
from ...paces import Pace, format_paces


def plain(paces: Sequence[Pace]) -> list[dict[str, Any]]:
    """Paces as JSON objects: tempo [BPM] and probability of each."""
    return [{"bpm": pace.bpm, "probability": pace.probability} for pace in paces]


# No field: what the plugin stores depends on the paces that the owner of a library has stated.
COLUMNS = (Column("paces", str, plain=plain, text=format_paces),)
