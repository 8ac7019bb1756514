"""Journal of a build: what was heard in each file, in one SQLite file in the training set's folder.

A row is written as soon as a file has been listened to, in a transaction of its own. So whatever
stops a run, the next one carries on from there. Results are stored by the content of a file and
stay valid if it is moved or renamed. A file with unchanged path, size and modification time is not
even read again.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from tempo_core.errors import ConfigError, StorageError

from ..inputs.cache import Stamp
from .listen import Listening

TABLE = "heard_3"  # the number rises whenever the fields of `Listening` or their meaning change
_FIELDS = tuple(field.name for field in dataclasses.fields(Listening))


class Journal:
    """Results of listening in an SQLite file; a context manager, to be used from one thread.

    Raises
    ------
    ConfigError
        If another process uses the file.
    StorageError
        If the file cannot be opened or is not an SQLite database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=1)
            # Two runs in one folder would undo each other's work; a lock ends with its process.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            columns = ", ".join(f'"{name}"' for name in _FIELDS)
            self._db.executescript(
                "CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, size INTEGER,"
                " changed INTEGER, content TEXT, recipe TEXT, key TEXT);"
                f"CREATE TABLE IF NOT EXISTS {TABLE} (content TEXT, how TEXT, {columns},"
                " PRIMARY KEY (content, how));"
            )
        except sqlite3.Error as error:
            if "locked" in str(error):
                told = f"another run is building {path.parent}; wait until it has ended"
                raise ConfigError(told) from error
            raise StorageError(
                f"{path}: cannot be used ({error}); if there is enough space, delete the file: it "
                "only holds what can be computed again"
            ) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def file(self, stamp: Stamp, recipe: str) -> tuple[str, str] | None:
        """Content hash and cache key of an unchanged file, None if the file has to be read.

        Parameters
        ----------
        recipe
            Digest of the recipe that the cache key belongs to.
        """
        row = self._db.execute(
            "SELECT content, key FROM files"
            " WHERE path = ? AND size = ? AND changed = ? AND recipe = ?",
            (*stamp, recipe),
        ).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    def note_file(self, stamp: Stamp, recipe: str, content: str, key: str) -> None:
        """Store the content hash and cache key of a file, which `file` returns."""
        self._write(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
            (*stamp, content, recipe, key),
        )

    def heard(self, content: str, how: str) -> Listening | None:
        """What was heard in a file of this content, None if it has to be listened to.

        Parameters
        ----------
        content
            SHA-256 of the file in hex.
        how
            The model that listened, and other settings that its results depend on.
        """
        row = self._db.execute(
            f"SELECT {', '.join(_quoted())} FROM {TABLE} WHERE content = ? AND how = ?",
            (content, how),
        ).fetchone()
        if row is None:
            return None
        values: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
        values["fingerprint"] = np.frombuffer(values["fingerprint"], "<u4").astype(np.uint32)
        return Listening(**values)

    def contents(self, how: str) -> dict[int, frozenset[str]]:
        """Hashes of contents that were listened to in this way, by the size of the file [bytes].

        A file of another size has none of them, so that few have to be told where it is read. Those
        whose file was replaced by another one at its path are not among them.
        """
        rows = self._db.execute(
            f"SELECT DISTINCT size, content FROM files JOIN {TABLE} USING (content) WHERE how = ?",
            (how,),
        )
        found: dict[int, set[str]] = {}
        for size, content in rows:
            found.setdefault(int(size), set()).add(str(content))
        return {size: frozenset(contents) for size, contents in found.items()}

    def note_heard(self, content: str, how: str, heard: Listening) -> None:
        """Store what was heard in a file of this content, which `heard` returns."""
        values: dict[str, Any] = {name: getattr(heard, name) for name in _FIELDS}
        values["fingerprint"] = heard.fingerprint.astype("<u4").tobytes()
        marks = ", ".join("?" * (2 + len(_FIELDS)))
        self._write(
            f"INSERT OR REPLACE INTO {TABLE} VALUES ({marks})",
            (content, how, *values.values()),
        )

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        """Execute a statement that writes.

        Raises
        ------
        StorageError
            If the file cannot be written.
        """
        try:
            self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise StorageError(
                f"{self._path}: cannot be written ({error}); what is done is kept: free some space "
                "and run it again"
            ) from error


def _quoted() -> list[str]:
    """Names of the columns of `TABLE`, quoted for SQL."""
    return [f'"{name}"' for name in _FIELDS]
