"""The library of Mixxx: what is changed in it, what is not, and when it is left alone."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tempo_core.beatgrid import Grid, Section, steady
from tempo_core.clock import Player
from tempo_core.errors import StorageError
from tempo_core.exports import mixxx
from tempo_core.exports.track import ExportTrack
from tempo_core.keys import Key

from .conftest import LAME

LAYOUT = """
CREATE TABLE settings (name TEXT UNIQUE NOT NULL, value TEXT);
CREATE TABLE track_locations (id INTEGER PRIMARY KEY AUTOINCREMENT, location TEXT UNIQUE);
CREATE TABLE library (
  id INTEGER PRIMARY KEY AUTOINCREMENT, location INTEGER REFERENCES track_locations, title TEXT,
  duration FLOAT, samplerate INTEGER, bpm FLOAT, bpm_lock INTEGER DEFAULT 0, beats BLOB,
  beats_version TEXT, beats_sub_version TEXT DEFAULT '', key TEXT DEFAULT '',
  key_id INTEGER DEFAULT 0, keys BLOB, keys_version TEXT, keys_sub_version TEXT);
CREATE TABLE Playlists (id INTEGER PRIMARY KEY, name TEXT, position INTEGER,
  hidden INTEGER DEFAULT 0 NOT NULL, date_created datetime, date_modified datetime);
CREATE TABLE PlaylistTracks (id INTEGER PRIMARY KEY, playlist_id INTEGER, track_id INTEGER,
  position INTEGER, pl_datetime_added);
INSERT INTO settings VALUES ('mixxx.schema.version', '39');
INSERT INTO Playlists VALUES (1, 'Auto DJ', 1, 1, '', ''), (2, 'Set', 2, 0, '', '');
INSERT INTO PlaylistTracks VALUES (1, 2, 1, 1, '');
"""
PATHS = ("/music/a.mp3", "/music/b.flac", "C:/Music/c.mp3", "/music/other.mp3")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A library of Mixxx with four tracks."""
    path = tmp_path / "mixxxdb.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(LAYOUT)
        for k, place in enumerate(PATHS, 1):
            db.execute("INSERT INTO track_locations VALUES (?, ?)", (k, place))
            db.execute(
                "INSERT INTO library (id, location, duration, samplerate, bpm) "
                "VALUES (?, ?, 10, 44100, 99)",
                (k, k),
            )
    return path


@pytest.fixture(autouse=True)
def _no_other_mixxx(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have Mixxx open."""
    monkeypatch.setattr(mixxx, "is_running", lambda: False)


def rows(path: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute("SELECT * FROM library ORDER BY id")]


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Numbers and values of the fields of a message of Protocol Buffers, by its description."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            yield number, varint()
        elif kind == 1:
            yield number, struct.unpack("<d", data[at : at + 8])[0]
            at += 8
        else:
            assert kind == 2
            size = varint()
            yield number, data[at : at + size]
            at += size


def test_tempo_grid_and_key_are_set_and_nothing_else(database: Path) -> None:
    before = rows(database)
    tracks = [
        ExportTrack(
            PATHS[0], bpm=127.98, grid=steady(0.5, 127.98, 0.5), key=Key(3, True), clock=LAME
        ),
        ExportTrack("/music/unknown.mp3", bpm=120.0),
        ExportTrack("C:\\Music\\c.mp3", key=Key(0, False)),
    ]
    done = mixxx.update(database, tracks, None, Player.MIXXX)
    assert (done.changed, done.unknown) == ([tracks[0], tracks[2]], [tracks[1]])
    first, second, third, other = rows(database)
    assert (second, other) == (before[1], before[3])
    assert (first["bpm"], first["beats_version"], first["beats_sub_version"]) == (
        127.98, "BeatGrid-2.0", "",
    )  # fmt: skip
    (_, bpm), (_, beat) = fields(first["beats"])
    assert dict(fields(bpm)) == {1: 127.98}
    assert dict(fields(beat)) == {1: round(0.5 * 44100) + 1105}  # with the delay, which it plays
    assert (first["key"], first["key_id"], first["keys_version"]) == ("Ebm", 16, "KeyMap-1.0")
    assert list(fields(first["keys"])) == [(1, 16), (2, b"Ebm"), (4, 2)]
    assert (third["key"], third["key_id"], third["bpm"], third["beats"]) == ("C", 1, 99, None)


def test_tracks_are_found_in_one_pass(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    connect = sqlite3.connect

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.set_trace_callback(asked.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    tracks = [ExportTrack(path, key=Key(0, False)) for path in PATHS]
    assert mixxx.update(database, tracks, None, Player.MIXXX).changed == tracks
    assert sum("track_locations.location" in statement for statement in asked) == 1


def test_paths_of_other_tracks_need_not_be_text(database: Path) -> None:
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("INSERT INTO track_locations VALUES (9, CAST(x'2fff' AS TEXT))")
        db.execute("INSERT INTO library (id, location) VALUES (9, 9)")
    track = ExportTrack(PATHS[0], key=Key(0, False))
    assert mixxx.update(database, [track], None, Player.MIXXX).changed == [track]


def test_a_message_as_mixxx_writes_it() -> None:
    """The same bytes as Mixxx 2.3.3 stored for 128 BPM, but for the place of the beat."""
    columns = dict(mixxx._beats(steady(0.25, 128.0), 44100, 4.0, 128.0))
    assert columns["beats"] == bytes.fromhex("0A09090000000000006040120308") + b"\x91\x56"
    assert mixxx._keys(Key(0, True))["keys"][:2] == bytes.fromhex("080D")  # type: ignore[index]


def test_a_changing_tempo_becomes_a_map_of_beats(database: Path) -> None:
    grid = Grid((Section(1.0, 60.0), Section(4.0, 120.0)))
    mixxx.update(database, [ExportTrack(PATHS[1], grid=grid, bpm=100.0)], None, Player.MIXXX)
    row = rows(database)[1]
    assert (row["bpm"], row["beats_version"]) == (100.0, "BeatMap-1.0")
    beats = [dict(fields(beat))[1] / 44100 for _, beat in fields(row["beats"])]
    assert beats == pytest.approx([1, 2, 3, *[4 + k / 2 for k in range(12)]], abs=1e-4)


def test_what_is_locked_there_stays(database: Path) -> None:
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("UPDATE library SET bpm_lock = 1 WHERE id = 1")
    track = ExportTrack(PATHS[0], bpm=120.0, grid=steady(0, 120.0), key=Key(9, True))
    done = mixxx.update(database, [track], None, Player.MIXXX)
    assert done.locked == [track]
    row = rows(database)[0]
    assert (row["bpm"], row["beats"], row["key"]) == (99, None, "Am")


def test_a_playlist_is_made_or_added_to(database: Path) -> None:
    tracks = [ExportTrack(path, key=Key(0, True)) for path in PATHS[:2]]
    for name in ("New", "Set", "Set"):
        mixxx.update(database, tracks, name, Player.MIXXX)
    with closing(sqlite3.connect(database)) as db:
        lists = db.execute("SELECT id, name, hidden FROM Playlists ORDER BY id").fetchall()
        has = db.execute("SELECT playlist_id, track_id, position FROM PlaylistTracks").fetchall()
    assert lists == [(1, "Auto DJ", 1), (2, "Set", 0), (3, "New", 0)]
    assert sorted(has) == [(2, 1, 1), (2, 2, 2), (3, 1, 1), (3, 2, 2)]


def test_the_file_as_it_was_is_kept_beside_it(database: Path) -> None:
    old = database.read_bytes()
    mixxx.update(database, [ExportTrack(PATHS[0], key=Key(0, True))], None, Player.MIXXX)
    assert database.with_name(database.name + mixxx.KEPT).read_bytes() == old
    assert len(list(database.parent.iterdir())) == 2


def test_nothing_is_written_if_nothing_changes(database: Path) -> None:
    old = database.read_bytes()
    mixxx.update(database, [ExportTrack("/no.mp3", key=Key(0, True))], None, Player.MIXXX)
    assert database.read_bytes() == old
    assert [path.name for path in database.parent.iterdir()] == [database.name]


def digest(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


@pytest.mark.slow
def test_a_file_in_use_is_left_alone_and_not_waited_for(database: Path) -> None:
    """The copying of SQLite waits for a lock without end, and for no Ctrl-C."""
    code = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "db.execute('BEGIN EXCLUSIVE'); print(flush=True); input()"
    )
    before = digest(database.parent)
    with subprocess.Popen(
        [sys.executable, "-c", code, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            with pytest.raises(StorageError, match="in use by another program"):
                mixxx.update(database, [ExportTrack(PATHS[0], bpm=120.0)], None, Player.MIXXX)
        finally:
            process.kill()
    assert digest(database.parent) == before


@pytest.mark.skipif(os.name == "nt", reason="making links needs rights there")
def test_where_a_link_leads_is_updated(database: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "mixxxdb.sqlite"
    link.parent.mkdir()
    link.symlink_to(database)
    mixxx.update(link, [ExportTrack(PATHS[0], key=Key(0, True))], None, Player.MIXXX)
    assert link.is_symlink()
    assert rows(database)[0]["key"] == "Cm"


@pytest.mark.parametrize(
    "case", ["running", "journal", "other", "old", "damaged", "text", "missing"]
)
def test_it_is_left_alone(case: str, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "running": "Mixxx is running", "journal": "did not end well", "old": "before 2.0",
        "other": "is not a library of Mixxx", "damaged": "malformed|damaged",
        "text": "not a database", "missing": "there is no such file",
    }[case]  # fmt: skip
    if case == "running":
        monkeypatch.setattr(mixxx, "is_running", lambda: True)
    elif case == "journal":
        database.with_name(database.name + "-journal").write_bytes(b"x" * 600)
    elif case == "missing":
        database.unlink()
    elif case == "text":
        database.write_text("this is no database" * 100)
    elif case == "damaged":
        data = bytearray(database.read_bytes())
        for page in range(4096, len(data), 4096):
            data[page : page + 200] = bytes(range(200))
        database.write_bytes(data)
    else:
        with closing(sqlite3.connect(database)) as db, db:
            db.execute(
                "DROP TABLE library" if case == "other" else "UPDATE settings SET value = 12"
            )
    before = digest(database.parent)
    with pytest.raises(StorageError, match=told):
        mixxx.update(database, [ExportTrack(PATHS[0], key=Key(0, True))], "x", Player.MIXXX)
    assert digest(database.parent) == before


def test_a_running_mixxx_is_noticed(tmp_path: Path) -> None:
    if sys.platform != "linux" or shutil.which("sleep") is None:
        pytest.skip("makes a program of that name from another one, on Linux")
    program = tmp_path / "mixxx"
    program.symlink_to(Path(str(shutil.which("sleep"))))
    code = "from tempo_core.exports.mixxx import is_running; print(is_running())"
    with subprocess.Popen([program, "60"]) as process:
        try:
            found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        finally:
            process.kill()
    assert found.stdout == "True\n"


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_a_sound_library(database: Path, tmp_path: Path) -> None:
    old = database.read_bytes()
    code = (
        "import sys; from pathlib import Path; from tempo_core.exports import mixxx;"
        "from tempo_core.exports.track import ExportTrack; from tempo_core.keys import Key;"
        "from tempo_core.clock import Player; mixxx.is_running = lambda: False; print(flush=True);"
        f"tracks = [ExportTrack(path, key=Key(4, True)) for path in {PATHS}];"
        f"mixxx.update(Path({str(database)!r}), tracks, 'Set', Player.MIXXX)"
    )
    for k in range(20):
        database.write_bytes(old)
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ}
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                process.wait(0.001 * k)
            except subprocess.TimeoutExpired:
                process.kill()
        keys = {row["key"] for row in rows(database)}
        assert keys in ({""}, {"Em"})
