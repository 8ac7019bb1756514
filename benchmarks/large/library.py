"""A beets library of any number of analysed tracks, for `scale.py`.

The schema is that of a real library, into which the plugin has analysed one track; the rows are
written with SQL. Each track has a file of its own with its own tags, and beside the library lie a
store of sounds and one of labels with as many entries. All of it follows from the seed. Commands
run in FOLDER/run; FOLDER/made has what they start from.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .stores import SEED, fill_labels, fill_sounds

MODEL, KEY_MODEL = "model:tempo-20261128@f00cd0d1", "model:key-20261128@7e8e522d"
KEYS = ("Am", "Em", "Bm", "Dm", "Gm", "Cm", "Fm", "A#", "D#", "G#")  # as beets spells them
GENRES = (
    "House", "Techno", "Trance", "Rock", "Indie Rock", "Metal", "Jazz", "Soul", "Funk", "Disco",
    "Hip Hop", "Ambient", "Folk", "Country", "Blues", "Reggae", "Punk", "Pop", "Salsa", "Grime",
)  # fmt: skip
ALBUM_SIZE, N_NEW = 12, 20
NEW_DURATION, DURATION = 20.0, 4.0  # [s]
CONFIG = """
library: {run}/library.db
directory: {run}/music
plugins: tempo
create_backup_before_migrations: no
import: {{copy: no, write: no, autotag: no, duplicate_action: keep}}
tempo:
    sources: [deezer]
    threads: 1
    player: no
    labels: {{trainable: [tags, deezer]}}
    notes: {{out: {run}/notes}}
"""


@dataclass(frozen=True)
class Track:
    """A track as it is made up."""

    id: int
    tempo: float  # [BPM]
    key: str
    genre: str
    source: str
    gain: float  # [dB]

    @property
    def bpm(self) -> int:
        """The tempo as a whole number, as people count it."""
        return int(self.tempo / (1.4 if self.contradicts else 1) + 0.5)

    @property
    def contradicts(self) -> bool:
        """Whether its tempo is another than that of the audio."""
        return self.source != MODEL and self.id // 200 % 2 == 1

    @property
    def texts(self) -> dict[str, str]:
        """Tags of the file, each as long as that of any other track."""
        return {
            "title": f"title {self.id:07}",
            "artist": f"artist {self.id // 40:06}",
            "album": f"album {self.album:06}",
            "initial_key": self.key,
            "bpm": f"{self.bpm:03}",
        }

    @property
    def album(self) -> int:
        """Id of its album."""
        return 1 + (self.id - 1) // ALBUM_SIZE

    @property
    def path(self) -> str:
        """Path of its file in the folder of the library."""
        return f"{self.id // 500:03}/{self.id:07}.mp3"


def tracks(n: int) -> Iterator[Track]:
    """Make up tracks; one in 100 has a tempo of its own, by a tag or a person."""
    rng = random.Random(SEED)
    for id_ in range(1, n + 1):
        source = {0: "tag", 50: "manual"}.get(id_ % 200, MODEL)
        yield Track(
            id_, round(rng.triangular(100, 189, 125), 2), rng.choice(KEYS), rng.choice(GENRES),
            source, rng.gauss(-8, 3),
        )  # fmt: skip


def make(where: str, number: str) -> None:
    """Make a library of a number of tracks in a folder."""
    folder, n = Path(where), int(number)
    made, run = folder / "made", folder / "run"
    made.mkdir(parents=True)
    run.mkdir()
    (run / "config.yaml").write_text(CONFIG.format(run=run))
    _begin(run, made)
    n_albums = 1 + (n - 1) // ALBUM_SIZE
    for track in tracks(n + ALBUM_SIZE):
        music = made / "music" / track.path
        path = music if track.id <= n else folder / "album" / music.name
        _write_audio(track, path)
    link_music(str(made), str(run))
    with closing(sqlite3.connect(made / "library.db")) as db, db:
        _fill(db, n, n_albums, run / "music")
    fill_sounds(made, run)
    fill_labels(made, run)


def link_music(made: str, run: str) -> None:
    """Give the folder in which commands run the files; what changed in it before is gone."""
    for name in ("music", "other"):  # their links count: without one a file has changed
        shutil.rmtree(Path(run, name), ignore_errors=True)
    shutil.copytree(Path(made, "music"), Path(run, "music"), copy_function=os.link)


def _begin(run: Path, made: Path) -> None:
    """Let beets and the plugin make a library of one track, and take the file without rows."""
    from bench import run_child

    source = run / "first.mp3"
    _write_audio(next(tracks(1)), source)
    run_child([sys.executable, "-m", "beets", "import", "-q", str(source)], {"BEETSDIR": str(run)})
    with closing(sqlite3.connect(run / "library.db")) as db, db:
        for table in ("items", "item_attributes", "albums", "album_attributes"):
            db.execute(f"DELETE FROM {table}")
    (run / "library.db").rename(made / "library.db")
    source.unlink()


_TEMPLATES: dict[float, tuple[bytes, dict[str, int]]] = {}


def _write_audio(track: Track, path: Path) -> None:
    """Write the file of a track: that of a template, with other tags in the same places."""
    duration = NEW_DURATION if track.id <= N_NEW else DURATION
    if duration not in _TEMPLATES:
        _TEMPLATES[duration] = _template(duration, path.parent)
    content, places = _TEMPLATES[duration]
    data = bytearray(content)
    for name, text in track.texts.items():
        data[places[name] : places[name] + len(text)] = text.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _template(duration: float, folder: Path) -> tuple[bytes, dict[str, int]]:
    """A file, and where in it the text of each tag begins."""
    import numpy as np
    from mediafile import MediaFile

    from tests.audio import drum_pattern, write_audio

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "template.mp3"
    write_audio(
        path, drum_pattern(126, duration, 44100, "house", np.random.default_rng(SEED)), 44100
    )
    marks = {
        "title": "title #######", "artist": "artist ######", "album": "album ######",
        "initial_key": "##", "bpm": "997",
    }  # fmt: skip
    media = MediaFile(path)
    media.update({**marks, "bpm": 997})
    media.save()
    content = path.read_bytes()
    path.unlink()
    return content, {name: content.index(mark.encode()) for name, mark in marks.items()}


def _fill(db: sqlite3.Connection, n: int, n_albums: int, music: Path) -> None:
    """Write the rows of all tracks and albums."""
    columns = (
        "id", "path", "title", "artist", "albumartist", "album", "album_id", "track", "genres",
        "bpm", "initial_key", "length", "format", "bitrate", "samplerate", "year", "mtime",
        "added", "rg_track_gain", "mb_trackid",
    )  # fmt: skip
    marks = ", ".join("?" * len(columns))
    insert = f"INSERT INTO items ({', '.join(columns)}) VALUES ({marks})"
    for track in tracks(n):
        texts, status = track.texts, (music / track.path).stat()
        length = NEW_DURATION if track.id <= N_NEW else DURATION
        db.execute(insert, (
            track.id, track.path.encode(), texts["title"], texts["artist"], texts["artist"],
            texts["album"], track.album, 1 + (track.id - 1) % ALBUM_SIZE, track.genre, track.bpm,
            track.key, length, "MP3", 128000, 44100, 1970 + track.id % 50, status.st_mtime,
            1.0, track.gain, f"recording-{track.id}",
        ))  # fmt: skip
        if not track.id % 20:  # for suggestions
            db.execute("UPDATE items SET genres = '' WHERE id = ?", (track.id,))
        db.executemany(
            "INSERT INTO item_attributes (entity_id, key, value) VALUES (?, ?, ?)",
            [(track.id, key, str(value)) for key, value in fields(track, status).items()],
        )
    for album in range(1, n_albums + 1):
        artist = f"artist {(album * ALBUM_SIZE) // 40:06}"
        db.execute(
            "INSERT INTO albums (id, album, albumartist, added) VALUES (?, ?, ?, 1)",
            (album, f"album {album:06}", artist),
        )


def fields(track: Track, status: os.stat_result) -> dict[str, Any]:
    """The flexible fields that an analysis of the track leaves."""
    tempo = track.tempo
    found: dict[str, Any] = {
        "tempo_bpm": tempo,
        "tempo_half": round(tempo / 2, 2),
        "tempo_double": round(tempo * 2, 2),
        "tempo_confidence": 0.93,
        "tempo_octave_confidence": 0.55 if track.id % 50 == 7 else 0.97,
        "tempo_stability": 0.99,
        "tempo_paces": f"{tempo:.1f}:0.97 {tempo / 2:.1f}:0.71 {tempo * 2:.1f}:0.08",
        "tempo_source": track.source,
        "tempo_verdict": "set",
        "tempo_first_beat": 0.25,
        "tempo_beat_confidence": 0.96,
        "tempo_key": track.key,
        "tempo_key_source": KEY_MODEL,
        "tempo_key_marker": f"{track.key} {KEY_MODEL}",
        "tempo_key_confidence": 0.9,
        "tempo_file_key": track.key,
        "tempo_file_key_seen": f"{track.key} {status.st_mtime_ns}.{status.st_ctime_ns}",
    }
    if track.source == MODEL:
        found["tempo_marker"] = f"{tempo:.2f} {MODEL}"
    else:
        found["tempo_verdict"] = "conflict" if track.contradicts else "kept"
        found["tempo_key_source"] = "tag"
        del found["tempo_key_marker"]
    if track.id % 100 == 3:
        found["tempo_paces_manual"] = f"{tempo:.0f}"
    return found


def stamp_keys(database: str, run: str) -> None:
    """Note the times that the files have now, as they were linked again."""
    with closing(sqlite3.connect(database)) as db, db:
        rows = db.execute("SELECT id, path, initial_key FROM items").fetchall()
        values = []
        for id_, path, key in rows:
            status = Path(run, "music", os.fsdecode(path)).stat()
            values.append((f"{key} {status.st_mtime_ns}.{status.st_ctime_ns}", id_))
        db.executemany(
            "UPDATE item_attributes SET value = ? "
            "WHERE entity_id = ? AND key = 'tempo_file_key_seen'",
            values,
        )
