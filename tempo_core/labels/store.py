"""Store of the answers of the sources: an SQLite file with one row for each answer.

Asking again adds a row, so the published values of earlier answers are never lost. Only the path
and the comparison with the audio are updated in a row. Each row is written in a transaction of its
own, so that an interrupted run keeps all earlier answers.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import UnionType
from typing import Any, get_type_hints

from ..errors import LabelError
from ..files import create_private, keep_private
from .record import KeyVerdict, LabelVerdict, Record, Status

STORE_LAYOUT = 1  # raised whenever a reader of the previous layout would misread the file
_FIELDS = tuple(field.name for field in dataclasses.fields(Record))
_ENUM_FIELDS = {"status": Status, "verdict": LabelVerdict, "key_verdict": KeyVerdict}
_CHANGEABLE_FIELDS = ("path", "estimate_bpm", "estimate_key", "verdict", "key_verdict")


class Store:
    """A store of records in a file. Use it as a context manager, from one thread.

    Parameters
    ----------
    path
        SQLite file; created if missing, with its folder.
    read_only
        Do not change or create the file; a missing file is an empty store.

    Raises
    ------
    LabelError
        If the file cannot be opened or is not a store of this layout.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        try:
            if read_only:
                # A run that is killed as it begins leaves an empty file.
                exists = path.exists() and path.stat().st_size > 0
                uri = f"{path.absolute().as_uri()}?mode=ro" if exists else ":memory:"
                self._db = sqlite3.connect(uri, uri=True, isolation_level=None)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                create_private(path)
                exists = False
                self._db = sqlite3.connect(path, isolation_level=None, timeout=10)
            self._prepare(exists)
            if not read_only:
                keep_private(path)
                # With these, a crash leaves no incomplete row, and no write waits for the disk.
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
        except (OSError, sqlite3.Error) as error:
            raise LabelError(f"{path}: is not a usable label store ({error})") from error

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def current(self, track: str) -> dict[str, Record]:
        """The newest record of each source for a track (`TrackQuery.id`), by the source's name.

        Raises
        ------
        LabelError
            If the file cannot be read.
        """
        rows = self._read(
            f"SELECT {', '.join(_FIELDS)} FROM labels WHERE track = ? ORDER BY id", track
        )
        return {record.source: record for record in map(_record, rows)}

    def found(self) -> set[str]:
        """The tracks (`TrackQuery.id`) of which some answer has ever been a label.

        Raises
        ------
        LabelError
            If the file cannot be read.
        """
        rows = self._read("SELECT DISTINCT track FROM labels WHERE status = ?", Status.FOUND.value)
        return {track for (track,) in rows}

    def add(self, record: Record) -> None:
        """Add a record permanently.

        Raises
        ------
        LabelError
            If it cannot be written, for example because the disk is full.
        """
        names, marks = ", ".join(_FIELDS), ", ".join("?" * len(_FIELDS))
        self._write(f"INSERT INTO labels ({names}) VALUES ({marks})", _values(record, _FIELDS))

    def update(self, record: Record) -> None:
        """Update path, estimates and verdicts in the newest record of the same track and source.

        Raises
        ------
        LabelError
            If it cannot be written.
        """
        changes = ", ".join(f"{name} = ?" for name in _CHANGEABLE_FIELDS)
        self._write(
            f"UPDATE labels SET {changes} WHERE id ="
            " (SELECT max(id) FROM labels WHERE track = ? AND source = ?)",
            [*_values(record, _CHANGEABLE_FIELDS), record.track, record.source],
        )

    def __iter__(self) -> Iterator[Record]:
        """All records, oldest first."""
        rows = self._db.execute(f"SELECT {', '.join(_FIELDS)} FROM labels ORDER BY id")
        return map(_record, rows)

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM labels").fetchone()[0])

    def _read(self, statement: str, *values: Any) -> list[Any]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise LabelError(f"{self.path}: cannot be read ({error})") from error

    def _write(self, statement: str, values: Iterable[Any]) -> None:
        try:
            self._db.execute(statement, tuple(values))
        except sqlite3.Error as error:
            raise LabelError(f"{self.path}: cannot be written ({error})") from error

    def _prepare(self, exists: bool) -> None:
        """Check the layout of the file, and create the table in a new one."""
        (layout,) = self._db.execute("PRAGMA user_version").fetchone()
        if layout not in (0, STORE_LAYOUT) or (exists and layout == 0):
            raise LabelError(
                f"{self.path}: layout {layout}, this version reads {STORE_LAYOUT}; "
                "give another path"
            )
        if layout:
            return
        if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise LabelError(f"{self.path}: is another program's database; give another path")
        columns = ", ".join(f"{name} {_sql_type(name)}" for name in _FIELDS)
        self._db.executescript(
            f"BEGIN; CREATE TABLE labels (id INTEGER PRIMARY KEY, {columns});"
            "CREATE INDEX labels_track ON labels (track);"
            f"PRAGMA user_version = {STORE_LAYOUT}; COMMIT;"
        )


_HINTS = get_type_hints(Record)


def _sql_type(name: str) -> str:
    """SQL type of the column for a field of `Record`."""
    hint = _HINTS[name]
    kinds = hint.__args__ if isinstance(hint, UnionType) else (hint,)
    return "REAL" if float in kinds else "INTEGER" if int in kinds else "TEXT"


def _values(record: Record, names: Iterable[str]) -> list[Any]:
    """Values of some fields of a record as they are stored."""
    values = []
    for name in names:
        value = getattr(record, name)
        if name in _ENUM_FIELDS:
            value = value.value
        elif name == "path":  # stored as bytes, because a file name need not be valid text
            value = os.fsencode(value)
        elif isinstance(value, str):  # SQLite cannot store lone surrogates
            value = value.encode("utf-8", "replace").decode()
        elif name == "scores":
            value = json.dumps(dict(value), sort_keys=True)
        values.append(value)
    return values


def _record(row: tuple[Any, ...]) -> Record:
    """The record in a row of the store."""
    values = dict(zip(_FIELDS, row, strict=True))
    for name, kind in _ENUM_FIELDS.items():
        values[name] = kind(values[name])
    values["path"] = os.fsdecode(values["path"])  # bytes; text in rows of earlier versions
    values["scores"] = json.loads(values["scores"])
    return Record(**values)
