"""Beat grids of items: read from their fields, and written to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tempo_core.beatgrid import DECIMALS, Grid, counted, parse_grid, retimed, steady
from tempo_core.levels import OF_ONE_PULSE, RELATIVES, level_of
from tempo_core.tempi import is_tempo

from .items import own, set_or_clear

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beets.library import Item

# A steady track has its anchor in the first two; `tempo_grid` is of a track whose tempo changes.
GRID_FIELDS = ("tempo_first_beat", "tempo_downbeat", "tempo_downbeat_confidence", "tempo_grid")

BEATS_ASKED = "tempo_beat_confidence"  # there if the analysis was asked for the beats
# One of these is there if nothing is to be found out about the beats: somebody else may have set a
# grid, or the analysis was asked.
BEATS_FIELDS = (BEATS_ASKED, "tempo_first_beat", "tempo_grid")
# Relative difference of two tempi of one pulse up to which the beats of one are those of the other;
# more than this moves them by a third of a second in five minutes.
SAME_BEATS = 0.001


def has_beats(item: Item) -> bool:
    """Whether nothing is to be found out about the beats of an item, see `BEATS_FIELDS`."""
    return any(own(item, field) is not None for field in BEATS_FIELDS)


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


def recount_grid(item: Item, ratio: float) -> None:
    """Count the beat grid of an item otherwise, before `tempo_bpm` changes; does not store it.

    Parameters
    ----------
    ratio
        New tempo divided by the old one. If it is another pulse, the grid goes.
    """
    grid = grid_of(item)
    confidence = own(item, "tempo_downbeat_confidence")
    level = level_of(ratio, RELATIVES)
    if confidence is not None and level is not None:
        # Of two bars that become one, either may be its beginning.
        confidence *= min(1.0, level)
    set_grid(item, None if grid is None else counted(grid, ratio), confidence)


def set_tempo(item: Item, bpm: float) -> None:
    """Set `tempo_bpm` [BPM]; the beat grid of an item that has one is then counted in it."""
    before = own(item, "tempo_bpm")
    if is_tempo(before) and level_of(bpm / before, RELATIVES) != 1:
        recount_grid(item, bpm / before)
    item.tempo_bpm = bpm


def others_grid(item: Item) -> Grid | None:
    """The grid of an item that is not of the analysis, such as an imported one; None if none is."""
    return grid_of(item) if own(item, BEATS_ASKED) is None else None


def set_others_grid(item: Item, grid: Grid) -> None:
    """Set a grid that is not of the analysis, which then keeps it; does not store the item."""
    set_grid(item, grid)
    set_or_clear(item, BEATS_ASKED, None)
    if grid.is_steady and round(own(item, "tempo_bpm") or 0, 2) != round(grid.sections[0].bpm, 2):
        # Of this grid the tempo is another than that of the analysis, if only by decimals
        item["tempo_grid"] = str(grid)


def apply_beats(item: Item, columns: Mapping[str, Any]) -> None:
    """Set the fields that follow from the beats that were estimated; does not store the item.

    The grid is counted as the tempo in `tempo_bpm` is, which may be somebody else's.

    Parameters
    ----------
    columns
        Values of the columns that were estimated, by name. Without the beats nothing changes.
    """
    if "grid" not in columns:
        return
    item[BEATS_ASKED] = columns["beat_confidence"]
    grid, tempo = columns["grid"], own(item, "tempo_bpm")
    if grid is not None:
        middle = (item.length or 0.0) / 2
        grid = fitted(grid, tempo / columns["bpm"], middle) if is_tempo(tempo) else None
    set_grid(item, grid, columns["downbeat_confidence"])


def fitted(grid: Grid, ratio: float, middle: float) -> Grid | None:
    """A grid for another tempo of the same beats; None if it is another pulse.

    Parameters
    ----------
    ratio
        That tempo, divided by the one that the grid was made for.
    middle
        Time [s] around which the beats are to stay where they are.
    """
    level = level_of(ratio, OF_ONE_PULSE)
    if level is None or abs(ratio / level - 1) > SAME_BEATS:
        return None
    found = counted(grid, level)
    if found is None or not found.is_steady:
        return found
    return retimed(found, round(grid.sections[0].bpm * ratio, 2), middle)


def _rounded(time: float | None) -> float | None:
    return None if time is None else round(time, DECIMALS)


def _is_time(value: Any) -> bool:
    return isinstance(value, (int, float)) and 0 <= value < float("inf")
