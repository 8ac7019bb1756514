"""Tests of Ctrl-C and kill -9: library and files stay sound, and the next run continues."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from beets.library import Item
from mediafile import MediaFile

import tempo_core
from beetsplug.tempo import keeping

from ..conftest import MakeAudio
from .conftest import ROOT, Beet, BpmOf

MODEL = "model:x@01234567"
ALL_PENDING = "bpm initial_key tempo_key_marker tempo_marker"


@pytest.fixture
def collection(beet: Beet, make_audio: MakeAudio) -> list[Path]:
    """A library of ten short songs."""
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
    """Assert that library and files are sound; the number of finished tracks."""
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
            assert "tempo_beat_confidence" in item
            # What the file does not say yet, the next run knows that it should.
            said = (media.bpm, media.tempo_marker, media.initial_key, media.tempo_key_marker)
            known = (item.bpm, item.tempo_marker, item.initial_key, item.tempo_key_marker)
            assert said == known or item.tempo_pending == ALL_PENDING
            assert said == known or said == (None, None, None, None)
            assert item.initial_key
            assert item.tempo_key_source
        else:
            assert "tempo_source" not in item
            assert not item.initial_key
            assert (
                media.bpm is media.initial_key is None
            )  # no file says what the library does not know
    return sum(1 for item in items if item.bpm)


def check_continues(beet: Beet, paths: list[Path], n_done: int) -> None:
    run = beet("tempo")
    assert run.code == 0
    todo = len(paths) - n_done
    assert run.out.splitlines()[-1].startswith(f"tempo: {todo} track")
    assert f"; {n_done} had a tempo already" in run.out
    assert all("tempo_pending" not in item for item in beet.items())
    for item in beet.items():
        media = MediaFile(item.filepath)
        assert (media.bpm, media.tempo_marker) == (item.bpm, item.tempo_marker)
        assert item.tempo_source.startswith("model:")
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
        f"0 failed; 0 had a tempo already; keys: {n_done} set; the next run continues from here"
    ]
    check_continues(beet, collection, n_done)


@pytest.mark.slow
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
import tempo_core, beetsplug.tempo.keeping, beetsplug.tempo.writing

class Engine:
    sources = dict(tempo="model:stub@01234567", key="model:keys@01234567")
    def __init__(self, **settings): pass
    def columns(self, found): return found["tempo"].columns
    def as_estimate(self, found): return found["tempo"]
    def results(self, path, genres):
        grid = dict(bpm=126.0, grid=steady(0.1, 126.0, 0.1), beat_confidence=0.9,
                    downbeat_confidence=0.8)
        columns = dict(key="Am", key_confidence=0.9, **grid)
        return dict(tempo=Estimate(126.0, 1.0, (), 0.99, None, 0.9, columns))

from tempo_core.beatgrid import steady
from dataclasses import make_dataclass
Estimate = make_dataclass(
    "Estimate",
    ["bpm", "confidence", "paces", "stability", "tempo_range", "octave_confidence", "columns"],
)
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
        # By default one of the file and one between the two places that know a tempo.
        ("pathlib.Path", "replace", True),
        ("beetsplug.tempo.keeping", "store", True),
        *(
            pytest.param(*moment, marks=pytest.mark.slow)
            for moment in (
                ("beetsplug.tempo.writing", "write_spliced", True),
                ("beets.dbcore.db.Transaction", "mutate", True),
                ("shutil", "copystat", True),
                ("beetsplug.tempo.writing", "write_spliced", False),
                ("beetsplug.tempo.writing", "same_packets", True),
                ("os", "fsync", True),
                ("pathlib.Path", "replace", False),
                ("beetsplug.tempo.keeping", "store", False),
                ("beetsplug.tempo.keeping", "write_tags", False),
                ("beetsplug.tempo.keeping", "write_tags", True),
            )
        ),
    ],
)
@pytest.mark.parametrize("meanwhile", [pytest.param("", marks=pytest.mark.slow), "update"])
def test_kill_9_at_the_worst_moments(
    where: str, name: str, after: bool, meanwhile: str, beet: Beet, collection: list[Path]
) -> None:
    code = FATAL.format(where=where, name=name, after=after)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    n_done = check_sound(beet, collection)
    if meanwhile:
        assert beet(meanwhile).out == ""
        assert check_sound(beet, collection) == n_done
    check_continues(beet, collection, n_done)


def test_ctrl_c_while_the_engine_loads(
    beet: Beet, collection: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(**_settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tempo_core, "Estimator", interrupt, raising=False)
    run = beet("tempo")
    assert (run.code, run.out, run.err) == (1, "", "error: interrupted\n")


def test_ctrl_c_never_lands_between_the_writes_of_a_track(
    beet: Beet, collection: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C never interrupts a transaction, of which beets would commit the first half."""
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


def test_half_of_a_change_is_none(beet: Beet, make_audio: MakeAudio) -> None:
    """If an error is raised in the middle of a change, nothing of the change is stored."""
    beet.add(make_audio("a.mp3", duration=1))
    item = beet.item()

    def change() -> None:
        item.bpm = 99
        item.store()
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="middle"):
        keeping.atomically(item.db, change)
    assert beet.item().bpm == 0


def left_pending(beet: Beet, path: Path, **fields: Any) -> None:
    """Leave a track as a run does that was killed between storing it and writing its tags."""
    beet.add(path, bpm=126, tempo_bpm=126.01, tempo_source=MODEL, tempo_verdict="set",
             tempo_marker=f"126.01 {MODEL}", tempo_paces="126:0.90",
             tempo_key_confidence=0.1, tempo_beat_confidence=0.1,
             **{"tempo_pending": "bpm tempo_marker", **fields})  # fmt: skip


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every analysis an error."""

    def fail(**_settings: object) -> None:
        raise AssertionError("nothing needs an analysis")

    monkeypatch.setattr(tempo_core, "Estimator", fail, raising=False)


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("args", [[], ["title:A"], ["tempo_source::^model:"]])
def test_what_was_to_be_written_is_written_without_an_analysis(
    args: list[str], beet: Beet, make_audio: MakeAudio
) -> None:
    path = make_audio("a.mp3", duration=2, title="A", artist="B", albumartist="B")
    left_pending(beet, path)
    content = path.read_bytes()
    for idle in (["tempo", "-W"], ["tempo", "-p"], ["update"], ["tempo", "title:C"]):
        assert beet(*idle).code == 0
    assert path.read_bytes() == content
    assert beet.item().tempo_pending == "bpm tempo_marker"
    run = beet("tempo", *args)
    assert run.out.splitlines() == [
        "B - A: tags left by an interrupted run",
        "tempo: 0 tracks analysed: 0 set, 0 kept, 0 failed; 1 had a tempo already, "
        "1 interrupted before and finished now",
    ]
    assert MediaFile(path).bpm == 126
    assert "tempo_pending" not in beet.item()
    assert beet("update").out == ""
    assert "finished now" not in beet("tempo").out


def test_what_somebody_set_meanwhile_is_not_written_over(beet: Beet, make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3", duration=8, bpm=126, title="A", artist="B", albumartist="B")
    left_pending(beet, path)
    media = MediaFile(path)
    media.bpm = 111
    media.save()
    os.utime(path, (2e9, 2e9))
    beet("update")
    assert beet.item().bpm == 111
    assert beet("tempo").code == 0
    item = beet.item()
    assert (item.bpm, MediaFile(path).bpm, item.tempo_source) == (111, 111, "manual")
    assert "tempo_pending" not in item


def test_a_file_that_lost_its_tempo_meanwhile_gets_it_again(
    beet: Beet, make_audio: MakeAudio, bpm_of: BpmOf
) -> None:
    """A track whose tempo `beet update` removed before its tag was written gets a tempo again."""
    path = make_audio("a.mp3", duration=8, bpm=126, title="A", artist="B", albumartist="B")
    bpm = bpm_of(path)
    left_pending(beet, path)
    os.utime(path, (2e9, 2e9))
    beet("update")
    assert beet.item().bpm == 0
    assert beet("tempo").code == 0
    item = beet.item()
    assert (item.bpm, MediaFile(path).bpm, item.tempo_source[:6]) == (bpm, bpm, "model:")


@pytest.mark.usefixtures("no_engine")
def test_an_original_is_not_written_to(beet: Beet, make_audio: MakeAudio) -> None:
    """After an import that was killed before it copied a file, the original is not written to."""
    path = make_audio("a.mp3", duration=2, title="A")
    left_pending(beet, path, tempo_pending="original bpm tempo_marker")
    content = path.read_bytes()
    assert beet("tempo").code == 0
    assert path.read_bytes() == content
    assert "tempo_pending" not in beet.item()


HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1])
connection.execute("BEGIN {kind}")
print("locked", flush=True)
time.sleep({seconds})
connection.rollback()
"""


@pytest.mark.parametrize("kind", [pytest.param("IMMEDIATE", marks=pytest.mark.slow), "EXCLUSIVE"])
@pytest.mark.parametrize(("seconds", "patience", "works"), [(1, 10, True), (60, 0.2, False)])
@pytest.mark.slow
def test_a_library_that_another_process_has_locked(
    kind: str, seconds: float, patience: float, works: bool, beet: Beet, collection: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A library that another process has locked is waited for, longer than by beets itself."""
    beet.configure(timeout=0.2)
    monkeypatch.setattr(keeping, "LOCK_PATIENCE", patience)
    finish = keeping.finish
    holders: list[subprocess.Popen[str]] = []

    def locked(item: Item, *args: Any) -> Any:
        if len(holders) == 0:
            code = HOLD.format(kind=kind, seconds=seconds)
            holder = subprocess.Popen(
                [sys.executable, "-c", code, beet.database], stdout=subprocess.PIPE, text=True
            )
            holders.append(holder)
            assert holder.stdout
            holder.stdout.readline()
        return finish(item, *args)

    monkeypatch.setattr(keeping, "finish", locked)
    run = beet("tempo", "-t", "1")
    if works:
        assert (run.code, run.err) == (0, "")
    else:
        holders[0].kill()
        assert run.code == 1
        assert run.err.splitlines() == [
            "error: the library cannot be used (database is locked): 0 tracks analysed: 0 set, "
            "0 kept, 0 failed; 0 had a tempo already; the next run continues from here"
        ]
    holders[0].communicate()
    n_done = check_sound(beet, collection)
    assert n_done == (10 if works else 1)
    check_continues(beet, collection, n_done)


@pytest.mark.slow
def test_a_full_disk(beet: Beet, collection: list[Path]) -> None:
    """A limit to the size of files, between the sizes of the songs, acts like a full disk."""
    sizes = sorted(path.stat().st_size for path in collection)
    limit = (sizes[0] + sizes[-1]) // 2
    big = [path for path in collection if path.stat().st_size > limit]
    code = (
        "import resource, beets.ui; from beetsplug.tempo import keeping; "
        "write = keeping.write_tags\n"
        "def limited(*args):\n"
        f"    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, -1))\n"
        "    try: return write(*args)\n"
        "    finally: resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\n"
        "keeping.write_tags = limited; beets.ui.main(['tempo'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 1
    assert done.stderr.count("cannot write the tag: File too large") == len(big) == 5
    assert "5 set, 0 kept, 5 failed" in done.stderr
    assert check_sound(beet, collection) == len(collection)
    assert beet("update").out == ""
    check_continues(beet, collection, len(collection))


@pytest.mark.slow
@pytest.mark.parametrize(
    "pages", [8, *(pytest.param(n, marks=pytest.mark.slow) for n in (0, 3, 14))]
)
def test_a_disk_that_is_full_for_the_library(
    pages: int, beet: Beet, collection: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk is full while a track is stored, nothing of that change stays in the library."""
    with sqlite3.connect(beet.database) as connection:
        connection.execute("VACUUM")
        (size,) = connection.execute("PRAGMA page_count").fetchone()
    connection.close()
    attempt = keeping.store
    import_module("beetsplug.tempo.analysing")  # which takes `store` as it is

    def limited(item: Item, *args: Any) -> None:
        item.db._connection().execute(f"PRAGMA max_page_count = {size + pages}")
        item["filling"] = "x" * 20_000
        attempt(item, *args)

    with monkeypatch.context() as patch:
        patch.setattr(keeping, "store", limited)
        run = beet("tempo", "-t", "1")
    assert run.code == 1
    (line,) = run.err.splitlines()
    assert line.startswith("error: the library cannot be used (database or disk is full): ")
    n_done = check_sound(beet, collection)
    assert n_done < len(collection)
    check_continues(beet, collection, n_done)


RAISER = """
from beets.plugins import BeetsPlugin

class Raiser(BeetsPlugin):
    def __init__(self):
        super().__init__()
        self.register_listener({event!r}, self.fail)

    def fail(self, item, path, **kwargs):
        if item.title in ("T1", "A"):
            raise RuntimeError("no")
"""


@pytest.fixture
def raiser(request: pytest.FixtureRequest, beet: Beet, tmp_path: Path) -> None:
    """Load a plugin that raises an error when a file is written."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    name = f"raising_{request.param}"  # Python loads a module of one name once
    (folder / f"{name}.py").write_text(RAISER.format(event=request.param))
    beet.configure(plugins=["tempo", name], pluginpath=[str(folder)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "raiser", ["write", pytest.param("after_write", marks=pytest.mark.slow)], indirect=True
)
@pytest.mark.usefixtures("raiser")
def test_a_plugin_that_raises_costs_one_track(beet: Beet, collection: list[Path]) -> None:
    run = beet("tempo")
    assert run.code == 1
    assert run.err.splitlines() == [
        f"tempo: {collection[1]}: RuntimeError: no",
        "error: 10 tracks analysed: 9 set, 0 kept, 1 failed; 0 had a tempo already; keys: 9 set",
    ]
    assert all(item.bpm and item.tempo_source for item in beet.items())
    again = beet("tempo")
    assert again.code == 0
    assert "10 had a tempo already, 1 skipped that failed before" in again.out
    beet.configure(plugins=["tempo"])
    assert "1 interrupted before and finished now" in beet("tempo", "--retry").out
    check_continues(beet, collection, 10)
