"""Tests of errors of the disk, the library and the output: one line each, and no lost results."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from beets.dbcore.db import DBAccessError
from beets.library import Item
from mediafile import MediaFile

from beetsplug.tempo import keeping
from beetsplug.tempo.guarding import NOTHING_LOST, reason

from ..conftest import MakeAudio
from .conftest import ROOT, Beet


@pytest.fixture
def filled(beet: Beet, make_audio: MakeAudio) -> Beet:
    """A library of three tracks with a BPM in their tags."""
    made = make_audio("a.mp3", duration=1, artist="A")
    for number in range(3):
        path = Path(shutil.copy(made, made.with_stem(f"t{number}")))
        media = MediaFile(path)
        media.update({"title": f"t{number}", "bpm": 100})
        media.save()
        beet.add(path)
    made.unlink()
    beet.configure(timeout=0.2)
    return beet


def start(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "beets", *args],
        stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120, check=False, **options,
    )  # fmt: skip


COMMANDS = (
    ("tempo-mix", "title:t0"),
    ("tempo", "--cadence", "90..110"),
    ("tempo-labels",),
    ("tempo-notes", "-p", "--out", "out"),
    ("tempo-train", "-p"),
)
# They share what is tried; the rest of them takes its time to start.
FEW = [COMMANDS[0], *(pytest.param(args, marks=pytest.mark.slow) for args in COMMANDS[1:])]


@pytest.mark.parametrize("args", FEW)
def test_a_full_output_is_one_line(args: tuple[str, ...], filled: Beet) -> None:
    with Path("/dev/full").open("wb") as full:
        run = start(*args, stdout=full)
    assert run.stderr == f"error: standard output: No space left on device; {NOTHING_LOST}\n"
    assert run.returncode == 1


@pytest.mark.parametrize("args", FEW)
def test_an_output_that_nobody_reads_is_one_line(args: tuple[str, ...], filled: Beet) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        run = start(*args, stdout=pipe)
    assert run.stderr == f"error: standard output was closed; {NOTHING_LOST}\n"
    assert run.returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize("args", FEW)
def test_no_output_at_all_is_refused(args: tuple[str, ...], filled: Beet) -> None:
    run = start(*args, preexec_fn=lambda: os.close(1))
    told = "error: standard output is closed; -q or >/dev/null does without it\n"
    assert (run.returncode, run.stderr) == (1, told)


@pytest.mark.slow
def test_what_was_labelled_before_the_output_broke_is_kept(filled: Beet) -> None:
    with Path("/dev/full").open("wb") as full:
        start("tempo-labels", stdout=full)
    kept = len(filled.items("tempo_label_bpm:100"))
    assert kept >= 1
    run = filled("tempo-labels")
    assert run.code == 0
    assert len(filled.items("tempo_label_bpm:100")) == 3


@pytest.mark.slow
def test_without_any_output_quiet_work_is_done(filled: Beet) -> None:
    run = start("tempo-labels", "-q", preexec_fn=lambda: os.close(1))
    assert (run.returncode, run.stderr) == (0, "")
    assert len(filled.items("tempo_label_bpm:100")) == 3


@pytest.mark.parametrize("args", COMMANDS)
@pytest.mark.slow
def test_a_library_that_stays_locked_is_one_line(
    args: tuple[str, ...], filled: Beet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that another program keeps locked from the start ends the command in one line."""
    monkeypatch.setattr(keeping, "LOCK_PATIENCE", 0.2)
    filled.load()
    with closing(sqlite3.connect(filled.database, timeout=0)) as other:
        locked = False

        def lock(*_: object) -> None:
            nonlocal locked
            if not locked:
                other.execute("BEGIN EXCLUSIVE")
                locked = True

        import beets.plugins

        send = beets.plugins.send

        def send_and_lock(event: Any, **arguments: Any) -> Any:
            done = send(event, **arguments)
            if event == "library_opened":
                lock()
            return done

        with monkeypatch.context() as patch:
            patch.setattr("beets.plugins.send", send_and_lock)
            run = filled(*args)
        assert locked
        other.rollback()
    assert run.code == 1
    assert run.err.startswith("error: the library cannot be used")
    assert "database is locked" in run.err
    assert run.err.count("\n") == 1
    assert filled(*args).code == 0


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(28, "No space left", "/a\udcff"), "/a\udcff: No space left"),
        (OSError(28, "No space left", b"/a"), "/a: No space left"),
        (BrokenPipeError(32, "Broken pipe"), "Broken pipe"),
        (sqlite3.DatabaseError("malformed"), "the library cannot be used: malformed"),
        (DBAccessError("read-only"), "the library cannot be used: read-only"),
    ],
)
def test_what_went_wrong_is_not_blamed_on_the_output(error: Exception, told: str) -> None:
    with pytest.raises(type(error)) as raised:
        raise error
    assert reason(raised.value) == f"{told}; {NOTHING_LOST}"


def test_a_mistake_in_the_program_is_not_hidden() -> None:
    assert reason(ZeroDivisionError()) is None


def limited(size: int) -> Callable[[], None]:
    """Set a limit to the size of files, so that writing fails as on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_library_stays_sound(filled: Beet) -> None:
    library = filled.library
    with library.transaction():
        for number in range(60):
            library.add(Item(title=f"x{number}", artist="B", path=f"/{number}".encode(), bpm=90))
    filled.close()
    size = filled.database.stat().st_size
    run = start("tempo-labels", "-q", stdout=subprocess.DEVNULL, preexec_fn=limited(size))
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert run.stderr.startswith("error: ")
    with closing(sqlite3.connect(filled.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    run = start("tempo-labels", stdout=subprocess.PIPE)
    assert "63 tracks" in run.stdout


@pytest.mark.slow
def test_without_a_place_for_errors_it_works_all_the_same(filled: Beet) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "beets", "tempo-labels"],
        stdout=subprocess.PIPE, text=True, cwd=ROOT, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, preexec_fn=lambda: os.close(2),
    )  # fmt: skip
    assert run.returncode == 0
    assert "3 found" in run.stdout


@pytest.mark.parametrize("command", [("tempo",), ("tempo-labels", "--source", "tags")])
def test_another_plugin_that_raises_when_a_track_is_stored(
    command: tuple[str, ...], beet: Beet, make_audio: MakeAudio, tmp_path: Path
) -> None:
    """If another plugin raises an error when a track is stored, only that track fails."""
    (tmp_path / "broken.py").write_text(
        "from beets.plugins import BeetsPlugin\n"
        "class Broken(BeetsPlugin):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.register_listener('database_change', self.check)\n"
        "    def check(self, lib, model):\n"
        "        if model.title == 'bad':\n"
        "            raise RuntimeError('no such thing')\n"
    )
    for title in ("bad", "good"):
        beet.add(make_audio(f"{title}.mp3", duration=4), title=title, bpm=126)
    beet.configure(plugins=["tempo", "broken"], pluginpath=str(tmp_path), tempo={"windows": 1})
    run = beet(*command)
    assert run.code == 1
    assert "bad.mp3: RuntimeError: no such thing" in run.err
    assert "Traceback" not in run.err
    field = "tempo_bpm" if command == ("tempo",) else "tempo_label_status"
    assert field in beet.item("title:good")


@pytest.mark.parametrize("args", COMMANDS)
def test_a_number_that_the_library_cannot_hold(args: tuple[str, ...], filled: Beet) -> None:
    run = filled(*[arg for arg in args if not arg.startswith("title")], f"id:{10**30}")
    assert (run.code, run.err) == (1, "error: a number in the query is too large\n")
