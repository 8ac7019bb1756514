"""Store of embeddings: what tracks sound like, kept so that no track is listened to twice.

An SQLite file with two tables. `sounds` has the embeddings, by the content of the sound and the
name of the model's embeddings; `files` says which content is in which file. The content is a hash
of the packets of audio, so that a file keeps its embedding when its tags are written, when it is
moved, and beside a copy. Embeddings can always be made again: a file that is damaged or another
program's is put aside, and a new one is begun.

The journal is that of SQLite's default, not a write-ahead log, which would need memory that all
processes share, and on a network share there is none.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import AudioError, StorageError

if TYPE_CHECKING:
    from .packets import AnyPath

Embedding = NDArray[np.float16]

Change = tuple[bytes, bytes | None]  # path of a file, and its new one; None if it does not count

LAYOUT = 1  # raised whenever a reader of the previous layout would misread the file
PATIENCE = 10.0  # [s] to wait for another process
AT_ONCE = 500  # paths in one query
PRUNED_AT_ONCE = 10_000  # paths that are deleted in one transaction
_STORED = np.dtype("<f2")
_LARGEST = float(np.finfo(np.float16).max)
_BESIDE = ("", "-journal", "-wal", "-shm")  # endings of the files of one database
_TABLES = (
    "CREATE TABLE models (name TEXT PRIMARY KEY, n_dims INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE sounds (content BLOB, name TEXT, embedding BLOB NOT NULL, "
    "PRIMARY KEY (name, content)) WITHOUT ROWID",
    "CREATE TABLE files (path BLOB PRIMARY KEY, size INTEGER NOT NULL, "
    "mtime_ns INTEGER NOT NULL, content BLOB NOT NULL) WITHOUT ROWID",
    "CREATE INDEX files_content ON files (content)",
)
_JOINED = (
    "files JOIN sounds ON sounds.content = files.content AND sounds.name = ? "
    "JOIN models ON models.name = sounds.name"
)
_WHOLE = "typeof(embedding) = 'blob' AND n_dims > 0 AND length(embedding) = 2 * n_dims"
_IS_PATH = "typeof(path) = 'blob'"  # anything may be in a damaged file


class Embeddings:
    """The embeddings of one model in a store. Use it as a context manager, from any threads.

    The file is opened by the first call that needs it, and created by the first that writes.
    Several processes may use it at once. Nothing that is in it can be lost by a process that is
    killed.

    Parameters
    ----------
    file
        The SQLite file.
    name
        Name of the embeddings, see `tasks.tags.decode.embedding_name`.
    report
        Called with a line for a person if the file was put aside; None logs it as a warning.
    read_only
        `get` notes nothing, and a damaged file stays where it is; for runs that only pretend.
    """

    def __init__(
        self,
        file: Path,
        name: str,
        report: Callable[[str], object] | None = None,
        read_only: bool = False,
    ) -> None:
        self.file = file
        self.name = name
        self._report = report or logging.getLogger(__name__).warning
        self._read_only = read_only
        self._db: sqlite3.Connection | None = None
        self._lock = threading.RLock()
        self._inode: int | None = None  # of the file that was opened
        # Of files that `get` read in vain: size, time and content, so that `put` need not again.
        self._read: dict[bytes, tuple[int, int, bytes]] = {}

    def __enter__(self) -> Embeddings:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def get(self, path: AnyPath) -> Embedding | None:
        """The embedding of a file (n_dims,); None if there is none.

        A file that is not known, or has changed since, is read for its content, which takes some
        hundredths of a second. If that is known, it is noted for the file.

        Raises
        ------
        StorageError
            If the store cannot be used.
        """
        if not self.file.exists():
            return None
        key = os.fsencode(path)
        try:
            seen = _seen(key)
        except OSError:
            return None
        rows = self._ask(
            f"SELECT embedding FROM {_JOINED} "
            f"WHERE path = ? AND size = ? AND mtime_ns = ? AND {_WHOLE}",
            (self.name, key, *seen),
        )
        if rows:
            return _decoded(rows[0][0])
        from .packets import content_of  # which loads libav, and most calls need none

        try:
            content = content_of(path)
        except AudioError:
            return None
        rows = self._ask(
            "SELECT embedding FROM sounds JOIN models USING (name) "
            f"WHERE name = ? AND content = ? AND {_WHOLE}",
            (self.name, content),
        )
        found = _decoded(rows[0][0]) if rows else None
        if found is None:
            self._read[key] = (*seen, content)
            return None
        with suppress(StorageError):  # it is only slower without
            if not self._read_only:
                self._write(lambda db: _note(db, key, seen, content))
        return found

    def put(self, path: AnyPath, embedding: NDArray[Any], content: bytes | None = None) -> None:
        """Keep the embedding of a file.

        Parameters
        ----------
        embedding
            (n_dims,) finite numbers; what 16 bits cannot hold becomes the largest they can.
        content
            `packets.content_of` the file; None reads it, unless `get` just did.

        Raises
        ------
        StorageError
            If the store cannot be written, or the embedding is none.
        AudioError
            If the file cannot be read.
        """
        values = np.asarray(embedding)
        if values.ndim != 1 or not values.size or not np.isfinite(values).all():
            raise StorageError(f"{self.file}: an embedding of {os.fsdecode(path)} is no numbers")
        blob = np.clip(values, -_LARGEST, _LARGEST).astype(_STORED).tobytes()
        key = os.fsencode(path)
        try:
            seen = _seen(key)
        except OSError as error:
            raise AudioError(f"cannot be read ({error.strerror})") from error
        read = self._read.pop(key, None)
        if content is None and read is not None and read[:2] == seen:
            content = read[2]
        if content is None:
            from .packets import content_of

            content = content_of(path)
        known = content

        def write(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO models VALUES (?, ?) ON CONFLICT (name) DO UPDATE "
                "SET n_dims = excluded.n_dims WHERE n_dims != excluded.n_dims",
                (self.name, len(values)),
            )
            db.execute("INSERT OR REPLACE INTO sounds VALUES (?, ?, ?)", (known, self.name, blob))
            _note(db, key, seen, known)

        self._write(write)

    def of(self, paths: Iterable[AnyPath]) -> dict[Path, Embedding]:
        """The embeddings of files by their paths, as far as there are any.

        The files are not looked at: one that was replaced has the embedding of the one before.

        Raises
        ------
        StorageError
            If the store cannot be used.
        """
        keys = [os.fsencode(path) for path in paths]
        found: dict[Path, Embedding] = {}
        for start in range(0, len(keys) if self.file.exists() else 0, AT_ONCE):
            some = keys[start : start + AT_ONCE]
            rows = self._ask(
                f"SELECT path, embedding FROM {_JOINED} "
                f"WHERE path IN ({', '.join('?' * len(some))}) AND {_WHOLE}",
                (self.name, *some),
            )
            for key, blob in rows:
                embedding = _decoded(blob)
                if embedding is not None:
                    found[Path(os.fsdecode(key))] = embedding
        return found

    def all(self) -> tuple[list[Path], Embedding]:
        """The paths of all files with an embedding, and their embeddings (n, n_dims).

        Raises
        ------
        StorageError
            If the store cannot be used.
        """
        keys, embeddings = self.rows()
        return [Path(os.fsdecode(key)) for key in keys], embeddings

    def rows(self) -> tuple[list[bytes], Embedding]:
        """As `all`, with paths as bytes, which takes a third of the time."""
        rows = []
        if self.file.exists():
            rows = self._ask(
                f"SELECT path, embedding FROM {_JOINED} WHERE {_IS_PATH} AND {_WHOLE} "
                "ORDER BY path",
                (self.name,),
            )
        if not rows:
            return [], np.zeros((0, 0), np.float16)
        joined = np.frombuffer(b"".join(blob for _, blob in rows), _STORED)
        embeddings = joined.reshape(len(rows), -1).astype(np.float16, copy=False)
        # The sum is finite if all numbers are, and half as much to look at.
        with np.errstate(invalid="ignore"):  # of damaged ones
            right = np.isfinite(embeddings.sum(axis=1, dtype=np.float32))
        keys = [key for (key, _), is_right in zip(rows, right, strict=True) if is_right]
        return keys, embeddings[right]

    def follow(self, changes: Sequence[Change]) -> None:
        """Note what became of files, one after another in one transaction.

        A file was moved, or copied and the copy counts from now on; or it does not count any more,
        and its embedding stays until `prune`.

        Raises
        ------
        StorageError
            If the store cannot be written.
        """
        changes = [(old, new) for old, new in changes if old != new]
        if not changes or not self.file.exists():
            return

        def write(db: sqlite3.Connection) -> None:
            for old, new in changes:
                if new is None:
                    db.execute("DELETE FROM files WHERE path = ?", (old,))
                else:
                    db.execute("UPDATE OR REPLACE files SET path = ? WHERE path = ?", (new, old))

        self._write(write)

    def move(self, old: AnyPath, new: AnyPath) -> None:
        """Note that a file was moved, as `follow`."""
        self.follow([(os.fsencode(old), os.fsencode(new))])

    def forget(self, path: AnyPath) -> None:
        """Note that a file does not count any more, as `follow`."""
        self.follow([(os.fsencode(path), None)])

    def prune(self, paths: Iterable[AnyPath]) -> int:
        """Delete what belongs to none of some files, unless it is of a file that exists.

        Of a sound with an embedding of this name, those of other names are deleted as well.

        Parameters
        ----------
        paths
            Of all files that count.

        Returns
        -------
        int
            Number of embeddings that were deleted.

        Raises
        ------
        StorageError
            If the store cannot be used.
        """
        if not self.file.exists():
            return 0
        counting = {os.fsencode(path) for path in paths}
        known = (row[0] for row in self._ask(f"SELECT path FROM files WHERE {_IS_PATH}"))
        gone = [key for key in known if key not in counting and not os.path.exists(key)]  # noqa: PTH110
        deleted = 0

        def write(db: sqlite3.Connection) -> None:
            nonlocal deleted
            db.executemany("DELETE FROM files WHERE path = ?", [(key,) for key in gone])
            db.execute(f"DELETE FROM files WHERE NOT {_IS_PATH}")
            deleted = db.execute(
                "DELETE FROM sounds WHERE content NOT IN (SELECT content FROM files) OR name != ? "
                "AND content IN (SELECT content FROM sounds WHERE name = ?)",
                (self.name, self.name),
            ).rowcount

        self._write(write)
        return deleted

    def _ask(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows that a statement selects; none if the file was put aside."""
        with self._lock, self._usable():
            return self._opened().execute(statement, tuple(values)).fetchall()
        return []

    def _write(self, change: Callable[[sqlite3.Connection], Any]) -> None:
        """Make all changes of a function or none; again in a new file if this was put aside."""
        with self._lock:
            for _ in range(2):
                with self._usable():
                    db = self._opened()
                    db.execute("BEGIN IMMEDIATE")
                    try:
                        change(db)
                        db.execute("COMMIT")
                    except BaseException:
                        with suppress(sqlite3.Error):
                            db.execute("ROLLBACK")
                        raise
                    return
        raise StorageError(f"{self.file}: cannot be written; delete it")

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Context in which a damaged file is put aside, and other errors become `StorageError`."""
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if self._read_only or not _is_damage(error):
                raise StorageError(f"{self.file}: cannot be used ({error})") from error
            self._put_aside(str(error))
        except OSError as error:
            raise StorageError(f"{self.file}: cannot be used ({error.strerror})") from error

    def _opened(self) -> sqlite3.Connection:
        """The database, opened, checked and with its tables."""
        if self._db is None:
            # `sqlite3` is told to leave transactions alone; they stand where they begin.
            db = sqlite3.connect(
                self.file, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            try:
                self._inode = self.file.stat().st_ino
                self._prepare(db)
            except BaseException:
                db.close()
                raise
            self._db = db
        return self._db

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Check the layout of a database, and create the tables in a new one."""
        if self._layout(db) == LAYOUT:
            return
        db.execute("BEGIN IMMEDIATE")
        if self._layout(db) != LAYOUT:  # no other process made it meanwhile
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise sqlite3.DatabaseError("it is another program's")
            for table in _TABLES:
                db.execute(table)
            db.execute(f"PRAGMA user_version = {LAYOUT}")
        db.execute("COMMIT")

    def _layout(self, db: sqlite3.Connection) -> int:
        (layout,) = db.execute("PRAGMA user_version").fetchone()
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
        if layout and "sounds" not in tables:
            raise sqlite3.DatabaseError("it is another program's")
        if layout > LAYOUT:
            raise StorageError(
                f"{self.file}: was written by a newer version (layout {layout}, this one reads "
                f"{LAYOUT}); update beets-tempo"
            )
        return int(layout)

    def _put_aside(self, why: str) -> None:
        """Rename the files of the database, so that a new one can be begun, and report it."""
        self.close()
        number = 1
        while (aside := self.file.with_name(f"{self.file.name}.damaged-{number}")).exists():
            number += 1
        try:
            if self.file.stat().st_ino != self._inode:
                return  # another process was faster, and this is a new file
            for ending in _BESIDE:
                with suppress(FileNotFoundError):
                    self.file.with_name(self.file.name + ending).rename(
                        aside.with_name(aside.name + ending)
                    )
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(
                f"{self.file}: is damaged ({why}) and cannot be renamed ({error.strerror})"
            ) from error
        self._report(
            f"{self.file} was damaged ({why}) and is now {aside.name}; "
            "`beet tempo-tags` listens to the tracks again"
        )


def _is_damage(error: Exception) -> bool:
    """Whether an error says that the content of the file is not what it should be.

    A message of SQLite that quotes damaged text may be no text itself: a `UnicodeDecodeError`.
    """
    # What the system refuses is an `OperationalError`, and so is a table that is not there.
    text = str(error)
    return not isinstance(error, sqlite3.OperationalError) or any(
        told in text for told in ("no such", "unsupported file format")
    )


def _seen(key: bytes) -> tuple[int, int]:
    """Size [bytes] and time of the last change [ns] of a file."""
    status = os.stat(key)  # noqa: PTH116  as bytes, which need not be text
    return status.st_size, status.st_mtime_ns


def _note(db: sqlite3.Connection, key: bytes, seen: tuple[int, int], content: bytes) -> None:
    """Note what is in a file."""
    db.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", (key, *seen, content))


def _decoded(blob: bytes) -> Embedding | None:
    """The embedding in a row, a copy; None if it is damaged."""
    values = np.frombuffer(blob, _STORED).astype(np.float16)
    return values if np.isfinite(values).all() else None
