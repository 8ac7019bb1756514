"""Ctrl-C, kill -9: the library stays sound, no song is lost, and the next run carries on."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mediafile import MediaFile

from ..conftest import MakeAudio
from .conftest import ROOT, Beet


@pytest.fixture
def collection(beet: Beet, make_audio: MakeAudio) -> list[Path]:
    """Ten short songs in the library."""
    made = [
        make_audio(f"songs/{i}.{suffix}", duration=8, bpm=126, artist="B", albumartist="B")
        for i, suffix in enumerate(("mp3", "flac"))
    ]
    paths = []
    for number in range(10):
        path = Path(shutil.copy(made[number % 2], made[0].with_stem(f"song {number}")))
        path = path.rename(path.with_suffix(made[number % 2].suffix))
        media = MediaFile(path)
        media.title = f"T{number}"
        media.save()
        paths.append(path)
    for path in made:
        path.unlink()
    beet.add(*paths)
    return paths


def check_sound(beet: Beet, paths: list[Path]) -> int:
    """Whatever happened, these hold; returns how many tracks are finished."""
    with sqlite3.connect(beet.database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    beet.load()
    items = beet.items()
    assert len(items) == len(paths)
    for item in items:
        media = MediaFile(item.filepath)
        assert media.title == item.title
        assert media.length == pytest.approx(8, abs=0.2)
        if item.bpm:  # all of a track's fields, or none
            assert item.tempo_bpm
            assert item.tempo_source
            assert media.bpm == item.bpm
        else:
            assert "tempo_source" not in item
    return sum(1 for item in items if item.bpm)


def check_continues(beet: Beet, paths: list[Path], n_done: int) -> None:
    run = beet("tempo")
    assert run.code == 0
    todo = len(paths) - n_done
    assert run.out.splitlines()[-1].startswith(f"tempo: {todo} track")
    assert f"; {n_done} had a tempo already" in run.out
    assert check_sound(beet, paths) == len(paths)
    assert sorted(paths[0].parent.iterdir()) == sorted(paths)
    assert beet("update").out == ""


def test_ctrl_c_stops_soon_and_keeps_what_is_finished(beet: Beet, collection: list[Path]) -> None:
    begin = time.monotonic()
    process = beet.start("tempo", "-t", "1")
    assert process.stdout
    assert process.stderr
    first = process.stdout.readline()
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    # Two seconds; more where the machine is so busy that starting takes long as well.
    assert time.monotonic() - began < max(2, (began - begin) / 2)
    assert process.returncode == 1
    n_done = check_sound(beet, collection)
    assert 0 < n_done < len(collection)
    assert (first + out).count("\n") == n_done
    assert err.splitlines() == [
        f"error: interrupted: {n_done} track{'s' * (n_done > 1)} analysed: {n_done} set, 0 kept, "
        "0 failed; 0 had a tempo already; the next run continues from here"
    ]
    check_continues(beet, collection, n_done)


def test_kill_9_leaves_a_sound_library(beet: Beet, collection: list[Path]) -> None:
    process = beet.start("tempo", "-t", "2")
    assert process.stdout
    process.stdout.readline()
    process.kill()
    process.communicate(timeout=20)
    n_done = check_sound(beet, collection)
    assert 0 < n_done < len(collection)
    check_continues(beet, collection, n_done)


FATAL = """
import os, signal, sys
import beets.ui, mediafile, pathlib, shutil, beets.dbcore.db
import tempo_core, tempo_core.packets, tempo_core.tagging.splices

class Engine:
    source = "model:stub@01234567"
    def __init__(self, **settings): pass
    def estimate(self, path): return Estimate(126.0, 1.0, (), 0.99)

from collections import namedtuple
from dataclasses import make_dataclass
Estimate = make_dataclass("Estimate", ["bpm", "confidence", "paces", "stability"])
tempo_core.Estimator = Engine

owner, name, calls = {where}, {name!r}, 0
function = getattr(owner, name)
def fatal(*args, **kwargs):
    global calls
    calls += 1
    if calls < 4:
        return function(*args, **kwargs)
    if {after}:
        function(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, fatal)
beets.ui.main(["tempo", "-t", "1"])
"""


@pytest.mark.parametrize(
    ("where", "name", "after"),
    [
        ("shutil", "copystat", True),
        ("tempo_core.tagging.splices", "write_spliced", False),
        ("tempo_core.tagging.splices", "write_spliced", True),
        ("tempo_core.packets", "same_packets", True),
        ("os", "fsync", True),
        ("pathlib.Path", "replace", False),
        ("pathlib.Path", "replace", True),
        ("beets.dbcore.db.Transaction", "mutate", True),
    ],
)
def test_kill_9_at_the_worst_moments(
    where: str, name: str, after: bool, beet: Beet, collection: list[Path]
) -> None:
    code = FATAL.format(where=where, name=name, after=after)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    n_done = check_sound(beet, collection)
    check_continues(beet, collection, n_done)


def test_ctrl_c_while_the_engine_loads(
    beet: Beet, collection: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempo_core

    def interrupt(**_settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tempo_core, "Estimator", interrupt, raising=False)
    run = beet("tempo")
    assert (run.code, run.out, run.err) == (1, "", "error: interrupted\n")


def test_ctrl_c_never_lands_between_the_writes_of_a_track(
    beet: Beet, collection: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """beets commits half a transaction when an exception passes through it."""
    from beets.dbcore.db import Transaction

    mutate = Transaction.mutate
    calls = 0

    def interrupted(self: Transaction, *args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 3:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
        return mutate(self, *args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "mutate", interrupted)
        run = beet("tempo")
    assert run.code == 1
    assert run.err.startswith("error: interrupted: 1 track analysed")
    assert check_sound(beet, collection) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
