"""What lies beside a large library: what its tracks sound like, labels, and Mixxx's own library."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

SEED = 0


def fill_sounds(made: Path, run: Path) -> None:
    """Make the store of sounds with random embeddings, and the fields with their words."""
    import numpy as np

    from beetsplug.tempo.sounds import STORE, tags_model
    from tempo_core.embeddings import _TABLES, LAYOUT
    from tempo_core.tasks.tags.decode import embedding_name, tag_probabilities, tag_texts, tags_of

    model, rng = tags_model(), np.random.default_rng(SEED)
    n_dims, name = model.config.model.n_dims, embedding_name(model)
    with (
        closing(sqlite3.connect(made / "library.db")) as library, library,
        closing(sqlite3.connect(made / STORE)) as db, db,
    ):  # fmt: skip
        for table in _TABLES:
            db.execute(table)
        db.execute(f"PRAGMA user_version = {LAYOUT}")
        db.execute("INSERT INTO models VALUES (?, ?)", (name, n_dims))
        rows = library.execute("SELECT id, path FROM items ORDER BY id").fetchall()
        for start in range(0, len(rows), 5000):
            some = rows[start : start + 5000]
            embeddings = rng.normal(size=(len(some), n_dims)).astype("<f2")
            texts = tag_texts(tag_probabilities(embeddings, model), tags_of(model.config))
            for (id_, path), embedding, text in zip(some, embeddings, texts, strict=True):
                file, content = run / "music" / os.fsdecode(path), id_.to_bytes(16, "big")
                status = file.stat()
                seen = (os.fsencode(file), status.st_size, status.st_mtime_ns, content)
                db.execute("INSERT INTO files VALUES (?, ?, ?, ?)", seen)
                db.execute(
                    "INSERT INTO sounds VALUES (?, ?, ?)", (content, name, embedding.tobytes())
                )
                library.execute(
                    "INSERT INTO item_attributes (entity_id, key, value) "
                    "VALUES (?, 'sound_tags', ?)",
                    (id_, text),
                )


def fill_labels(made: Path, run: Path) -> None:
    """Make the store of labels: the answer of a site about every track, a tempo for one in 100."""
    import beets
    from beets.library import Library
    from beets.plugins import load_plugins

    from beetsplug.tempo.describing import described
    from beetsplug.tempo.selecting import items_of
    from tempo_core.labels.record import Record, Status
    from tempo_core.labels.store import _FIELDS, Store, _values

    beets.config["plugins"] = ["tempo"]
    load_plugins()  # for the types of the fields
    library = Library(str(made / "library.db"), str(run / "music"))
    with library.transaction() as transaction:
        ids = [row[0] for row in transaction.query("SELECT id FROM items")]
    with Store(made / "labels.db") as store:
        store._db.execute("BEGIN")
        marks = ", ".join("?" * len(_FIELDS))
        for item in items_of(library, ids):
            track, has_tempo = described(item, None), (item.id or 0) % 100 == 11
            record = Record(
                track.id, "deezer", Status.FOUND if has_tempo else Status.NOT_FOUND, "",
                track.artist, track.title, "2026-11-29T00:00:00+00:00", 2, track.path,
                **(_label(item.bpm) if has_tempo else {}),
            )  # fmt: skip
            store._db.execute(
                f"INSERT INTO labels ({', '.join(_FIELDS)}) VALUES ({marks})",
                _values(record, _FIELDS),
            )
        store._db.execute("COMMIT")
        store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    library._close()


def _label(bpm: int) -> dict[str, Any]:
    """What is in a record with a tempo that the audio agrees with."""
    from tempo_core.labels.record import LabelVerdict

    return {"raw_bpm": str(bpm), "bpm": float(bpm), "verdict": LabelVerdict.AGREE}


def make_mixxx(path: str, run: str, database: str) -> None:
    """A library of Mixxx that knows all tracks."""
    from tests.tempo_core.exports.test_mixxx import LAYOUT

    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(LAYOUT)
        with closing(sqlite3.connect(database)) as library:
            for id_, file in library.execute("SELECT id, path FROM items"):
                location = str(Path(run, "music", os.fsdecode(file)))
                db.execute("INSERT INTO track_locations VALUES (?, ?)", (id_, location))
                db.execute(
                    "INSERT INTO library (id, location, duration, samplerate) "
                    "VALUES (?, ?, 4, 44100)", (id_, id_),
                )  # fmt: skip
