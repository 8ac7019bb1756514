"""Beat grids of items: read from their fields, and written to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tempo_core.beatgrid import DECIMALS, Grid, parse_grid, steady
from tempo_core.tempi import is_tempo

from .items import own, set_or_clear

if TYPE_CHECKING:
    from beets.library import Item

# A steady track has its anchor in the first two; `tempo_grid` is of a track whose tempo changes.
GRID_FIELDS = ("tempo_first_beat", "tempo_downbeat", "tempo_downbeat_confidence", "tempo_grid")


def grid_of(item: Item) -> Grid | None:
    """The beat grid of an item; None if it has none, or none that can be read."""
    grid = parse_grid(own(item, "tempo_grid") or "")
    if grid is not None:
        return grid
    bpm, first = own(item, "tempo_bpm"), own(item, "tempo_first_beat")
    if not (is_tempo(bpm) and _is_time(first)):
        return None
    downbeat = own(item, "tempo_downbeat")
    return steady(first, bpm, downbeat if _is_time(downbeat) else None)


def set_grid(item: Item, grid: Grid | None, downbeat_confidence: float | None = None) -> None:
    """Set the fields of the beat grid of an item, or remove them; does not store the item.

    The precise tempo of a steady grid belongs in `tempo_bpm`, which is not set here.

    Parameters
    ----------
    downbeat_confidence
        In 0..1, of a grid with bars.
    """
    anchored = grid if grid is not None and grid.is_steady else None
    set_or_clear(
        item, "tempo_first_beat", None if anchored is None else _rounded(anchored.first_beat)
    )
    set_or_clear(item, "tempo_downbeat", None if anchored is None else _rounded(anchored.downbeat))
    has_bars = grid is not None and any(section.beat for section in grid.sections)
    set_or_clear(item, "tempo_downbeat_confidence", downbeat_confidence if has_bars else None)
    changing = grid is not None and not grid.is_steady
    set_or_clear(item, "tempo_grid", str(grid) if changing else None)


def _rounded(time: float | None) -> float | None:
    return None if time is None else round(time, DECIMALS)


def _is_time(value: Any) -> bool:
    return isinstance(value, (int, float)) and 0 <= value < float("inf")
