"""Journal of a run: the rows that are there, in an SQLite file beside the output.

A row is in the journal before it is in the output, so that whatever ends a run, nothing is lost and
nothing is done twice: the output is made good from the journal. Only one process uses it, and
without shared memory, so it may lie on a network share.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, StorageError

LAYOUT = "2"
APPLICATION = 0x54454D50  # in the header of the SQLite file, by which it is known as ours


@dataclass(frozen=True)
class Synced:
    """What surely is in an output: its first `size` bytes with their `digest`.

    `place` is the first one behind the rows that they hold.
    """

    size: int
    place: int
    digest: bytes


class Journal:
    """The rows of an output, by path. A context manager, to be used from one thread.

    Parameters
    ----------
    path
        Of the journal.
    about
        What its rows depend on, in words. A journal of something else is refused.

    Raises
    ------
    ConfigError
        If another process uses it, or it is of something else, or is no journal.
    StorageError
        If it cannot be opened.
    """

    def __init__(self, path: Path, about: str) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=1)
            # Without shared memory, which network shares do not have; the lock ends with a process.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._refuse_others()
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(
                "CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
                "CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, failed INTEGER,"
                " place INTEGER, data BLOB);"
                "CREATE INDEX IF NOT EXISTS placed ON rows (place);"
            )
            known = self._note("about")
        except sqlite3.Error as error:
            if "locked" in str(error):
                raise ConfigError(f"{path}: another run is using it; wait until it ends") from error
            raise StorageError(f"{path}: cannot be used ({error}); give another name") from error
        if known is None:
            self._write("INSERT INTO notes VALUES ('about', ?)", f"{LAYOUT} {about}")
        elif known != f"{LAYOUT} {about}":
            self._db.close()
            raise ConfigError(
                f"{path}: holds results of other settings or models ({str(known).partition(' ')[2]}"
                f", and not {about}); give another name"
            )

    def _refuse_others(self) -> None:
        """Refuse a database of something else; one without content becomes a journal.

        Raises
        ------
        ConfigError
            If it is one of something else.
        """
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (n_tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != APPLICATION and n_tables:
            self._db.close()
            raise ConfigError(f"{self._path}: is a database of something else; give another name")
        self._db.execute(f"PRAGMA application_id = {APPLICATION}")

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def state(self, path: str) -> bool | None:
        """Whether the row of a path is in the output already; None if there is no row of it."""
        row = self._row("SELECT place IS NOT NULL FROM rows WHERE id = ?", _id(path))
        return None if row is None else bool(row[0])

    def has_failed(self, path: str) -> bool:
        """Whether there is a row of a path, and it is that of a track that failed."""
        row = self._row("SELECT failed FROM rows WHERE id = ?", _id(path))
        return row is not None and bool(row[0])

    def add(self, path: str, data: bytes, *, failed: bool) -> None:
        """Keep the row of a path; in place of an earlier one if there is one."""
        self._write(
            "INSERT INTO rows VALUES (?, ?, NULL, ?) "
            "ON CONFLICT (id) DO UPDATE SET failed = excluded.failed, data = excluded.data",
            _id(path), int(failed), data,
        )  # fmt: skip

    def place(self, path: str) -> bytes:
        """Give the row of a path the next place in the output; returns the row."""
        row = self._row(
            "UPDATE rows SET place = (SELECT coalesce(max(place) + 1, 0) FROM rows) WHERE id = ?"
            " RETURNING data",
            _id(path),
        )
        assert row is not None
        return bytes(row[0])

    def placed(self, begin: int = 0) -> Iterator[bytes]:
        """Rows of the output in the order of their places, from the place `begin` on."""
        rows = self._db.execute("SELECT data FROM rows WHERE place >= ? ORDER BY place", (begin,))
        return (bytes(data) for (data,) in rows)

    def place_rest(self) -> Iterator[bytes]:
        """Give all rows that have no place yet one, in the order they came; yields the rows."""
        while rows := self._db.execute(
            "SELECT id FROM rows WHERE place IS NULL LIMIT 1000"
        ).fetchall():
            for (row_id,) in rows:
                row = self._row(
                    "UPDATE rows SET place = (SELECT coalesce(max(place) + 1, 0) FROM rows)"
                    " WHERE id = ? RETURNING data",
                    row_id,
                )
                assert row is not None
                yield bytes(row[0])

    def count(self, *, failed: bool = False) -> int:
        """Number of rows, or of those of tracks that failed."""
        condition = " WHERE failed" if failed else ""
        row = self._row(f"SELECT count(*) FROM rows{condition}")
        assert row is not None
        return int(row[0])

    def n_placed(self) -> int:
        """Number of rows that have a place in the output."""
        row = self._row("SELECT count(place) FROM rows")
        assert row is not None
        return int(row[0])

    def next_place(self) -> int:
        """The first place behind all that are given."""
        row = self._row("SELECT coalesce(max(place) + 1, 0) FROM rows")
        assert row is not None
        return int(row[0])

    def synced(self) -> Synced | None:
        """What surely is in the output; None if nothing is."""
        row = self._note("synced")
        if not row:
            return None
        size, place, digest = str(row).split(" ")
        return Synced(int(size), int(place), bytes.fromhex(digest))

    def note_synced(self, synced: Synced | None) -> None:
        """Note what surely is in the output now; None: it is to be made again."""
        told = "" if synced is None else f"{synced.size} {synced.place} {synced.digest.hex()}"
        self._write("INSERT OR REPLACE INTO notes VALUES ('synced', ?)", told)

    def _note(self, name: str) -> object:
        row = self._row("SELECT value FROM notes WHERE name = ?", name)
        return None if row is None else row[0]

    def _row(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        """The first row of the result of a statement; see `_write`."""
        try:
            row: tuple[Any, ...] | None = self._db.execute(statement, values).fetchone()
            return row
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise
            raise StorageError(
                f"{self._path}: cannot be written ({error}); what is done is kept: free some "
                "space and run it again"
            ) from error

    def _write(self, statement: str, *values: object) -> None:
        """Execute a statement that writes.

        Raises
        ------
        StorageError
            If the file cannot be written.
        """
        self._row(statement, *values)


def _id(path: str) -> int:
    """Number of a path: 63 bits of its hash, so that a million paths are short keys.

    Two of ten million paths have the same number with a probability of 5e-6.
    """
    digest = hashlib.blake2b(os.fsencode(path), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
