"""Tempi, beat grids and keys in the library of Mixxx, an SQLite file that only Mixxx makes.

Mixxx takes a beat grid from nowhere else: playlists and tags have none, and of the libraries of
Traktor and iTunes it reads tempi only. So rows of its tracks are changed, and only of tracks that
it knows. All of it happens in a copy, which is proven and then takes the place of the file; the
file as it was stays beside it. Nothing is done while Mixxx runs.

The layout is that of Mixxx 2.0 to 2.5, `res/schema.xml` there; grids and keys are messages of
Protocol Buffers, `src/proto/beats.proto` and `keys.proto`.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..beatgrid import Grid
from ..clock import Player
from ..errors import StorageError, reason
from ..keys import Key
from .track import ExportTrack, with_slashes

KEPT = ".before-tempo-export"  # ending of the file as it was
OLDEST_LAYOUT = 19  # Mixxx 2.0, the first with the column of keys
STEADY, CHANGING, KEYS = "BeatGrid-2.0", "BeatMap-1.0", "KeyMap-1.0"
_BY_PERSON = 2  # source of a key, which Mixxx does not analyse again
_MAJOR = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR = ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm")
_BACKUP_PAGES = 1000
_LOCK_WAIT = 1000  # [ms] for another program that holds the file


@dataclass
class Updated:
    """What an export has done: tracks changed, not known to Mixxx, and locked there."""

    changed: list[ExportTrack] = field(default_factory=list)
    unknown: list[ExportTrack] = field(default_factory=list)
    locked: list[ExportTrack] = field(default_factory=list)


def update(
    path: Path, tracks: Sequence[ExportTrack], playlist: str | None, player: Player
) -> Updated:
    """Change the rows of tracks in Mixxx's library, and add them to a playlist if it has a name.

    Parameters
    ----------
    path
        `mixxxdb.sqlite`.
    player
        The clock of this Mixxx, `Player.MIXXX` or `Player.MIXXX_MAC`.

    Raises
    ------
    StorageError
        If Mixxx runs, the file is in use or none of Mixxx, or it cannot be written. It is unchanged
        then.
    """
    path = path.resolve()  # a link must lead to the new file too
    _refuse_unsafe(path)
    before = _state(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _copy(path, part)
        with closing(sqlite3.connect(part, isolation_level=None)) as db:
            _check_layout(db, path)
            db.execute("BEGIN")
            done, rows = _change(db, tracks, player)
            if playlist is not None:
                _add_to_playlist(db, playlist, [id_ for id_, _ in rows])
            db.execute("COMMIT")
        with closing(sqlite3.connect(part)) as db:
            _prove(db, rows)
        _flush(part)
        if done.changed or (playlist is not None and rows):
            kept = path.with_name(path.name + KEPT)
            kept_part = kept.with_name(f".{kept.name}.{os.getpid()}.part")
            shutil.copy2(path, kept_part)
            kept_part.replace(kept)
            _refuse_unsafe(path)
            if _state(path) != before:
                raise StorageError(f"{path} was changed meanwhile; close Mixxx and try again")
            shutil.copymode(path, part)
            part.replace(path)
        return done
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise StorageError(f"{path} is in use by another program; close it first") from error
        raise StorageError(
            f"{path} is not a library of Mixxx that can be used ({error})"
        ) from error
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {reason(error)}") from error
    finally:
        for ending in ("", "-journal", "-wal", "-shm"):
            part.with_name(part.name + ending).unlink(missing_ok=True)


def is_running() -> bool:
    """Whether a Mixxx runs, of whoever; False where that cannot be found out."""
    names = set()
    for process in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            names.add(process.read_text().strip())
    if not names:
        command = ["tasklist", "/fo", "csv", "/nh"] if os.name == "nt" else ["ps", "-axo", "comm"]
        with suppress(OSError, subprocess.SubprocessError):
            told = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
            names = {line.split(",")[0].strip('" ') for line in told.stdout.splitlines()}
    return any(Path(name).stem.lower() == "mixxx" for name in names)


def _refuse_unsafe(path: Path) -> None:
    """Raise a `StorageError` if the file is missing or in use."""
    if not path.is_file():
        raise StorageError(
            f"{path}: there is no such file; Mixxx makes mixxxdb.sqlite in its settings folder "
            "when it first starts"
        )
    if is_running():
        raise StorageError("Mixxx is running; close it first, since it writes to its library too")
    for ending in ("-wal", "-journal"):
        beside = path.with_name(path.name + ending)
        if beside.exists() and beside.stat().st_size:
            raise StorageError(f"{beside} is there: Mixxx did not end well; start it and close it")


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _copy(path: Path, part: Path) -> None:
    """Copy a database that nobody else may change meanwhile."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as db, closing(sqlite3.connect(part)) as copy:
        db.execute(f"PRAGMA busy_timeout = {_LOCK_WAIT}")
        # `backup` waits for a lock for ever, and meanwhile for no Ctrl-C: this fails in its place.
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        db.backup(copy, pages=_BACKUP_PAGES)


def _check_layout(db: sqlite3.Connection, path: Path) -> None:
    """Raise a `StorageError` if a database is not one that this module knows."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    if not {"library", "track_locations", "settings", "Playlists", "PlaylistTracks"} <= tables:
        raise StorageError(f"{path} is not a library of Mixxx")
    (layout,) = db.execute(
        "SELECT max(CAST(value AS INTEGER)) FROM settings WHERE name = 'mixxx.schema.version'"
    ).fetchone()
    if (layout or 0) < OLDEST_LAYOUT:
        raise StorageError(f"{path} is of a Mixxx before 2.0; start a newer one with it first")


Row = tuple[int, dict[str, object]]  # id in the library, and the values of columns


def _change(
    db: sqlite3.Connection, tracks: Sequence[ExportTrack], player: Player
) -> tuple[Updated, list[Row]]:
    """Change the rows of tracks; returns also the rows of all that Mixxx knows."""
    done, rows, known = Updated(), [], _known(db)
    for track in tracks:
        found = known.get(with_slashes(track.path).encode("utf-8", "replace"))
        if found is None:
            done.unknown.append(track)
            continue
        id_, sr, duration, is_locked = found
        grid = None if is_locked else track.grid_of(player)
        values = dict(_beats(grid, sr or track.sample_rate, duration or track.duration, track.bpm))
        values |= _keys(track.key)
        if is_locked and track.grid:
            done.locked.append(track)
        if values:
            settings = ", ".join(f"{name} = ?" for name in values)
            db.execute(f"UPDATE library SET {settings} WHERE id = ?", (*values.values(), id_))
            done.changed.append(track)
        rows.append((id_, values))
    return done, rows


def _known(db: sqlite3.Connection) -> dict[bytes, tuple[int, int, float, int]]:
    """Id, sample rate, duration and lock of all tracks by their paths, in one pass.

    The paths are bytes, because one that is no text would end the export of all others.

    Without an index on `library.location`, which Mixxx need not have, a query for each track would
    go through all of them.
    """
    rows = db.execute(
        "SELECT CAST(track_locations.location AS BLOB), library.id, samplerate, duration, bpm_lock "
        "FROM library JOIN track_locations ON library.location = track_locations.id "
        "ORDER BY library.id DESC"
    )
    return {location: tuple(values) for location, *values in rows}


def _beats(
    grid: Grid | None, sr: int, duration: float, bpm: float | None
) -> Iterator[tuple[str, object]]:
    """Columns of the beats of a track."""
    if grid is None or not sr:
        return
    if grid.is_steady:
        section = grid.sections[0]
        version, tempo = STEADY, section.bpm
        content = _message(1, b"\x09" + struct.pack("<d", tempo))
        content += _message(2, _frame(section.begin, sr))
    else:
        version, tempo = CHANGING, bpm or grid.sections[0].bpm
        beats = [time for time, _ in grid.beats(duration)]
        if len(beats) < 2:
            return
        content = b"".join(_message(1, _frame(time, sr)) for time in beats)
    yield "bpm", tempo
    yield "beats", content
    yield "beats_version", version
    yield "beats_sub_version", ""


def _keys(key: Key | None) -> dict[str, object]:
    """Columns of the key of a track."""
    if key is None:
        return {}
    name = (_MINOR if key.minor else _MAJOR)[key.pitch_class]
    number = 1 + key.pitch_class + 12 * key.minor
    content = b"\x08" + _varint(number) + _message(2, name.encode()) + b"\x20" + _varint(_BY_PERSON)
    return {
        "key": name, "key_id": number, "keys": content, "keys_version": KEYS,
        "keys_sub_version": "",
    }  # fmt: skip


def _frame(time: float, sr: int) -> bytes:
    """A beat at a time [s]; of both channels together a sample is a frame."""
    return b"\x08" + _varint(max(0, round(time * sr)))


def _message(number: int, content: bytes) -> bytes:
    """Field of a message with a message or a text in it."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """A whole number from 0, seven bits a byte."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _add_to_playlist(db: sqlite3.Connection, name: str, ids: Sequence[int]) -> None:
    """Add tracks to a playlist that has them not yet; it is made if there is none of the name."""
    found = db.execute("SELECT id FROM Playlists WHERE name = ? AND hidden = 0", (name,)).fetchone()
    if found is None:
        (place,) = db.execute("SELECT coalesce(max(position), 0) + 1 FROM Playlists").fetchone()
        cursor = db.execute(
            "INSERT INTO Playlists (name, position, hidden, date_created, date_modified) "
            "VALUES (?, ?, 0, datetime('now'), datetime('now'))",
            (name, place),
        )
        found = (cursor.lastrowid,)
    (id_,) = found
    has = {track for (track,) in db.execute(
        "SELECT track_id FROM PlaylistTracks WHERE playlist_id = ?", (id_,)
    )}  # fmt: skip
    (last,) = db.execute(
        "SELECT coalesce(max(position), 0) FROM PlaylistTracks WHERE playlist_id = ?", (id_,)
    ).fetchone()
    new = [track for track in dict.fromkeys(ids) if track not in has]
    db.executemany(
        "INSERT INTO PlaylistTracks (playlist_id, track_id, position, pl_datetime_added) "
        "VALUES (?, ?, ?, datetime('now'))",
        [(id_, track, place) for place, track in enumerate(new, last + 1)],
    )


def _prove(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Raise a `StorageError` unless the file is sound and every row has its values."""
    if db.execute("PRAGMA quick_check").fetchone() != ("ok",):
        raise StorageError("the changed copy of Mixxx's library is damaged; nothing was changed")
    for id_, values in rows:
        if values:
            found = db.execute(f"SELECT {', '.join(values)} FROM library WHERE id = ?", (id_,))
            if found.fetchone() != tuple(values.values()):
                raise StorageError("a changed row reads back otherwise; nothing was changed")


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
