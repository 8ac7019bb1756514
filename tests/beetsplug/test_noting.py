"""Tests of `beet tempo-notes`, with an estimator that knows what is played."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import mido
import pretty_midi
import pytest

from tempo_core.transcription import transcribing

from ..audio import write_audio
from ..known_notes import KnownNotes, played, song
from .conftest import ROOT, Beet

SONG = song(2)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_audio(tmp_path_factory.mktemp("played") / "song.flac", played(SONG, 11025), 11025)


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """The estimators that were loaded: model, and whether the tempo is among their tasks."""
    calls: list[tuple[str, bool]] = []

    def load(model: str = "default", with_tempo: bool = True) -> KnownNotes:
        calls.append((model, with_tempo))
        return KnownNotes(SONG, with_tempo)

    monkeypatch.setattr(transcribing, "load_estimator", load)
    return calls


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def add(beet: Beet, recording: Path, name: str, **fields: object) -> Path:
    path = beet.music.parent / "in" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(recording.read_bytes())
    values = {"title": Path(name).stem, "artist": "A", "albumartist": "A", "album": "D"}
    beet.add(path, **{**values, **fields})
    return path


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("[!.]*") if path.is_file())


def tables(beet: Beet) -> list[str]:
    """All that is in the library, as statements in SQL."""
    connection = sqlite3.connect(beet.database)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_every_track_gets_a_file(beet: Beet, recording: Path, out: Path) -> None:
    for name in ("one.flac", "two.flac"):
        add(beet, recording, name, tempo_bpm=120.0, bpm=120)
    before = tables(beet)
    run = beet("tempo-notes", "--out", out)
    assert (run.code, run.err) == (0, "")
    lines = run.out.splitlines()
    assert sorted(lines[:2]) == [
        f"A - {name}: {len(SONG)} notes -> {out}/Non-Album/A/{name}.mid" for name in ("one", "two")
    ]
    assert lines[2:] == ["tempo-notes: 2 tracks: 2 written, 0 failed"]
    assert files(out) == ["Non-Album/A/one.mid", "Non-Album/A/two.mid"]
    file = mido.MidiFile(out / "Non-Album/A/one.mid", charset="utf-8")
    assert file.tracks[0].name == "A - one"
    heard = pretty_midi.PrettyMIDI(str(out / "Non-Album/A/one.mid"))
    assert len(heard.instruments[0].notes) == len(SONG)
    assert heard.get_tempo_changes()[1].tolist() == pytest.approx([120.0])
    assert tables(beet) == before


def test_what_is_newer_is_skipped(beet: Beet, recording: Path, out: Path) -> None:
    old, new = (add(beet, recording, name) for name in ("one.flac", "two.flac"))
    assert beet("tempo-notes", "-q", "--out", out).code == 0
    run = beet("tempo-notes", "--out", out)
    assert run.out == "tempo-notes: 0 tracks: 0 written, 0 failed; 2 there already\n"
    later = time.time() + 60
    os.utime(new, (later, later))
    run = beet("tempo-notes", "--out", out)
    assert run.out.splitlines()[-1] == (
        "tempo-notes: 1 track: 1 written, 0 failed; 1 there already"
    )
    run = beet("tempo-notes", "-f", "-q", "--out", out, "title:one")
    assert (run.code, run.out, run.err) == (0, "", "")
    assert old.exists()


def test_pretend_writes_nothing(
    beet: Beet, recording: Path, out: Path, loaded: list[tuple[str, bool]]
) -> None:
    add(beet, recording, "one.flac")
    run = beet("tempo-notes", "-p", "--out", out)
    assert run.out.splitlines() == [
        f"A - one -> {out}/Non-Album/A/one.mid", "tempo-notes: would write 1 track",
    ]  # fmt: skip
    assert not out.exists()
    assert loaded == []


def test_two_tracks_of_one_destination_get_two_files(
    beet: Beet, recording: Path, out: Path
) -> None:
    for name in ("a.flac", "b.flac", "C.flac"):
        add(beet, recording, name, title="same" if name != "C.flac" else "SAME", year=len(name))
    args = ("--out", out, "--path", "$artist/$title")
    assert beet("tempo-notes", *args).code == 0
    assert files(out) == ["A/SAME (3).mid", "A/same (2).mid", "A/same.mid"]
    run = beet("tempo-notes", *args, "path::b.flac")
    assert run.out.endswith("0 written, 0 failed; 1 there already\n")
    run = beet("tempo-notes", "-f", *args, "path::b.flac")
    assert f"-> {out}/A/same (2).mid" in run.out


def test_settings_and_options(
    beet: Beet, recording: Path, out: Path, loaded: list[tuple[str, bool]]
) -> None:
    notes = {"out": str(out), "path": "$title", "format": "tsv", "part": "top", "quantize": True,
             "grid": 8, "model": "mine"}  # fmt: skip
    beet.configure(tempo={"notes": notes})
    add(beet, recording, "one.flac", tempo_bpm=119.9, bpm=120)
    assert beet("tempo-notes").code == 0
    assert files(out) == ["one.tsv"]
    rows = (out / "one.tsv").read_text().splitlines()
    assert len(rows) == 1 + 16
    assert loaded == [("mine", False)]
    assert beet("tempo-notes", "--format", "json", "--part", "bass", "--grid", "4").code == 0
    assert files(out) == ["one.json", "one.tsv"]
    assert '"part": "bass"' in (out / "one.json").read_text()


def test_the_tempo_is_heard_where_the_library_has_none(
    beet: Beet, recording: Path, out: Path, loaded: list[tuple[str, bool]]
) -> None:
    add(beet, recording, "known.flac", bpm=60, tempo_bpm=60.0)
    add(beet, recording, "unknown.flac", bpm=0)
    assert beet("tempo-notes", "--out", out).code == 0
    assert loaded == [("default", True)]
    tempi = {
        name: pretty_midi.PrettyMIDI(str(out / f"Non-Album/A/{name}.mid")).get_tempo_changes()[1][0]
        for name in ("known", "unknown")
    }
    assert tempi == {"known": pytest.approx(60), "unknown": pytest.approx(120)}


def test_an_unsteady_tempo_is_said_and_the_notes_are_written(
    beet: Beet, recording: Path, out: Path
) -> None:
    add(beet, recording, "one.flac", bpm=120, tempo_bpm=120.0, tempo_stability=0.7)
    run = beet("tempo-notes", "--out", out, "--quantize")
    assert run.code == 0
    assert run.out.splitlines()[0] == (
        f"A - one: {len(SONG)} notes (the tempo is not steady (stability 0.70): the notes stay as "
        f"played) -> {out}/Non-Album/A/one.mid"
    )


def test_bad_files_fail_and_the_rest_is_written(beet: Beet, recording: Path, out: Path) -> None:
    missing = add(beet, recording, "gone.flac")
    missing.unlink()
    add(beet, recording, "bad.flac").write_bytes(b"no music")
    add(beet, recording, "\u202eodd \U0001f3b5 'name'.flac")
    run = beet("tempo-notes", "--out", out)
    assert run.code == 1
    lines = run.err.splitlines()
    assert len(lines) == 3
    assert any(f"{missing}: no such file" in line for line in lines)
    assert lines[-1] == "error: 3 tracks: 1 written, 2 failed"
    assert len(files(out)) == 1


def test_a_folder_that_cannot_be_written_is_said_before_listening(
    beet: Beet, recording: Path, tmp_path: Path, loaded: list[tuple[str, bool]]
) -> None:
    add(beet, recording, "one.flac")
    (tmp_path / "file").touch()
    run = beet("tempo-notes", "--out", tmp_path / "file" / "out")
    assert run.code == 1
    assert run.err == f"error: {tmp_path}/file/out cannot be written: Not a directory\n"
    assert loaded == []


def test_a_file_that_cannot_be_written_fails_alone(beet: Beet, recording: Path, out: Path) -> None:
    for name in ("one.flac", "two.flac"):
        add(beet, recording, name)
    (out / "one.mid").mkdir(parents=True)
    future = time.time() - 3600
    os.utime(out / "one.mid", (future, future))
    run = beet("tempo-notes", "--out", out, "--path", "$title")
    assert run.code == 1
    assert f"{out}/one.mid cannot be written: Is a directory" in run.err
    assert (out / "two.mid").is_file()


STUB = """
import sys, time
import beets.ui
from tempo_core.transcription import transcribing
from tests.known_notes import KnownNotes, song

class Slow(KnownNotes):
    def results(self, path):
        time.sleep({seconds})
        return super().results(path)

transcribing.load_estimator = lambda *args: Slow(song(2))
beets.ui.main(["tempo-notes", "-t", "1", "--out", sys.argv[1]])
"""


def start(out: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", STUB.format(seconds=seconds), str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_an_interrupted_run_is_continued(
    how: signal.Signals, beet: Beet, recording: Path, out: Path
) -> None:
    n = 6
    for k in range(n):
        add(beet, recording, f"{k}.flac")
    process = start(out, 0.4)
    assert process.stdout
    first = process.stdout.readline()
    assert first.startswith("A - 0: ")
    process.send_signal(how)
    _, err = process.communicate(timeout=20)
    assert process.returncode == (1 if how is signal.SIGINT else -9)
    n_done = len(files(out))
    assert 0 < n_done < n
    if how is signal.SIGINT:
        tracks = f"{n_done} track{'s' * (n_done > 1)}"
        assert err == (
            f"error: interrupted: {tracks}: {n_done} written, 0 failed; the next run continues "
            "from here\n"
        )
    run = beet("tempo-notes", "--out", out)
    assert run.out.splitlines()[-1] == (
        f"tempo-notes: {n - n_done} track{'s' * (n - n_done > 1)}: {n - n_done} written, 0 failed; "
        f"{n_done} there already"
    )
    assert len(files(out)) == n
    for path in out.rglob("*.mid"):
        assert mido.MidiFile(path).tracks
