"""A library that another program is using as well: wait until it lets go, and for so long only.

beets gives up after five seconds, with an error that loses the rest of the run. Another `beet` that
imports an album or updates many tracks can take longer.
"""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from beets.library import Item, Library

R = TypeVar("R")
LONGEST = 60.0  # [s] that a lock is waited for, whatever beets' own `timeout` says
STEP = 0.5  # [s] at a time, between which Ctrl-C is noticed


def items(
    lib: Library, ids: Iterable[int], stopped: Callable[[], bool] = lambda: False
) -> Iterator[Item]:
    """The items with these ids that are still there, each read when it is asked for."""
    for id_ in ids:
        item = _patiently(lib, lambda id_=id_: lib.get_item(id_), stopped)  # type: ignore[misc]
        if item:
            yield item


def store(item: Item, stopped: Callable[[], bool] = lambda: False) -> None:
    """`item.store()`, however long another program writes; all of it is stored or nothing.

    Raises
    ------
    sqlite3.OperationalError
        If the library is still locked after `LONGEST`, or cannot be written to. The item still
        knows what there is to store.
    """
    lib: Any = item.db
    with lib.transaction() as transaction:
        # With the whole lock taken first neither an update nor the commit can fail half-way because
        # of another program; beets forgets what is to be stored when one does.
        _patiently(lib, lambda: transaction.query("BEGIN EXCLUSIVE"), stopped)
        item.store()


def _patiently(lib: Library, call: Callable[[], R], stopped: Callable[[], bool]) -> R:
    until = time.monotonic() + LONGEST
    with lib.transaction() as transaction:
        ((before,),) = transaction.query("PRAGMA busy_timeout")
        transaction.query(f"PRAGMA busy_timeout = {1000 * STEP:.0f}")
        try:
            while True:
                try:
                    return call()
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error) or stopped() or time.monotonic() > until:
                        raise
        finally:
            transaction.query(f"PRAGMA busy_timeout = {before}")
