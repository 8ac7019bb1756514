"""Tests of `beet tempo --half` and its like: library, files, locks, and what may interrupt them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from beets.library import Item
from mediafile import MediaFile

from beetsplug.tempo import fixing, keeping
from beetsplug.tempo.moving import tempo_of

from ..conftest import MakeAudio
from .conftest import ROOT, Beet, BpmOf

MODEL = "model:x@01234567"
ANALYSED = {
    "bpm": 126, "tempo_bpm": 126.02, "tempo_source": MODEL, "tempo_verdict": "set",
    "tempo_marker": f"126.02 {MODEL}", "tempo_paces": "126:0.97 63:0.91", "tempo_half": 63.0,
    "tempo_first_beat": 0.25, "tempo_downbeat": 0.25, "tempo_downbeat_confidence": 0.9,
    "tempo_key_confidence": 0.1, "tempo_confidence": 0.9, "tempo_beat_confidence": 0.9,
}  # fmt: skip


@pytest.fixture
def paths(beet: Beet, make_audio: MakeAudio) -> list[Path]:
    """Three analysed tracks, as a run of `beet tempo` leaves them."""
    beet.load()
    found = []
    for number, suffix in enumerate(("mp3", "flac", "m4a")):
        path = make_audio(f"{number}.{suffix}", duration=8, title=f"T{number}", artist="B",
                          albumartist="B", album="Al")  # fmt: skip
        media = MediaFile(path)
        media.bpm, media.tempo_marker = 126, ANALYSED["tempo_marker"]
        media.save()
        beet.add(path, **ANALYSED)
        found.append(path)
    return found


BY_HAND = (63, "63.01 manual")  # in a file after --half


def said(path: Path) -> tuple[int | None, str | None]:
    media = MediaFile(path)
    return media.bpm, media.tempo_marker


@pytest.mark.parametrize(
    ("args", "bpm", "line", "done"),
    [
        (["--half"], 63.01, "126.02 -> 63.01 BPM", "halved"),
        (["--double"], 252.04, "126.02 -> 252.04 BPM", "doubled"),
        (["--set", "87.5"], 87.5, "126.02 -> 87.50 BPM", "set"),
        (["--nudge", "1.01"], 127.28, "126.02 -> 127.28 BPM", "nudged"),
        (["--lock"], 126.02, "126.02 BPM, locked", "locked"),
        (["--half", "--lock"], 63.01, "126.02 -> 63.01 BPM, locked", "halved"),
    ],
)
def test_library_and_file_are_set_together(
    args: list[str], bpm: float, line: str, done: str, beet: Beet, paths: list[Path]
) -> None:
    run = beet("tempo", *args, "title::T[01]")
    assert run.out.splitlines() == [
        f"B - T0: {line}", f"B - T1: {line}", f"tempo: 2 tracks {done}, 0 failed",
    ]  # fmt: skip
    assert (run.code, run.err) == (0, "")
    for path, item in zip(paths[:2], beet.items("title::T[01]"), strict=True):
        assert (item.bpm, item.tempo_bpm) == (int(bpm + 0.5), bpm)
        assert item.tempo_source == "manual"
        assert item.get("tempo_locked") == (bpm if "--lock" in args else None)
        assert item.tempo_marker == f"{bpm:.2f} manual"
        assert "tempo_pending" not in item
        assert said(path) == (item.bpm, item.tempo_marker)
    assert said(paths[2]) == (126, ANALYSED["tempo_marker"])
    assert beet("update").out == ""
    assert "would" not in beet("write", "-p").out
    assert beet("write", "-p", "bpm:1..").out == ""


def test_pretending_changes_nothing(beet: Beet, paths: list[Path]) -> None:
    before = beet.database.read_bytes(), [path.read_bytes() for path in paths]
    for args in (["--half"], ["--set", "99"], ["--lock"], ["--nudge", "1.02", "--lock"]):
        run = beet("tempo", "-p", *args, "title:T")
        assert run.code == 0
        assert run.out.endswith(" 0 failed\n")
        assert "tempo: would have: 3 tracks " in run.out
    assert (beet.database.read_bytes(), [path.read_bytes() for path in paths]) == before


@pytest.mark.parametrize(
    ("configured", "option", "written"),
    [(True, "-W", False), (False, "-w", True), (False, None, False), (True, None, True)],
)
def test_whether_files_are_written(
    configured: bool, option: str | None, written: bool, beet: Beet, paths: list[Path]
) -> None:
    beet.configure(**{"import": {"write": configured}})
    assert beet("tempo", "--half", *([option] if option else []), "title:T0").code == 0
    assert said(paths[0]) == (BY_HAND if written else (126, ANALYSED["tempo_marker"]))
    assert beet.item("title:T0").bpm == 63
    assert "tempo_pending" not in beet.item("title:T0")
    assert beet("update").out == ""
    assert beet.item("title:T0").bpm == 63
    if not written:  # `beet write` is another way to it
        beet("write")
        assert MediaFile(paths[0]).bpm == 63
        assert beet("update").out == ""


def test_quiet_shows_only_failures(beet: Beet, paths: list[Path]) -> None:
    run = beet("tempo", "-q", "--half", "title:T")
    assert (run.code, run.out, run.err) == (0, "", "")


def test_albums(beet: Beet, paths: list[Path]) -> None:
    library = beet.library
    library.add_album(list(library.items("title::T[01]")))
    assert "2 tracks halved" in beet("tempo", "-a", "--half", "album:Al").out
    assert beet.item("title:T2").bpm == 126


def test_what_cannot_be_changed_is_one_message_each(
    beet: Beet, paths: list[Path], make_audio: MakeAudio
) -> None:
    none = make_audio("none.mp3", duration=2, title="T3", artist="B")
    slow = make_audio("slow.mp3", duration=2, title="T4", artist="B")
    beet.add(none)
    beet.add(slow, bpm=30)
    beet("tempo", "--lock", "title:T1")
    run = beet("tempo", "--half", "title:T")
    assert run.code == 1
    assert run.err.splitlines() == [
        f"tempo: {none}: it has no tempo yet; --set gives it one, `beet tempo` finds it",
        f"tempo: {slow}: 15.00 BPM is no tempo; give one from 20 to 400",
        f"tempo: {paths[1]}: it is locked at 126.02 BPM; --unlock lets go of it",
        "error: 2 tracks halved, 3 failed",
    ]
    assert [item.bpm for item in beet.items()] == [0, 30, 63, 126, 63]
    assert beet("tempo", "--set", "90", "title:T3").code == 0
    assert MediaFile(none).bpm == 90


def test_a_lock_that_is_not_written_leaves_nothing_to_update(beet: Beet, paths: list[Path]) -> None:
    """The marker of an estimate that another program has replaced stays where it is."""
    media = MediaFile(paths[0])
    media.bpm = 100
    media.save()
    os.utime(paths[0], (2e9, 2e9))
    beet("update")
    beet("tempo", "--lock", "-W", "title:T0")
    beet("write", "-f", "title:T0")
    os.utime(paths[0], (2.1e9, 2.1e9))
    assert beet("update").out == ""
    beet("tempo")
    item = beet.item("title:T0")
    assert (item.bpm, item.tempo_locked, item.tempo_source) == (100, 100, "manual")
    assert said(paths[0]) == (100, ANALYSED["tempo_marker"])


def test_a_second_time_is_as_before(beet: Beet, paths: list[Path]) -> None:
    beet("tempo", "--set", "87.5", "title:T0")
    content = paths[0].read_bytes()
    run = beet("tempo", "--set", "87.5", "title:T0")
    assert run.out.endswith("tempo: 0 tracks set, 1 as before, 0 failed\n")
    assert paths[0].read_bytes() == content


def test_a_file_that_is_gone_gets_its_tag_when_it_is_back(beet: Beet, paths: list[Path]) -> None:
    paths[0].rename(paths[0].with_suffix(".away"))
    run = beet("tempo", "--half", "title:T0")
    assert run.code == 1
    assert run.err.splitlines()[0].endswith("cannot write the tag: No such file or directory")
    assert beet.item("title:T0").bpm == 63
    paths[0].with_suffix(".away").rename(paths[0])
    assert "1 interrupted before and finished now" in beet("tempo").out
    assert said(paths[0]) == BY_HAND


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--half"], "--half needs a query, because it would change every track"),
        (["--nudge", "1.1"], "--nudge needs a query"),
        (["--half", "title:none"], "no track matches; nothing was changed"),
    ],
)
def test_nothing_is_changed_by_mistake(
    args: list[str], message: str, beet: Beet, paths: list[Path]
) -> None:
    run = beet("tempo", *args)
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith(f"error: {message}")
    assert {item.bpm for item in beet.items()} == {126}


def test_a_tempo_set_by_hand_stays(beet: Beet, paths: list[Path], bpm_of: BpmOf) -> None:
    beet("tempo", "--half", "title:T0")
    for command in (["tempo"], ["update"], ["write"], ["tempo-labels", "--apply"]):
        assert beet(*command).code == 0
        item = beet.item("title:T0")
        assert (item.bpm, item.tempo_bpm, item.tempo_source) == (63, 63.01, "manual")
        assert said(paths[0]) == BY_HAND
    assert beet("tempo", "-f", "title:T0").code == 0
    item = beet.item("title:T0")
    assert (item.bpm, item.tempo_source[:6]) == (bpm_of(paths[0]), "model:")


def test_another_tempo_set_elsewhere_is_that_one(beet: Beet, paths: list[Path]) -> None:
    beet("tempo", "--half", "title:T0")
    beet("modify", "-y", "title:T0", "bpm=90")
    beet("tempo")
    item = beet.item("title:T0")
    assert (item.bpm, item.tempo_source) == (90, "manual")


@pytest.mark.parametrize("bpm", [90, 127])
def test_the_verdict_follows_a_tempo_set_elsewhere(bpm: int, beet: Beet, paths: list[Path]) -> None:
    """Also of an estimate that a person confirmed, where `set` said that it is the estimate."""
    beet("tempo", "--half", "title:T0")
    beet("modify", "-y", "title:T1", "tempo_source=manual")
    beet("modify", "-y", "title:T2", "bpm=90", "tempo_source=manual")
    beet("tempo")
    assert beet.item("title:T2").tempo_verdict == "conflict"
    beet("modify", "-y", "title:T", f"bpm={bpm}")
    item = beet.item("title:T2")
    item.tempo_marker = f"{bpm}.20 manual"  # set by hand in another library
    item.store()
    beet("tempo")
    once = [dict(item.items()) for item in beet.items()]
    half, estimate, other = beet.items("title+")
    assert (half.tempo_bpm, half.tempo_verdict) == (bpm, "kept")
    assert estimate.tempo_verdict == ("kept" if bpm == 127 else "conflict")
    assert estimate.tempo_bpm == 126.02
    assert tempo_of(estimate) == (126.02 if bpm == 127 else bpm)
    if bpm == 127:
        assert (other.tempo_bpm, other.tempo_verdict) == (127.2, "kept")
    beet("tempo")
    assert [dict(item.items()) for item in beet.items()] == once


@pytest.mark.parametrize("write", [True, False])
def test_nothing_touches_a_locked_tempo(
    write: bool, beet: Beet, paths: list[Path], make_audio: MakeAudio
) -> None:
    beet("tempo", "--set", "87", "--lock", "-w" if write else "-W", "title:T0")
    fields = dict(beet.item("title:T0").items())

    def check() -> None:
        item = beet.item("title:T0")
        for field, value in fields.items():
            if field.startswith(("tempo_", "bpm")) and not field.startswith("tempo_file_key"):
                assert item.get(field) == value, field

    run = beet("tempo", "-f", "--tasks", "tempo,pace", "title:T0")
    assert (run.code, "1 had a tempo already" in run.out) == (0, True)
    check()
    beet.configure(tempo={"force": True})
    assert beet("tempo", "--tasks", "tempo,pace", "title:T0").code == 0
    check()
    beet.configure(tempo={"force": False})
    beet("tempo-labels", "--apply", "title:T0")
    check()
    # Another program writes to the file, and beets reads it.
    media = MediaFile(paths[0])
    media.bpm = 111
    media.save()
    os.utime(paths[0], (2e9, 2e9))
    beet("update", "title:T0")
    assert beet.item("title:T0").bpm == 111
    beet("tempo")
    check()
    beet("modify", "-y", "title:T0", "bpm=0", "tempo_source=tag")
    beet("tempo")
    check()
    run = beet("tempo", "--unlock", "title:T0")
    assert run.out.splitlines()[0] == "B - T0: 87.00 BPM, unlocked"
    assert "tempo_locked" not in beet.item("title:T0")


@pytest.mark.parametrize("write", [True, False])
def test_a_locked_tempo_survives_a_new_import(write: bool, beet: Beet, paths: list[Path]) -> None:
    """Importing again takes `bpm` from the file, which may have been given another one."""
    beet.configure(**{"import": {"copy": False, "write": write}}, tempo={"force": True})
    beet("tempo", "--set", "87", "--lock", "title:T0")
    media = MediaFile(paths[0])
    media.bpm = 111
    media.save()
    run = beet("import", "-A", "-q", paths[0].parent)
    assert run.code == 0, run.err
    item = beet.item("title:T0")
    assert (item.bpm, item.tempo_bpm, item.tempo_source) == (87, 87.0, "manual")
    assert item.tempo_locked == 87
    assert MediaFile(paths[0]).bpm == (87 if write else 111)
    assert "tempo_pending" not in item
    assert beet("update").out == ""
    assert beet.item("title:T1").tempo_source != MODEL  # `force` holds for the others


def test_a_tempo_set_by_hand_survives_a_new_import(beet: Beet, paths: list[Path]) -> None:
    beet.configure(**{"import": {"copy": False}})
    beet("tempo", "--half", "title:T0")
    assert beet("import", "-A", "-q", paths[0].parent).code == 0
    item = beet.item("title:T0")
    assert (item.bpm, item.tempo_bpm, item.tempo_source) == (63, 63.01, "manual")
    assert item.tempo_first_beat == 0.25


KILLED = """
import os, beets.ui
from beetsplug.tempo import keeping, writing
real, calls = keeping.{function}, []
def killed(*args, **kwargs):
    calls.append(args)
    if len(calls) == {count}:
        os.kill(os.getpid(), 9)
    return real(*args, **kwargs)
for module in (keeping, __import__("beetsplug.tempo.fixing", fromlist=["x"]),
               __import__("beetsplug.tempo.by_hand", fromlist=["x"])):
    if hasattr(module, "{function}"):
        setattr(module, "{function}", killed)
beets.ui.main(["tempo", "--half", "title:T"])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "count"),
    [
        ("write_tags", 2),
        pytest.param("finish", 1, marks=pytest.mark.slow),
        pytest.param("store", 1, marks=pytest.mark.slow),
        pytest.param("announce_by_hand", 2, marks=pytest.mark.slow),
    ],
)
def test_kill_9_changes_all_or_none(
    function: str, count: int, beet: Beet, paths: list[Path]
) -> None:
    code = KILLED.format(function=function, count=count)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    beet.load()
    bpm = 126 if function == "announce_by_hand" else 63
    assert [item.bpm for item in beet.items()] == [bpm] * 3
    assert {media.bpm for media in map(MediaFile, paths)} <= {63, 126}
    assert beet("update").out == ""
    assert beet("tempo").code == 0
    assert [item.bpm for item in beet.items()] == [bpm] * 3
    assert [MediaFile(path).bpm for path in paths] == [bpm] * 3
    assert not any("tempo_pending" in item for item in beet.items())
    assert sorted(path.name for path in paths[0].parent.iterdir() if path.is_file()) == [
        path.name for path in paths
    ]


def test_ctrl_c_while_files_are_written(
    beet: Beet, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = fixing.finish_by_hand

    def interrupted(*args: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        return finish(*args)

    with monkeypatch.context() as patch:
        patch.setattr(fixing, "finish_by_hand", interrupted)
        run = beet("tempo", "--half", "title:T")
    assert run.code == 1
    assert run.err == (
        "error: interrupted: 3 tracks halved, 0 failed; 2 files left, which `beet tempo` writes\n"
    )
    assert [MediaFile(path).bpm for path in paths] == [63, 126, 126]
    assert "2 interrupted before and finished now" in beet("tempo").out
    assert [said(path) for path in paths] == [BY_HAND] * 3


def test_ctrl_c_before_that_changes_nothing(
    beet: Beet, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    announce = fixing.announce_by_hand

    def interrupted(*args: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        announce(*args)

    monkeypatch.setattr(fixing, "announce_by_hand", interrupted)
    run = beet("tempo", "--half", "title:T")
    assert (run.code, run.err) == (1, "error: interrupted: nothing was changed\n")
    assert [item.bpm for item in beet.items()] == [126] * 3


def test_what_was_set_elsewhere_meanwhile_is_not_written_over(
    beet: Beet, paths: list[Path]
) -> None:
    """A change that a killed run left unwritten goes into the file only while it is the tempo."""
    library = beet.library
    item = library.items("title:T0")[0]
    item.update({"bpm": 63, "tempo_bpm": 63.0, "tempo_source": "manual", "tempo_verdict": "kept",
                 "tempo_pending": "manual:63 bpm tempo_marker"})  # fmt: skip
    del item["tempo_marker"]
    item.store()
    beet("modify", "-y", "-W", "title:T0", "bpm=90")
    beet("tempo")
    assert MediaFile(paths[0]).bpm == 126
    assert (beet.item("title:T0").bpm, "tempo_pending" in beet.item("title:T0")) == (90, False)


@pytest.mark.slow
def test_five_thousand_tracks(beet: Beet, paths: list[Path]) -> None:
    library = beet.library
    known = library.items("title:T0")[0]
    fields = {name: known[name] for name in known.keys(with_album=False) if name != "id"}
    with library.transaction():
        for number in range(5_000):
            library.add(Item(**{**fields, "title": f"N{number}"}))
    begin = time.monotonic()
    run = beet("tempo", "-q", "-W", "--half", "title:N")
    assert (run.code, run.err) == (0, "")
    assert time.monotonic() - begin < 75
    assert len(beet.items("bpm:63")) == 5_000


def test_the_patience_for_a_locked_library_is_that_of_other_commands(
    beet: Beet, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    beet.configure(timeout=0.1)
    monkeypatch.setattr(keeping, "LOCK_PATIENCE", 0.2)
    connection = sqlite3.connect(beet.database)
    connection.execute("BEGIN IMMEDIATE")
    run = beet("tempo", "--half", "title:T")
    connection.rollback()
    connection.close()
    assert run.code == 1
    assert run.err.startswith("error: the library cannot be used (database is locked): nothing was")
    assert [item.bpm for item in beet.items()] == [126] * 3
