"""Which tracks need work, asked of the database: a hundred thousand tracks are a lot of memory."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from beets import dbcore
from beets.dbcore.query import InQuery, InvalidQueryArgumentValueError
from beets.dbcore.sort import NullSort
from beets.library import Album, Item, parse_query_parts

from tempo_core.levels import COUNTED_ELSE, TOLERANCE
from tempo_core.paces import parse_paces
from tempo_core.tempi import parse_marker

from .applying import precise_pace, set_pace_fields
from .file_keys import SEEN
from .keeping import FAILURE, PENDING, atomically, patiently, store
from .marking import FIELD as MARKER
from .origin import MANUAL, TAG, Decision, bpm_of, origin, own
from .queries import HAS_BPM
from .stated import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from beets.library import Library

    from tempo_core.paces import Pace

BATCH = 500  # tracks in memory at a time


def _value(field: str) -> str:
    """SQL for a flexible field of a track, NULL where it is not set."""
    return (
        "(SELECT value FROM item_attributes "
        f"WHERE entity_id = items.id AND key = '{field}' AND value != '')"
    )


def _rounded(field: str) -> str:
    """SQL for the whole number that a tempo in a flexible field stands for, halves rounded up."""
    return f"CAST(CAST({_value(field)} AS REAL) + 0.5 AS INTEGER)"


_UNSURE = f"ifnull({_value('tempo_verdict')}, '') = '{Decision.UNSURE.word}'"
# The same as `is_done`.
DONE = (
    f"{_value('tempo_source')} IS NOT NULL AND CAST({_value('tempo_bpm')} AS REAL) != 0 "
    f"AND ({HAS_BPM} OR {_UNSURE})"
)
TO_ANALYSE = f"NOT ifnull({DONE}, 0)"
# What has no tempo any more needs an analysis, and is written after that.
TO_FINISH = f"{_value(PENDING)} IS NOT NULL AND ({HAS_BPM} OR {_value(PENDING)} LIKE '%key%')"
# Of what is analysed: where the key in the file was not read, or `initial_key` is another since.
UNREAD = (
    f"{DONE} AND ifnull({_value(SEEN)}, '') NOT LIKE "
    "ifnull(nullif(items.initial_key, ''), '-') || ' %'"
)
FAILED = f"{_value(FAILURE)} IS NOT NULL"
# Where a person may have said something about paces.
STATED = f"({_value(FIELDS[0])} IS NOT NULL OR {_value(FIELDS[1])} NOT LIKE '%:%') AND {DONE}"
# Where `tempo_source` may say something else than `origin`: few tracks, which Python looks at.
_DOUBTFUL = (
    f"{HAS_BPM} AND CASE "
    f"WHEN source.value = '{MANUAL}' THEN items.bpm = {_rounded(MARKER)} "
    f"AND {_value('tempo_verdict')} IN ('{Decision.KEPT.word}', '{Decision.CONFLICT.word}') "
    "WHEN source.value LIKE 'model:%' THEN "
    f"ifnull(items.bpm != {_rounded('tempo_bpm')}, 1) OR {_UNSURE} "
    f"WHEN source.value LIKE 'label:%' THEN ifnull(items.bpm != {_rounded('tempo_label_bpm')}, 1) "
    f"ELSE items.bpm = {_rounded(MARKER)} OR (items.bpm = {_rounded('tempo_bpm')} "
    f"AND {_value('tempo_verdict')} = '{Decision.SET.word}') END"
)
UNSETTLED = (
    "SELECT items.id FROM item_attributes AS source JOIN items ON items.id = source.entity_id "
    f"WHERE source.key = 'tempo_source' AND source.value != '' AND {_DOUBTFUL}"
)
# Where somebody's tempo may be another one than the verdict is about.
_AGREES = " OR ".join(
    f"abs({_value('tempo_bpm')} * {ratio} - items.bpm) <= {TOLERANCE} * items.bpm"
    for ratio in (1.0, *COUNTED_ELSE)
)
OUTDATED = (
    "SELECT items.id FROM item_attributes AS source JOIN items ON items.id = source.entity_id "
    f"WHERE source.key = 'tempo_source' AND source.value IN ('{TAG}', '{MANUAL}') AND {HAS_BPM} "
    f"AND CASE {_value('tempo_verdict')} WHEN '{Decision.KEPT.word}' THEN "
    f"abs({_value('tempo_bpm')} - items.bpm) > {TOLERANCE} * items.bpm "
    f"WHEN '{Decision.CONFLICT.word}' THEN {_AGREES} END"
)
# What was analysed before there were verdicts. `tempo_bpm` is close to somebody's tempo where the
# analysis agreed with it.
_WITHOUT_VERDICT = f"items WHERE {HAS_BPM} AND {DONE} AND {_value('tempo_verdict')} IS NULL"
_GIVE_VERDICT = (
    "INSERT INTO item_attributes (entity_id, key, value) SELECT items.id, 'tempo_verdict', CASE "
    f"WHEN {_value('tempo_source')} LIKE 'model:%' THEN '{Decision.SET.word}' "
    f"WHEN abs({_value('tempo_bpm')} - items.bpm) <= {TOLERANCE} * items.bpm "
    f"THEN '{Decision.KEPT.word}' ELSE '{Decision.CONFLICT.word}' END "
    f"FROM {_WITHOUT_VERDICT}"
)


def settle(lib: Library) -> None:
    """Let `tempo_source` say whose each `bpm` is, where that has changed outside of the plugin.

    A value that somebody corrected becomes `manual`, and one of the plugin's own whose record was
    changed gets its source back. A missing record stays missing: removing it asks for an analysis.
    Of somebody's value that is another one since, the verdict is found anew.
    """
    for item in items_of(lib, _ask(lib, UNSETTLED)):
        if settled(item):
            store(item)
    for item in items_of(lib, _ask(lib, OUTDATED)):
        if judged(item):
            store(item)
    if _ask(lib, f"SELECT 1 FROM {_WITHOUT_VERDICT} LIMIT 1"):
        atomically(lib, lambda: lib._connection().execute(_GIVE_VERDICT))


def settled(item: Item) -> bool:
    """Set `tempo_source` by what the item's `bpm` is, and what follows; whether that changed it."""
    source = own(item, "tempo_source")
    said = origin(item)
    if not source or not said or said == source:
        return False
    item.tempo_source = said
    if said in (MANUAL, TAG) and own(item, "tempo_bpm"):
        judged(item)
    marker = parse_marker(own(item, MARKER))
    if said.startswith("model:") and marker is not None and marker.is_of(bpm_of(item)):
        # Back from the file, where somebody's was compared before.
        item.tempo_verdict, item.tempo_bpm = Decision.SET.word, marker.bpm
        set_pace_fields(item)
    return True


def judged(item: Item) -> bool:
    """Set what the last analysis says to the item's `bpm`, somebody's; whether that changed it."""
    before = own(item, "tempo_verdict"), own(item, "tempo_bpm")
    agreed = precise_pace(bpm_of(item), own(item, "tempo_bpm"), _paces(item))
    item.tempo_verdict = (Decision.KEPT if agreed else Decision.CONFLICT).word
    item.tempo_bpm = agreed or own(item, "tempo_bpm")
    set_pace_fields(item)
    return before != (own(item, "tempo_verdict"), own(item, "tempo_bpm"))


def _paces(item: Item) -> tuple[Pace, ...]:
    with suppress(ValueError):
        return parse_paces(own(item, "tempo_paces") or "")
    return ()


class Selection:
    """The tracks that a query matches, by their ids; nothing else of them stays in memory.

    Parameters
    ----------
    args
        The query as it was given to a command.
    album
        The query matches albums; their tracks count.
    pretend
        The library is not settled, and tracks are to be matched as if it were.

    Raises
    ------
    dbcore.InvalidQueryError
        If the query makes no sense.
    """

    def __init__(
        self, lib: Library, args: Sequence[str], *, album: bool = False, pretend: bool = False
    ) -> None:
        self._lib = lib
        self._album = album
        self._pretend = pretend
        self._model = Album if album else Item
        try:
            self._query, sort = parse_query_parts(list(args), self._model)
        except InvalidQueryArgumentValueError as error:
            raise dbcore.InvalidQueryError(args, error) from error
        if isinstance(sort, NullSort) or album:
            sort = lib.get_default_item_sort()
        sortable = not sort.is_slow() and not sort.field_names - Item._fields.keys()
        self._order = (sort.order_clause() if sortable else None) or "items.id"

    def count(self, where: str = "1") -> int:
        """How many tracks match of which SQL also holds."""
        if self._matched is not None:
            return len(self.ids(where))
        condition, values = self._condition
        return _ask(
            self._lib, f"SELECT count(*) FROM items WHERE ({where}) AND {condition}", values
        )[0]

    def ids(self, where: str = "1") -> list[int]:
        """The tracks that match of which SQL also holds, in the order of the query or of beets."""
        condition, values = self._condition
        ids = _ask(
            self._lib,
            f"SELECT items.id FROM items WHERE ({where}) AND {condition} ORDER BY {self._order}",
            values,
        )
        return ids if self._matched is None else [id_ for id_ in ids if id_ in self._matched]

    @cached_property
    def _condition(self) -> tuple[str, list[Any]]:
        """SQL for what matches, as far as SQL can tell."""
        if self._album:
            ids = _matching(self._lib, Album, self._query)
            return "items.album_id IN (SELECT value FROM json_each(?))", [json.dumps(ids)]
        clause, values = _clause(Item, self._query)
        return (f"items.id IN ({clause})", values) if clause else ("1", [])

    @cached_property
    def _matched(self) -> frozenset[int] | None:
        """The tracks that match a query which the database cannot answer; None for any other."""
        if self._album or _clause(Item, self._query)[0]:
            return None
        return frozenset(_matching(self._lib, Item, self._query, self._pretend))


def _clause(model: type[Any], query: Any) -> tuple[str, list[Any]]:
    """SQL that selects the ids of what matches, empty if that cannot be said in SQL."""
    clause, values = query.clause()
    if not clause:
        return "", []
    table = model._table
    # As beets does, because columns are ambiguous where there are both tables.
    joined = query.field_names & model.other_db_fields
    source = f"{table} {model.relation_join}" if joined else table
    return f"SELECT {table}.id FROM {source} WHERE {clause}", list(values)


def _matching(lib: Library, model: type[Any], query: Any, pretend: bool = False) -> list[int]:
    """The ids of what matches, by SQL or, where that cannot tell, by a look at each."""
    clause, values = _clause(model, query)
    if clause:
        return _ask(lib, clause, values)
    found = []
    for one in _load(lib, model, _ask(lib, f"SELECT id FROM {model._table} ORDER BY id")):
        if pretend:
            settled(one)
        if query.match(one):
            found.append(one.id)
    return found


def each_item(lib: Library, ids: Iterable[int]) -> Iterator[Item]:
    """Tracks by their ids, those that still exist, each as it is when its turn comes."""
    return (item for id_ in ids if (item := patiently(partial(lib.get_item, id_))))


def as_it_is(lib: Library, item: Item) -> Item | None:
    """The track with what anybody stored since it was read, None if it was removed."""
    return next(each_item(lib, [item.id]), None) if item.id else None


def items_of(lib: Library, ids: Iterable[int]) -> Iterator[Item]:
    """Tracks by their ids, those that still exist, in that order; few in memory at a time."""
    return _load(lib, Item, ids)


def _load(lib: Library, model: type[Any], ids: Iterable[int]) -> Iterator[Any]:
    remaining = iter(ids)
    while batch := list(islice(remaining, BATCH)):
        fetch = partial(lib._fetch, model, InQuery("id", batch))
        found = {one.id: one for one in patiently(fetch)}
        yield from (found[id_] for id_ in batch if id_ in found)


def _ask(lib: Library, sql: str, values: Sequence[Any] = ()) -> list[Any]:
    """The first column of what SQL selects."""

    def ask() -> list[Any]:
        with lib.transaction() as tx:
            return [row[0] for row in tx.query(sql, values)]

    return patiently(ask)
