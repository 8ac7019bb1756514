"""The `pace:` query: everything one can move to at a given rate, answered by the database.

A flexible attribute is normally matched in Python, object by object, which takes seconds on a large
library. Here the candidates in `tempo_paces` are unpacked by SQLite itself.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from beets.dbcore.query import NumericQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beets.library import Album, Item

_COMPARE = {">=": operator.ge, "<": operator.lt, "<=": operator.le}

# "128:0.97 64:0.71" read as {"128":0.97,"64":0.71}: rows of a pace (key) and its probability
# (value). Whatever does not look like that, say after a `beet modify`, is no candidates instead of
# an SQL error.
_JSON = """'{"' || replace(replace(attribute.value, ':', '":'), ' ', ',"') || '}'"""
_PACES = f"json_each(CASE WHEN json_valid({_JSON}) THEN {_JSON} ELSE '{{}}' END) AS pace"
_ATTRIBUTE = (
    "FROM item_attributes AS attribute{more} "
    "WHERE attribute.entity_id = items.id AND attribute.key = 'tempo_paces'"
)


class PaceQuery(NumericQuery):
    """`pace:170`, `pace:170..180`, `pace:..90`: items that can be moved to at these tempi.

    An item matches with its `bpm`, or with a candidate in `tempo_paces` that is at least as likely
    compatible as not. An item that was never analysed matches with its `bpm`, half and double of
    it. A whole number means what it does for `bpm`, the values that round to it: 169.98 is within
    `170..180`. A number with a decimal point is taken exactly.
    """

    def __init__(self, field_name: str, pattern: str, fast: bool = True) -> None:
        super().__init__(field_name, pattern, fast)
        low, high = self.rangemin, self.rangemax
        if self.point is not None:
            low = high = self.point
        self.limits: list[tuple[str, float]] = []
        if low is not None:
            self.limits.append((">=", low - 0.5 if isinstance(low, int) else low))
        if high is not None:
            self.limits.append(("<", high + 0.5) if isinstance(high, int) else ("<=", high))

    def clause(self) -> tuple[str, Sequence[Any]]:
        # `pace` is no column, so beets asks for the slow path; col_clause() needs no column.
        return self.col_clause()

    def col_clause(self) -> tuple[str, Sequence[Any]]:
        from tempo_core.paces import COMPATIBLE

        bounds = [bound for _, bound in self.limits]

        def within(value: str) -> str:
            return " AND ".join([f"{value} > 0", *(f"{value} {sign} ?" for sign, _ in self.limits)])

        bpm = "ifnull(items.bpm, 0)"
        candidates = _ATTRIBUTE.format(more=f", {_PACES}")
        clause = (
            f"({within(bpm)}) "
            f"OR EXISTS (SELECT 1 {candidates}"
            f" AND pace.value >= {COMPATIBLE} AND {within('CAST(pace.key AS REAL)')}) "
            f"OR (({within(f'{bpm} * 0.5')} OR {within(f'{bpm} * 2')})"
            f" AND NOT EXISTS (SELECT 1 {_ATTRIBUTE.format(more='')}))"
        )
        return clause, bounds * 4  # one set for each within()

    def match(self, obj: Any) -> bool:
        return self._match_item(obj)

    def _match_item(self, item: Item) -> bool:
        bpm = item.get("bpm") or 0
        text = item.get("tempo_paces", with_album=False)
        others = [bpm * 0.5, bpm * 2] if text is None else _compatible(text)
        return any(
            tempo > 0 and all(_COMPARE[sign](tempo, bound) for sign, bound in self.limits)
            for tempo in (bpm, *others)
        )


class AlbumPaceQuery(PaceQuery):
    """`beet ls -a pace:170..180`: albums with at least one such track."""

    def col_clause(self) -> tuple[str, Sequence[Any]]:
        clause, values = super().col_clause()
        return f"albums.id IN (SELECT items.album_id FROM items WHERE {clause})", values

    def match(self, obj: Any) -> bool:
        album: Album = obj
        return any(self._match_item(item) for item in album.items())


def _compatible(text: str) -> list[float]:
    from tempo_core.paces import COMPATIBLE, parse_paces

    try:
        return [pace.bpm for pace in parse_paces(text) if pace.probability >= COMPATIBLE]
    except ValueError:
        return []
