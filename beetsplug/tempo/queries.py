"""The `pace:` query: tracks that one can move to at a given pace, answered by the database.

beets normally matches a flexible attribute in Python, object by object, which takes seconds in a
large library. Here SQLite itself unpacks the candidates in `tempo_paces`. beets uses the condition
in two statements: the one that selects tracks and the one that loads their flexible attributes.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

from beets.dbcore.query import InvalidQueryArgumentValueError, NumericQuery

from tempo_core.paces import OFFERED
from tempo_core.tempi import FASTEST_TEMPO, SLOWEST_TEMPO

from .stated import STATED_FIELDS, STATED_LIMITS, paces_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from beets.library import Album, Item

_COMPARE = {">=": operator.ge, "<": operator.lt, "<=": operator.le}  # by the operator in SQL

# `tempi.is_tempo` as a condition in SQL.
HAS_BPM = f"items.bpm BETWEEN {SLOWEST_TEMPO:g} AND {FASTEST_TEMPO:g}"

# Stated paces such as "87 174" (`stated.read`) as a JSON array, [87,174]. A text of another form
# counts as no paces and must not raise an SQL error, so it is checked before it is parsed.
_ARRAY = "'[' || replace(attribute.value, ' ', ',') || ']'"
_IS_STATED = (
    # JSON allows numbers such as 1e2, which stated paces may not have.
    f"attribute.value NOT GLOB '*[^0-9. ]*' AND CASE WHEN NOT json_valid({_ARRAY}) THEN 0 "
    f"ELSE json_array_length({_ARRAY}) > 0 AND NOT EXISTS (SELECT 1 FROM json_each({_ARRAY}) "
    "WHERE type NOT IN ('integer', 'real') "
    f"OR value NOT BETWEEN {STATED_LIMITS[0]} AND {STATED_LIMITS[1]}) END"
)
# Estimated paces such as "128:0.97 64:0.71" (`stated.read_estimate`) as a JSON object,
# {"128":0.97,"64":0.71}.
_OBJECT = """'{"' || replace(replace(attribute.value, ':', '":'), ' ', ',"') || '}'"""
_IS_ESTIMATED = (
    "attribute.value GLOB '*:*' AND attribute.value NOT GLOB '*[^0-9.: ]*' "
    f"AND json_valid({_OBJECT})"
)
_ROWS = (
    f", json_each(CASE WHEN {_IS_ESTIMATED} THEN {_OBJECT} WHEN {_IS_STATED} THEN {_ARRAY} "
    "ELSE '[]' END) AS pace"
)
# The tempo in a row of `json_each`: the value in an array, the key in an object.
_PACE_TEMPO = "CASE typeof(pace.key) WHEN 'integer' THEN pace.value ELSE CAST(pace.key AS REAL) END"


def _ids(field: str, rows: str = "", where: str = "1") -> str:
    """SQL for the ids of items with a flexible field whose rows satisfy a condition."""
    return (
        f"SELECT attribute.entity_id FROM item_attributes AS attribute{rows} "
        f"WHERE attribute.key = '{field}' AND {where}"
    )


def _probability(text: str) -> float:
    """The probability, 0 to 1, in the part of a pattern after the `@`.

    Raises
    ------
    InvalidQueryArgumentValueError
        If it is not a number from 0 to 1.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise InvalidQueryArgumentValueError(text, "a probability from 0 to 1")
    return value


class PaceQuery(NumericQuery):
    """`pace:170`, `pace:170..180`, `pace:..90@0.5`: items that can be moved to at these tempi.

    An item whose paces a person stated matches with those only (see `stated.py`). Any other matches
    with its `bpm`, or with a candidate in `tempo_paces` that is probable enough: as probable as the
    number behind the `@` says, or `paces.OFFERED`. An item that was never analysed matches with its
    `bpm`, and with half and double of it unless the pattern asks for a probability above
    `paces.OFFERED`. A whole number stands for all values that round to it, as in a query of `bpm`:
    169.98 is within `170..180`. A number with a decimal point is taken exactly.

    Raises
    ------
    InvalidQueryArgumentValueError
        If the pattern has another form, a tempo is not finite, or a probability not from 0 to 1.
    """

    def __init__(self, field_name: str, pattern: str, fast: bool = True) -> None:
        tempi, asks, probability = pattern.partition("@")
        super().__init__(field_name, tempi, fast)
        self.pattern = pattern
        for tempo in (self.point, self.rangemin, self.rangemax):
            if tempo is not None and not math.isfinite(tempo):
                raise InvalidQueryArgumentValueError(tempi, "a tempo or a range of tempi")
        self._least = _probability(probability) if asks else None
        low, high = self.rangemin, self.rangemax
        if self.point is not None:
            low = high = self.point
        self.limits: list[tuple[str, float]] = []
        if low is not None:
            self.limits.append((">=", low - 0.5 if isinstance(low, int) else low))
        if high is not None:
            self.limits.append(("<", high + 0.5) if isinstance(high, int) else ("<=", high))

    def clause(self) -> tuple[str, Sequence[Any]]:
        # beets has no SQL for a field that is not a column. `pace` is none, but the condition that
        # col_clause() returns does not need one.
        return self.col_clause()

    def col_clause(self) -> tuple[str, Sequence[Any]]:
        least = self.least
        bounds = [bound for _, bound in self.limits]

        def within(value: str) -> str:
            return " AND ".join([f"{value} > 0", *(f"{value} {sign} ?" for sign, _ in self.limits)])

        bpm = f"CASE WHEN {HAS_BPM} THEN items.bpm ELSE 0 END"
        likely = f"pace.value >= {least} AND {within(_PACE_TEMPO)}"
        manual, estimated = STATED_FIELDS
        changed = _ids(estimated, where=f"attribute.entity_id = items.id AND {_IS_STATED}")
        found = (
            f"({within(bpm)} AND NOT EXISTS ({changed})) "
            f"OR items.id IN ({_ids(estimated, _ROWS, likely)}) "
            f"OR ({least} <= {OFFERED} AND ({within(f'{bpm} * 0.5')} OR {within(f'{bpm} * 2')})"
            f" AND items.id NOT IN ({_ids(estimated)}))"
        )
        clause = (
            f"(({found}) AND items.id NOT IN ({_ids(manual, where=_IS_STATED)})) "
            f"OR items.id IN ({_ids(manual, _ROWS, f'{_IS_STATED} AND {within(_PACE_TEMPO)}')})"
        )
        return clause, bounds * 5  # the clause contains the text of within() five times

    def match(self, obj: Any) -> bool:
        return self._match_item(obj)

    @property
    def least(self) -> float:
        """Probability that a pace must have to count, 0 to 1."""
        return OFFERED if self._least is None else self._least

    def within(self, paces: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
        """Those of some paces, (tempo [BPM], probability), whose tempo is in the range."""
        return [
            pace
            for pace in paces
            if all(_COMPARE[sign](pace[0], bound) for sign, bound in self.limits)
        ]

    def _match_item(self, item: Item) -> bool:
        return bool(self.within(paces_of(item, self.least)))


class AlbumPaceQuery(PaceQuery):
    """`beet ls -a pace:170..180`: albums with at least one track that `PaceQuery` matches."""

    def col_clause(self) -> tuple[str, Sequence[Any]]:
        clause, values = super().col_clause()
        return f"albums.id IN (SELECT items.album_id FROM items WHERE {clause})", values

    def match(self, obj: Any) -> bool:
        album: Album = obj
        return any(self._match_item(item) for item in album.items())
