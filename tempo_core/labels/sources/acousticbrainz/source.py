"""The last dump of AcousticBrainz (2022, CC0), looked up by MusicBrainz recording id.

No network is used: `build` first reads the tables of the dump (`….csv`, `….csv.zst` or `….tar.zst`)
into an SQLite file. Many recordings were submitted more than once; the values of the majority of
the submissions are used.
"""

from __future__ import annotations

import csv
import io
import os
import sqlite3
import statistics
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from ....errors import ConfigError, LabelError, reason
from ...crosscheck import same_tempo
from ...record import Candidate, TrackQuery

INDEX_LAYOUT = 0x7E4B0001  # application id and layout version of the file in one number
MAJORITY = 2 / 3  # share of the submissions that must be within 4 % of their median
BATCH_ROWS = 50_000  # rows written at a time


class AcousticBrainz:
    """See `LabelSource`."""

    name = "acousticbrainz"
    parser_version = 1

    def __init__(self, path: Path | None) -> None:
        if path is None:
            raise ConfigError(
                "acousticbrainz needs the file that `tempo-core acousticbrainz-index` makes from "
                "the dump; name it"
            )
        try:
            # The sources are made in one thread and asked in another.
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
            )
            (layout,) = self._db.execute("PRAGMA application_id").fetchone()
        except sqlite3.Error as error:
            raise LabelError(f"{path}: cannot be opened ({error})") from error
        if layout != INDEX_LAYOUT:
            raise LabelError(f"{path}: was not made by `tempo-core acousticbrainz-index`")

    def missing(self, track: TrackQuery) -> str:
        return "" if _id(track.recording_id or "") else "a MusicBrainz recording id"

    def search(self, track: TrackQuery) -> Iterator[list[Candidate]]:
        recording = _id(track.recording_id or "")
        rows = self._db.execute(
            "SELECT bpm, key FROM submissions WHERE recording = ? ORDER BY number", (recording,)
        ).fetchall()
        url = f"https://acousticbrainz.org/{track.recording_id}"
        tempi = [bpm for bpm, _ in rows if bpm]
        if not tempi:
            yield []
            return
        median = statistics.median_low(tempi)
        agreeing = [bpm for bpm in tempi if same_tempo(bpm, median)]
        agreed = len(agreeing) >= MAJORITY * len(tempi)
        keys = [key for _, key in rows if key]
        key = max(keys, key=keys.count) if keys else None
        if keys.count(key) <= len(keys) / 2:
            key = None
        # The id identifies the recording, so the names and the duration of the track are used.
        yield [
            Candidate(
                source_id=str(track.recording_id),
                url=url,
                title=track.title,
                artists=track.artists,
                album=track.album,
                duration=track.duration,
                isrc=track.isrc,
                raw_bpm=f"{bpm:.2f}",
                raw_key=key,
                complete=True,
                certain=True,
            )
            for bpm in ([median] if agreed else sorted(set(tempi)))
        ]

    def label(self, candidate: Candidate) -> Candidate:
        return candidate


def build(dumps: list[Path], target: Path) -> int:
    """Read tables of the dump into a new file; returns the number of recordings with a tempo.

    If this fails, no file is left and an existing one is kept.

    Parameters
    ----------
    dumps
        Files with the `rhythm` table and, for keys, the `tonal` table.
    target
        SQLite file to make.

    Raises
    ------
    LabelError
        If a table cannot be read or the file cannot be written.
    """
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    db = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(part)
        # No protection against crashes is needed: an unfinished file is never used.
        db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            f"PRAGMA application_id = {INDEX_LAYOUT};"
            "CREATE TABLE submissions (recording BLOB, number INTEGER, bpm REAL, key TEXT,"
            " PRIMARY KEY (recording, number)) WITHOUT ROWID"
        )
        for dump in dumps:
            _read_into(db, dump)
        (n_recordings,) = db.execute(
            "SELECT count(DISTINCT recording) FROM submissions WHERE bpm IS NOT NULL"
        ).fetchone()
        db.commit()
        db.close()
        part.replace(target)
        return int(n_recordings)
    except (OSError, sqlite3.Error) as error:
        raise LabelError(f"{target}: cannot be written ({reason(error)})") from error
    finally:
        if db is not None:
            db.close()
        part.unlink(missing_ok=True)


def _read_into(db: sqlite3.Connection, dump: Path) -> None:
    """Read all tables of a dump file into the database; LabelError if there is none."""
    with _tables(dump) as tables:
        n_tables = 0
        for table in tables:
            # Decode line by line, because a text stream needs seeking, which the archive lacks.
            rows = csv.DictReader(line.decode("utf-8", "replace") for line in table)
            columns = set(rows.fieldnames or ())
            if "mbid" not in columns:
                continue
            n_tables += 1
            if "bpm" in columns:
                _store(db, "bpm", _tempi(rows))
            elif {"key_key", "key_scale"} <= columns:
                _store(db, "key", _keys(rows))
            else:
                n_tables -= 1
    if not n_tables:
        raise LabelError(
            f"{dump}: has neither the columns mbid, bpm nor mbid, key_key, key_scale; give the "
            "rhythm and the tonal table of the dump"
        )


def _store(
    db: sqlite3.Connection, column: str, values: Iterator[tuple[bytes, int, float | str]]
) -> None:
    """Write values, each with the id of its recording and the number of the submission."""
    statement = (
        f"INSERT INTO submissions (recording, number, {column}) VALUES (?, ?, ?) "
        f"ON CONFLICT (recording, number) DO UPDATE SET {column} = excluded.{column}"
    )
    batch = []
    for row in values:
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            db.executemany(statement, batch)
            batch.clear()
    db.executemany(statement, batch)
    db.commit()


def _tempi(rows: csv.DictReader[str]) -> Iterator[tuple[bytes, int, float | str]]:
    """Recording id, number of the submission and tempo [BPM] in rows of the rhythm table."""
    for row in rows:
        recording, number = _id(row["mbid"] or ""), row.get("submission_offset") or "0"
        try:
            bpm = float(row["bpm"] or 0)
        except ValueError:
            continue
        if recording and number.isdecimal() and 0 < bpm < 1000:
            yield recording, int(number), bpm


def _keys(rows: csv.DictReader[str]) -> Iterator[tuple[bytes, int, float | str]]:
    """Recording id, number of the submission and key in rows of the tonal table."""
    for row in rows:
        recording, number = _id(row["mbid"] or ""), row.get("submission_offset") or "0"
        if recording and number.isdecimal() and row["key_key"]:
            yield recording, int(number), f"{row['key_key']} {row['key_scale']}"


# First bytes of the file formats; those of a tar archive are at an offset.
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257
BUFFER_SIZE = 1 << 16  # [bytes] of the beginning that are read to recognise the format


@contextmanager
def _tables(dump: Path) -> Iterator[Iterator[IO[bytes]]]:
    """Open the tables in a dump: the decompressed file itself, or every table in an archive.

    Raises
    ------
    LabelError
        If the dump cannot be read.
    """
    from ....compression import zstd

    try:
        with ExitStack() as stack:
            stream = stack.enter_context(dump.open("rb"))
            if stream.peek(len(ZSTD_MAGIC)).startswith(ZSTD_MAGIC):
                stream = stack.enter_context(io.BufferedReader(zstd.open(stream), BUFFER_SIZE))
            beginning = stream.peek(BUFFER_SIZE)
            if beginning[TAR_MAGIC_AT:].startswith(TAR_MAGIC):
                archive = stack.enter_context(tarfile.open(fileobj=stream, mode="r|"))
                contents = (
                    archive.extractfile(member)
                    for member in archive
                    if member.isfile() and member.name.endswith(".csv")
                )
                yield (content for content in contents if content is not None)
            else:
                yield iter([stream])
    except (OSError, zstd.ZstdError, tarfile.TarError, csv.Error, EOFError) as error:
        raise LabelError(f"{os.fspath(dump)}: cannot be read ({reason(error)})") from error


def _id(text: str) -> bytes:
    """The 16 bytes of a MusicBrainz id; empty if the text is no such id."""
    try:
        return uuid.UUID(text.strip()).bytes
    except ValueError:
        return b""
