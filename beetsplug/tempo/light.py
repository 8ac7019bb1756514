"""Light reading of tracks: items with the few fields that a choice or an order needs.

Loading a track whole takes several times as long and as much memory, and of thousands few are
shown. An item that was read so has no other fields: it is not shown, and never stored but for
fields that it has.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from beets.library import Item

from .keeping import patiently

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from beets.dbcore import types
    from beets.library import Library

AT_ONCE = 2000  # tracks in one query


@dataclass(frozen=True)
class Fields:
    """Which fields are read, beside the id.

    Attributes
    ----------
    columns
        Columns of the table of items, or expressions of SQL with the name of one.
    flexible
        Names of flexible fields.
    """

    columns: tuple[str, ...]
    flexible: tuple[str, ...] = ()


# What `moving.tempo_of` and `stated.paces_of` look at.
OF_TEMPO = Fields(("bpm",), ("tempo_bpm", "tempo_marker", "tempo_paces", "tempo_paces_manual"))


class LightItem(Item):
    """An item with some of its fields, and none that are computed, which beets looks for first."""

    @classmethod
    def _getters(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def _type(cls, key: str) -> types.Type:
        return Item._type(key)  # beets keeps the types of plugins by the name of the class


def light_items(lib: Library, ids: Iterable[int], fields: Fields) -> Iterator[Item]:
    """The tracks with some ids that still exist, in this order, with some fields only."""
    remaining = iter(ids)
    columns = ", ".join(("id", *fields.columns))
    marks = ", ".join("?" * len(fields.flexible))
    while batch := list(islice(remaining, AT_ONCE)):
        among = json.dumps(batch)

        def read(among: str = among) -> tuple[list[Any], list[Any]]:
            with lib.transaction() as transaction:
                rows = transaction.query(
                    f"SELECT {columns} FROM items WHERE id IN (SELECT value FROM json_each(?))",
                    (among,),
                )
                flexible = transaction.query(
                    "SELECT entity_id, key, value FROM item_attributes "
                    f"WHERE entity_id IN (SELECT value FROM json_each(?)) AND key IN ({marks})",
                    (among, *fields.flexible),
                )
                return rows, flexible

        rows, flexible = patiently(read)
        values: defaultdict[int, dict[str, str]] = defaultdict(dict)
        for id_, field, value in flexible:
            values[id_][field] = value
        found = {row["id"]: row for row in rows}
        for id_ in batch:
            if row := found.get(id_):
                yield LightItem(lib, fixed_values=dict(row), flex_values=values[id_])
