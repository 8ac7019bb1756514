"""Labels are stored many at a time, with the same result as one at a time, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from beets.library import Item
from mediafile import MediaFile

from beetsplug.tempo import file_keys, keeping, label_batches
from tempo_core.labels import files
from tests.rows import mostly_slow

from ..conftest import MakeAudio
from .conftest import ROOT, Beet
from .test_labels import RAISER

N_TRACKS = 12
# Of these the file says nothing, or something that the audio contradicts.
UNKNOWN, WRONG = 3, 4
COLUMNS = "title\tartist\talbum\tgenre\tpath\ttempo\tkey"


@pytest.fixture
def songs(beet: Beet, make_audio: MakeAudio, tmp_path: Path) -> Path:
    """Twelve tracks of which no two are alike in what they have already, and a table about them."""
    made = [make_audio(f"songs/x.{suffix}", duration=2) for suffix in ("mp3", "flac")]
    rows = [COLUMNS]
    beet.load()
    for k in range(N_TRACKS):
        path = Path(shutil.copy(made[k % 2], made[k % 2].with_stem(f"song {k}")))
        media = MediaFile(path)
        media.update({"title": f"T{k}", "artist": "A"})
        media.bpm = 99 if k == 5 else None
        media.initial_key = "Gm" if k in (5, 6) else None
        media.save()
        fields: dict[str, Any] = {}
        if k in (WRONG, 7):
            fields = {
                "tempo_bpm": 120.0 + k, "tempo_paces": f"{120 + k}:0.9", "tempo_verdict": "set",
                "tempo_source": "model:x@01234567",
            }  # fmt: skip
        if k == 8:  # the file got a tempo since it was added
            beet.add(path)
            seen = path.stat()
            media.bpm = 101
            media.save()
            os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        else:
            beet.add(path, **fields)
        tempo = 150 if k == WRONG else 120 + k
        if k != UNKNOWN:
            rows.append(f"T{k}\tA\t\t\t{path}\t{tempo}\tA min")
    for path in made:
        path.unlink()
    table = tmp_path / "labels.tsv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return table


def state(beet: Beet) -> list[Any]:
    """All that the library and the files say, but for times of files."""
    times = ("mtime", file_keys.KEY_SEEN)
    found = []
    for item in beet.items():
        media = MediaFile(item.filepath)
        values = {name: item.get(name) for name in item.keys() if name not in times}  # noqa: SIM118
        assert item.mtime == item.current_mtime()
        assert file_keys.is_key_known(item)
        tags = (media.bpm, media.initial_key, media.tempo_marker, media.tempo_key_marker)
        found.append((values, tags))
    return found


@mostly_slow("write", ["-w", "-W"], quick=1)
def test_the_result_is_that_of_one_track_at_a_time(
    write: str, beet: Beet, songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    music = Path(os.fsdecode(beet.items()[0].path)).parent
    for folder in (music, beet.database.parent):
        shutil.copytree(folder, tmp_path / "before" / folder.name)

    def run(size: int) -> tuple[str, list[Any], int]:
        for folder in (music, beet.database.parent):
            shutil.rmtree(folder)
            shutil.copytree(tmp_path / "before" / folder.name, folder)
        monkeypatch.setattr(label_batches, "MAX_SIZE", size)
        sizes = []
        store_each = label_batches.store_each

        def counted(lib: Any, items: list[Item], *args: Any) -> list[Exception | None]:
            sizes.append(len(items))
            return store_each(lib, items, *args)

        with monkeypatch.context() as patch:
            patch.setattr(label_batches, "store_each", counted)
            done = beet("tempo-labels", "--import", songs, "--apply", write)
        assert (done.code, done.err) == (0, "")
        return done.out, state(beet), max(sizes)

    monkeypatch.setattr(label_batches, "MAX_AGE", 60)
    singly, together = run(1), run(5)
    assert singly[:2] == together[:2]
    assert (singly[2], together[2] > 1) == (1, True)
    by_title = {values["title"]: (values, tags) for values, tags in together[1]}
    values, tags = by_title["T0"]
    assert (values["bpm"], values["initial_key"]) == (120, "Am")
    assert (tags[0] or None, tags[1]) == ((120, "Am") if write == "-w" else (None, None))
    assert by_title["T5"][0]["bpm"] == 99
    assert by_title["T8"][0]["bpm"] == 101  # not the 128 of the table
    assert by_title[f"T{UNKNOWN}"][0]["tempo_label_status"] == "not_found"
    assert by_title[f"T{WRONG}"][0]["bpm"] == 0


def test_a_file_is_read_once(beet: Beet, songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n_read = 0
    read_track = files.read_track

    def counted(path: Any) -> Any:
        nonlocal n_read
        n_read += 1
        return read_track(path)

    monkeypatch.setattr(files, "read_track", counted)
    assert beet("tempo-labels", "--import", songs, "--apply", "-W").code == 0
    assert n_read == N_TRACKS


def test_a_file_that_changes_meanwhile_is_read_again(
    beet: Beet, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tempo that comes into the file between the look-up and the storing counts."""
    set_ = label_batches.Applying.set

    def meanwhile(self: Any, item: Item, track: Any) -> None:
        if item.title == "T0":
            media = MediaFile(item.filepath)
            media.bpm = 77
            media.save()
        set_(self, item, track)

    monkeypatch.setattr(label_batches.Applying, "set", meanwhile)
    assert beet("tempo-labels", "--import", songs, "--apply", "-W").code == 0
    assert beet.item("title:=T0").bpm == 77


def test_a_plugin_that_raises_costs_one_track(
    beet: Beet, songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_batches, "MAX_AGE", 60)
    (tmp_path / "plugins").mkdir()
    code = RAISER.replace('"write"', '"database_change"').replace("item, path", "lib, model")
    code = code.replace('item.title == "Right"', 'model.get("title") == "T2"')
    (tmp_path / "plugins" / "raising_for_two.py").write_text(code)
    beet.configure(plugins=["tempo", "raising_for_two"], pluginpath=[str(tmp_path / "plugins")])
    run = beet("tempo-labels", "--import", songs, "--apply", "-W")
    assert run.code == 1
    failed, summary = run.err.splitlines()
    assert failed.endswith(" 2.mp3: RuntimeError: no")
    assert summary.startswith(f"error: {N_TRACKS} tracks: ")
    beet.configure(plugins=["tempo"])
    stored = {item.title for item in beet.items() if item.get("tempo_label_status")}
    assert stored == {f"T{k}" for k in range(N_TRACKS) if k != 2}


FATAL = """
import os, signal, sys
import beets.ui, pathlib, beetsplug.tempo.keeping
from beetsplug.tempo import label_batches

label_batches.MAX_AGE, label_batches.MAX_SIZE = 60, 5
owner, name, calls = {where}, {name!r}, 0
function = getattr(owner, name)
def fatal(*args, **kwargs):
    global calls
    calls += 1
    if calls < {call}:
        return function(*args, **kwargs)
    if {after}:
        function(*args, **kwargs)
    os.kill(os.getpid(), signal.{signal})
    return function(*args, **kwargs)
setattr(owner, name, fatal)
beets.ui.main(sys.argv[1:])
"""


@pytest.mark.slow
@mostly_slow(
    ("where", "name", "call", "after", "write"),
    [
        ("beetsplug.tempo.label_batches", "store_each", 2, True, "-W"),
        ("beets.dbcore.db.Transaction", "mutate", 40, True, "-W"),
        ("beetsplug.tempo.keeping", "write_tags", 3, False, "-w"),
        *(
            pytest.param(*moment, marks=pytest.mark.slow)
            for moment in (
                ("beetsplug.tempo.label_batches", "store_each", 2, False, "-W"),
                ("beetsplug.tempo.label_batches", "store_each", 2, True, "-w"),
                ("beets.dbcore.db.Transaction", "mutate", 60, True, "-w"),
                ("beetsplug.tempo.keeping", "write_tags", 3, True, "-w"),
                ("pathlib.Path", "replace", 3, True, "-w"),
                ("beetsplug.tempo.label_batches", "keep", 3, True, "-w"),
            )
        ),
    ],
    quick=(2,),
)
def test_kill_9_at_the_worst_moments(
    where: str, name: str, call: int, after: bool, write: str, beet: Beet, songs: Path
) -> None:
    code = FATAL.format(where=where, name=name, call=call, after=after, signal="SIGKILL")
    args = ["tempo-labels", "--import", str(songs), "--apply", write]
    done = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    for database in ("library.db", "labels.db"):
        with sqlite3.connect(beet.database.parent / database) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
    beet.load()
    for item in beet.items():
        media = MediaFile(item.filepath)
        if item.get("tempo_label_status") is None:  # all of a track's fields, or none
            assert "tempo_source" not in item or item.title in (f"T{WRONG}", "T7")
            assert media.tempo_marker is None
        elif write == "-w" and str(item.get("tempo_source")).startswith("label:"):
            # What the file does not say yet, the next run knows that it should.
            assert media.tempo_marker == item.tempo_marker or item.get(keeping.PENDING)
    run = beet(*args)
    assert (run.code, run.err) == (0, "")
    killed = state(beet)
    assert all("tempo_pending" not in values for values, _ in killed)
    assert (
        sum(
            values["tempo_source"] == "label:tsv"
            for values, _ in killed
            if "tempo_source" in values
        )
        == 8
    )
    for values, tags in killed:
        if values.get("tempo_source") == "label:tsv" and write == "-w":
            assert tags[0] == values["bpm"]
    assert not list(songs.parent.rglob(".tempo-*"))
    assert beet("update").out == ""


@pytest.mark.slow
@pytest.mark.parametrize("write", ["-W", "-w"])
def test_ctrl_c_keeps_what_is_finished(write: str, beet: Beet, songs: Path) -> None:
    """It is pressed while a track is looked up, or its file written; the batch is not lost."""
    where = ("tempo_core.labels.store.Store", "current") if write == "-W" else (
        "beetsplug.tempo.keeping", "write_tags"
    )  # fmt: skip
    code = FATAL.format(where=where[0], name=where[1], call=7, after=False, signal="SIGINT")
    code = f"import tempo_core.labels.store\n{code}"
    args = ["tempo-labels", "--import", str(songs), "--apply", write]
    done = subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == 1
    stored = [item for item in beet.items() if item.get("tempo_label_status")]
    assert 5 < len(stored) < N_TRACKS
    assert done.stdout.count("\n") == len(stored)
    assert done.stderr.startswith(f"error: interrupted: {len(stored)} tracks: ")
    assert all("tempo_pending" not in item for item in stored)
    assert beet(*args).code == 0
    assert all(item.get("tempo_label_status") for item in beet.items())
