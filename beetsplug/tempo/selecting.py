"""Tracks of the library by their ids, few in memory at a time: a library may have 100,000."""

from __future__ import annotations

import json
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from beets import dbcore
from beets.dbcore.query import InQuery, InvalidQueryArgumentValueError
from beets.dbcore.sort import NullSort
from beets.library import Album, Item, parse_query_parts

from .applying import settled
from .keeping import patiently

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from beets.library import Library

BATCH = 500  # tracks in memory at a time


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
        return ask(
            self._lib, f"SELECT count(*) FROM items WHERE ({where}) AND {condition}", values
        )[0]

    def ids(self, where: str = "1") -> list[int]:
        """The tracks that match of which SQL also holds, in the order of the query or of beets."""
        condition, values = self._condition
        ids = ask(
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
        return ask(lib, clause, values)
    found = []
    for one in _load(lib, model, ask(lib, f"SELECT id FROM {model._table} ORDER BY id")):
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


def ask(lib: Library, sql: str, values: Sequence[Any] = ()) -> list[Any]:
    """The first column of what SQL selects."""

    def ask() -> list[Any]:
        with lib.transaction() as tx:
            return [row[0] for row in tx.query(sql, values)]

    return patiently(ask)
