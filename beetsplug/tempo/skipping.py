"""Tracks that are not music, such as podcasts and audiobooks: the setting `skip` says which."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from beets.dbcore.query import DurationQuery, Query
from beets.library import Item, parse_query_string

from .items import genres_of

if TYPE_CHECKING:
    from collections.abc import Iterable


class NotMusic:
    """Predicate of the tracks that are not music; false if nothing is to be skipped.

    Parameters
    ----------
    skip
        The setting: `length`, a range as in queries; `genre`, names that are looked for as whole
        words; `query`. A track that fits one of them is not music.
    """

    def __init__(self, skip: Any) -> None:
        self._queries: list[Query] = []
        if skip.length:
            self._queries.append(DurationQuery("length", skip.length))
        if skip.query:
            self._queries.append(parse_query_string(skip.query, Item)[0])
        names = "|".join(re.escape(name.strip()) for name in skip.genre)
        self._genres = re.compile(rf"(?<!\w)(?:{names})(?!\w)", re.IGNORECASE) if names else None

    def __bool__(self) -> bool:
        return bool(self._queries or self._genres)

    def __call__(self, item: Item) -> bool:
        if self._genres is not None and self._genres.search(genres_of(item)):
            return True
        return any(query.match(item) for query in self._queries)

    def among(self, items: Iterable[Item]) -> set[int]:
        """The ids of those of some items that are not music."""
        return {item.id for item in items if item.id is not None and self(item)}
