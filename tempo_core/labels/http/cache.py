"""Cache of pages: the answers that are kept, the time they are kept, and their file."""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import requests
from requests_cache import CacheMixin, SQLiteCache

from ...errors import LabelError
from ...files import create_private, keep_private
from ..record import one_line
from .answers import is_challenge
from .secrets import SECRET_HEADERS

KEEP_ANSWERS = datetime.timedelta(days=90)  # time for which an answer is used
KEEP_ROBOTS = datetime.timedelta(hours=24)  # time for which a robots.txt is used; RFC 9309, 2.4
CACHE_LAYOUT = 1  # layout of the cache file, stored in it


class CachedSession(CacheMixin, requests.Session):
    """A session of requests with a cache."""

    def resolve_redirects(self, *_: Any, **__: Any) -> Iterator[Any]:
        """Yield nothing.

        requests calls this even if it is told not to follow redirects, and raises an error if the
        target is no address.
        """
        return iter(())


def open_cache(path: Path) -> SQLiteCache:
    """Open the cache in a file that only its owner can read; it is created if missing.

    Raises
    ------
    LabelError
        If the file cannot be used.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        create_private(path)
        with closing(sqlite3.connect(path, timeout=10)) as db:
            (sound,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if sound != "ok":
                raise sqlite3.DatabaseError(one_line(sound, 80))
            keep_private(path)
            if db.execute("PRAGMA user_version").fetchone()[0] < CACHE_LAYOUT:
                _forget_secrets(db)
        # JSON, because unpickling (the default) could run code from a manipulated file.
        return SQLiteCache(path, serializer="json", wal=True, busy_timeout=10_000)
    except (OSError, sqlite3.Error) as error:
        raise LabelError(
            f"{path}: is not a usable cache of pages ({error}); it can be deleted"
        ) from error


def _forget_secrets(db: sqlite3.Connection) -> None:
    """Delete pages that an earlier version stored together with the keys sent for them."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'responses'").fetchone():
        told = " OR ".join(f"value LIKE '%\"{name}\"%'" for name in SECRET_HEADERS)
        db.execute(f"DELETE FROM responses WHERE {told}")
        db.commit()
        db.execute("VACUUM")  # otherwise the deleted data would remain in the file
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute(f"PRAGMA user_version = {CACHE_LAYOUT}")


def worth_keeping(response: requests.Response) -> bool:
    """Whether to keep an answer in the cache.

    The redirect after a form is kept, because it is the answer to the form. Errors are not kept,
    although some interfaces send them with status 200.
    """
    if is_challenge(response) or response.content[:20].lstrip().startswith(b'{"error"'):
        return False
    return response.status_code == 200 or response.request.method == "POST"
