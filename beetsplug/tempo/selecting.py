"""Tracks of the library by their ids; only few are in memory at a time, of 100,000 or more."""

from __future__ import annotations

import json
import time
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from beets import dbcore
from beets.dbcore.query import InQuery, InvalidQueryArgumentValueError
from beets.dbcore.sort import MultipleSort, NullSort
from beets.library import Album, Item, parse_query_parts

from .applying import settled
from .keeping import patiently

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from beets.library import Library

BATCH_SIZE = 500  # tracks in memory at a time
FRESHNESS = 1.0  # [s] for which a track counts as just read, see `fresh_items`


class Selection:
    """The tracks that a query matches; only their ids stay in memory.

    Parameters
    ----------
    args
        The query as it was given to a command.
    album
        The query is for albums; it selects all tracks of those that match.
    pretend
        `choosing.settle` was not run, and tracks are matched as if it had been.

    Raises
    ------
    dbcore.InvalidQueryError
        If the query is not valid.
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
        in_sql = not sort.is_slow() and not sort.field_names - Item._fields.keys()
        self._order = (sort.order_clause() if in_sql else None) or "items.id"
        self._sort = None if in_sql else sort

    def count(self, where: str = "1") -> int:
        """Number of tracks that match the query and a condition in SQL."""
        if self._matched is not None:
            return len(self._ids(where))
        condition, values = self._condition
        return ask(
            self._lib, f"SELECT count(*) FROM items WHERE ({where}) AND {condition}", values
        )[0]

    def ids(self, where: str = "1", where_values: Sequence[Any] = ()) -> list[int]:
        """Ids of the tracks that match the query and a condition in SQL with its values.

        Their order is that of the query, or the order in which beets lists tracks.
        """
        ids = self._ids(where, where_values)
        if self._sort is not None:
            places = self._places
            ids.sort(key=lambda id_: places.get(id_, len(places)))
        return ids

    def _ids(self, where: str = "1", where_values: Sequence[Any] = ()) -> list[int]:
        """As `ids`, sorted only as far as SQL can."""
        condition, values = self._condition
        ids = ask(
            self._lib,
            f"SELECT items.id FROM items WHERE ({where}) AND {condition} ORDER BY {self._order}",
            [*where_values, *values],
        )
        return ids if self._matched is None else [id_ for id_ in ids if id_ in self._matched]

    @cached_property
    def _places(self) -> dict[int, int]:
        """The places of the tracks in an order that SQL does not know, by their ids."""
        sort: Any = self._sort
        # The last sorts come first, because each keeps the order of those that it holds for equal.
        keys: Any = [_SortKey(item, sort.field_names) for item in items_of(self._lib, self._ids())]
        for one in reversed(sort.sorts if isinstance(sort, MultipleSort) else [sort]):
            keys = one.sort(keys)
        return {key.id: place for place, key in enumerate(keys)}

    @cached_property
    def _condition(self) -> tuple[str, list[Any]]:
        """The part of the query that can be expressed in SQL: a condition and its values."""
        if self._album:
            ids = _matching(self._lib, Album, self._query)
            return "items.album_id IN (SELECT value FROM json_each(?))", [json.dumps(ids)]
        clause, values = _clause(Item, self._query)
        return (f"items.id IN ({clause})", values) if clause else ("1", [])

    @cached_property
    def _matched(self) -> frozenset[int] | None:
        """Ids of the tracks that match if the query cannot be expressed in SQL; None if it can."""
        if self._album or _clause(Item, self._query)[0]:
            return None
        return frozenset(_matching(self._lib, Item, self._query, self._pretend))


class _SortKey:
    """What beets looks at to sort a track, so that the tracks need not stay in memory."""

    def __init__(self, item: Item, fields: Iterable[str]) -> None:
        self.id = item.id
        self._types = item._types
        self._values = {field: item.get(field) for field in fields}

    def get(self, field: str, default: Any = None) -> Any:
        """The value of one of the fields."""
        value = self._values[field]
        return default if value is None else value


def _clause(model: type[Any], query: Any) -> tuple[str, list[Any]]:
    """SQL that selects the ids of a query's matches, and its values; empty if there is no SQL."""
    clause, values = query.clause()
    if not clause:
        return "", []
    table = model._table
    # As in beets, the other table is joined only if it is needed, because column names that both
    # tables have would be ambiguous.
    joined = query.field_names & model.other_db_fields
    source = f"{table} {model.relation_join}" if joined else table
    return f"SELECT {table}.id FROM {source} WHERE {clause}", list(values)


def _matching(lib: Library, model: type[Any], query: Any, pretend: bool = False) -> list[int]:
    """Ids of a query's matches, found with SQL or, if there is no SQL for it, one by one."""
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
    """The tracks with some ids that still exist, each read from the library when its turn comes."""
    return (item for id_ in ids if (item := patiently(partial(lib.get_item, id_))))


def fresh_items(lib: Library, ids: Sequence[int]) -> Iterator[Item]:
    """As `each_item`, but read together as long as they are asked for in quick succession.

    Each was read at most `FRESHNESS` before its turn: where it takes seconds from one to the next,
    they are read one by one.
    """
    start, size = 0, 1
    while start < len(ids):
        batch, n_passed, read_at = ids[start : start + size], 0, time.monotonic()
        found = _found(lib, Item, batch)
        for id_ in batch:
            if n_passed and time.monotonic() - read_at > FRESHNESS:
                break
            n_passed += 1
            if id_ in found:
                yield found[id_]
        start += n_passed
        size = min(2 * size, BATCH_SIZE) if n_passed == len(batch) else 1


def as_it_is(lib: Library, item: Item) -> Item | None:
    """A track read from the library again; None if it was removed."""
    return next(each_item(lib, [item.id]), None) if item.id else None


def items_of(lib: Library, ids: Iterable[int]) -> Iterator[Item]:
    """The tracks with some ids that still exist, in this order; read in batches."""
    return _load(lib, Item, ids)


def _load(lib: Library, model: type[Any], ids: Iterable[int]) -> Iterator[Any]:
    """The tracks or albums with some ids that still exist, `BATCH_SIZE` in memory at a time."""
    remaining = iter(ids)
    while batch := list(islice(remaining, BATCH_SIZE)):
        found = _found(lib, model, batch)
        yield from (found[id_] for id_ in batch if id_ in found)


def _found(lib: Library, model: type[Any], ids: Sequence[int]) -> dict[int, Any]:
    """The tracks or albums with some ids that exist now, by their ids."""
    return {one.id: one for one in patiently(partial(lib._fetch, model, InQuery("id", ids)))}


def ask(lib: Library, sql: str, values: Sequence[Any] = ()) -> list[Any]:
    """The first column of the rows that an SQL statement selects."""

    def ask() -> list[Any]:
        with lib.transaction() as tx:
            return [row[0] for row in tx.query(sql, values)]

    return patiently(ask)
