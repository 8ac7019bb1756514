"""Beat grids from the collection of a DJ program, for tracks that have none of their own."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tempo_core.beatgrid import within
from tempo_core.clock import Player, read_clock, shifted
from tempo_core.errors import AudioError
from tempo_core.labels.collections import PLAYERS, Collection, open_collection, program_of
from tempo_core.labels.declaration import IMPORT
from tempo_core.labels.record import LabelVerdict

from .grids import grid_of, set_others_grid

if TYPE_CHECKING:
    from beets.library import Item

    from tempo_core.labels.lookup import LookedUp
    from tempo_core.labels.options import LabelOptions

_RIGHT = (LabelVerdict.AGREE, LabelVerdict.NO_ESTIMATE)


@dataclass(frozen=True)
class ImportedGrids:
    """The grids of a collection.

    Attributes
    ----------
    collection
        Tracks by path and by name.
    player
        The program whose clock their times are in.
    """

    collection: Collection
    player: Player

    @classmethod
    def of(cls, options: LabelOptions) -> ImportedGrids | None:
        """The grids of the file that is imported; None if there is none, or it has no grids."""
        path = options.values.get(IMPORT.name)
        program = program_of(path) if path else None
        if path is None or program is None:
            return None
        return cls(open_collection(path, program), PLAYERS[program])

    def apply(self, item: Item, labelled: LookedUp) -> bool:
        """Set the grid of an item that has none; does not store it. Returns whether it was set.

        A grid is taken only with a tempo that the audio does not contradict.
        """
        if grid_of(item) is not None or not any(
            record.source == self.collection.program and record.verdict in _RIGHT and record.bpm
            for record in labelled.records
        ):
            return False
        path = os.fsdecode(item.path)
        found = self.collection.find(path, item.title, item.artist)
        if found is None or found.grid is None:
            return False
        try:
            offset = read_clock(path).offset(self.player)
        except AudioError:
            return False  # of a file that is not there, nobody knows when it begins
        grid = within(shifted(found.grid, -offset), item.length or math.inf)
        if grid is None:
            return False  # of another file, or nonsense
        set_others_grid(item, grid)
        return True
