"""Tests of building a training set from audio files: selection, and interruptions."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tempo_core import checkpoint, methods
from tempo_core.background import Stopped
from tempo_core.config import Windows
from tempo_core.errors import ConfigError, StorageError
from tests.audio import write_audio, write_bad_files
from trainer.inputs.cache import read_notes, read_views
from trainer.inputs.views import load_views
from trainer.trainingset import build as build_module
from trainer.trainingset.build import JOURNAL, Built, build
from trainer.trainingset.clean import Reason
from trainer.trainingset.journal import TABLE, Journal
from trainer.trainingset.tables import (
    CACHE,
    DROPPED,
    TRACKS,
    CollectedTrack,
    DroppedTrack,
    LabelledTrack,
    read_collection,
    read_table,
    write_table,
)

from ..conftest import BANDS, SR, music
from ..conftest import BUILD_OPTIONS as OPTIONS

ROOT = Path(__file__).parents[3]


def state(folder: Path) -> dict[str, Any]:
    """Content of a training set: its tables and the arrays in its cache."""
    found: dict[str, Any] = {path.name: path.read_bytes() for path in folder.glob("*.tsv")}
    for path in (folder / CACHE).glob("*.safetensors"):
        views = read_views(path)  # the order of a header is not always the same
        arrays = views.maps.tobytes(), views.statistics.tobytes()
        found[path.name] = (*arrays, views.n_full, read_notes(path))
    return found


@pytest.fixture
def folder(training_set: Path, tmp_path: Path) -> Path:
    """A copy of the training set of the six songs that a test may change."""
    return Path(shutil.copytree(training_set, tmp_path / "set"))


@pytest.fixture(scope="module")
def faulty(songs: list[LabelledTrack], tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The six songs among tracks with every kind of fault."""
    folder = tmp_path_factory.mktemp("faulty")
    bad = write_bad_files(folder / "bad")

    def track(path: Path, bpm: float = 120.0, **known: str) -> LabelledTrack:
        return LabelledTrack(path, bpm, "table", f"By {path.stem}", **known)  # type: ignore[arg-type]

    first = music(*BANDS[0], 0)
    copy = write_audio(folder / "copy.mp3", np.concatenate([np.zeros(5000), first]), SR)
    whole = write_audio(folder / "whole.mp3", music(101, "rock", 20, 20), SR).read_bytes()
    (folder / "truncated.mp3").write_bytes(whole[: len(whole) // 2])
    halves = [music(100, "house", 30), music(131, "rock", 31)]
    change = write_audio(folder / "change.wav", np.concatenate(halves), SR)
    odd_name = os.fsdecode("näme\t\r\n".encode() + b"\xff.wav")
    odd = write_audio(folder / "odd.wav", music(133, "house", 40), SR).rename(folder / odd_name)
    renamed = write_audio(folder / "r.mp3", music(92, "rock", 41), SR)
    renamed = renamed.rename(folder / "is an mp3.flac")
    gap = np.concatenate([music(107, "house", 50, 10), np.zeros(15 * SR)])
    tracks = [
        *songs,
        *(track(path) for path in bad.values()),
        dataclasses.replace(track(copy, 126.0), label_source="tag"),
        track(folder / "truncated.mp3", 101.0),
        track(change, 100.0),
        track(odd, 133.0),
        track(renamed, 92.0),
        track(write_audio(folder / "gap.wav", gap, SR), 107.0),
        track(write_audio(folder / "wrong.wav", music(127, "house", 60), SR), 97.0),
        track(write_audio(folder / "octave.wav", music(129, "house", 61), SR), 64.5),
        track(write_audio(folder / "nan.wav", first, SR), math.nan),
        track(write_audio(folder / "none.wav", first, SR), 0.0),
        track(
            write_audio(folder / "live.wav", first, SR),
            126.0, title="Song (Live)", label_title="Song",
        ),
    ]  # fmt: skip
    return build(tracks, folder / "set", dataclasses.replace(OPTIONS, views=False))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bad/missing.mp3", Reason.MISSING),
        ("bad/dangling.mp3", Reason.MISSING),
        ("bad/folder.mp3", Reason.UNREADABLE),
        ("bad/empty.mp3", Reason.UNREADABLE),
        ("bad/text.mp3", Reason.UNREADABLE),
        ("bad/noise.flac", Reason.UNREADABLE),
        ("bad/header.mp3", Reason.UNREADABLE),
        ("bad/no-samples.wav", Reason.UNREADABLE),
        ("bad/nan.wav", Reason.UNREADABLE),
        ("bad/picture.mp4", Reason.UNREADABLE),
        ("bad/short.wav", Reason.TOO_SHORT),
        ("bad/silent.flac", Reason.SILENT),
        ("gap.wav", Reason.SILENT),
        ("copy.mp3", Reason.DUPLICATE),
        ("truncated.mp3", Reason.TRUNCATED),
        ("change.wav", Reason.UNSTEADY),
        ("wrong.wav", Reason.CONTRADICTED),
        ("nan.wav", Reason.BAD_LABEL),
        ("none.wav", Reason.NO_LABEL),
        ("live.wav", Reason.VERSION),
    ],
)
def test_what_is_dropped(name: str, reason: str, faulty: Built) -> None:
    root = next(d.path for d in faulty.dropped if d.path.name == "gap.wav").parent
    (found,) = [d for d in faulty.dropped if d.path == root / name]
    assert found.reason == reason


def test_nothing_else_is_dropped(faulty: Built, songs: list[LabelledTrack]) -> None:
    assert len(faulty.dropped) == 20
    kept = {track.path for track in faulty.kept}
    assert {track.path for track in songs} <= kept
    others = sorted(path.name for path in kept - {track.path for track in songs})
    assert others == ["is an mp3.flac", os.fsdecode("näme\t\r\n".encode() + b"\xff.wav"),
                      "octave.wav"]  # fmt: skip
    assert len(faulty.failed) == 10
    assert faulty.summary()[0] == "kept 9: train 6, validation 2, test 1"


def test_tables_say_what_was_returned(faulty: Built) -> None:
    folder = next(t.path for t in faulty.kept if t.path.name == "octave.wav").parent / "set"
    assert read_collection(folder) == faulty.kept
    assert read_table(folder / DROPPED, DroppedTrack) == faulty.dropped
    assert all(track.recording().path.exists() for track in faulty.kept)


def test_the_set(training_set: Path, songs: list[LabelledTrack]) -> None:
    kept = read_collection(training_set)
    assert [track.path for track in kept] == [track.path for track in songs]
    assert Counter(t.split for t in kept) == {"train": 4, "validation": 1, "test": 1}
    assert {t.duration for t in kept} == {14.0}
    assert len({t.group for t in kept}) == 6


def test_training_finds_its_inputs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = read_collection(folder)
    model = checkpoint.load(checkpoint.resolve("default"))

    def fail(*_args: object) -> None:
        raise AssertionError("was computed again")

    monkeypatch.setattr("trainer.inputs.views.views_of", fail)
    monkeypatch.setattr("trainer.inputs.views.hash_file", fail)
    recordings = [track.recording() for track in kept]
    views = load_views(
        recordings, model.front_end, OPTIONS.windows, model.config.grid, folder / CACHE, jobs=1
    )
    assert {len(v.maps) for v in views} == {4 + 3}
    assert {v.n_full for v in views} == {4}


def test_a_second_run_computes_nothing(
    folder: Path, songs: list[LabelledTrack], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(folder)

    def fail(*_args: object) -> None:
        raise AssertionError("was computed again")

    monkeypatch.setattr("trainer.trainingset.listen_all.listen", fail)
    monkeypatch.setattr("trainer.trainingset.fill_cache.views_of", fail)
    monkeypatch.setattr("trainer.inputs.cache.hash_file", fail)
    build(songs, folder, OPTIONS)
    assert state(folder) == before


def test_a_collection_that_grows_and_changes(
    folder: Path, songs: list[LabelledTrack], tmp_path: Path
) -> None:
    before = {track.path: track.split for track in read_collection(folder)}
    path = Path(shutil.copy(songs[0].path, tmp_path / "moved.wav"))
    moved = dataclasses.replace(songs[0], path=path)
    new = write_audio(tmp_path / "new.wav", music(104, "rock", 77), SR)
    tracks = [moved, *songs[1:], LabelledTrack(new, 104, "tag", "Newcomer")]
    built = build(tracks, folder, OPTIONS)
    after = {track.path: track.split for track in built.kept}
    assert after.pop(path) == before.pop(songs[0].path)
    assert after.pop(new) in ("train", "validation", "test")
    assert after == before


def test_what_was_heard_holds_wherever_the_file_goes_and_however_it_is_seen(
    folder: Path, songs: list[LabelledTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listen(*args: object) -> None:
        raise AssertionError("it was listened to before")

    monkeypatch.setattr("trainer.trainingset.listen_all.listen", listen)
    moved = Path(shutil.copy(songs[0].path, tmp_path / "moved.wav"))
    tracks = [dataclasses.replace(songs[0], path=moved), *songs[1:]]
    before = {track.id for track in read_collection(folder)}
    assert {track.id for track in build(tracks, folder, OPTIONS).kept} == before
    # As after a version whose network sees the music in another way.
    monkeypatch.setattr("trainer.inputs.cache.VIEWS_LAYOUT", 1000)
    assert {track.id for track in build(tracks, folder, OPTIONS).kept} == before


def test_labels_of_one_file_are_labels_of_one_track(
    folder: Path, songs: list[LabelledTrack]
) -> None:
    again = dataclasses.replace(songs[0], bpm=63.0, label_source="tag")
    built = build([again, *songs], folder, OPTIONS)
    (track,) = [track for track in built.kept if track.path == songs[0].path]
    assert (track.bpm, track.label_source, track.other_labels) == (126.0, "table", "tag 63")


def test_equal_labels_are_told(folder: Path, songs: list[LabelledTrack]) -> None:
    tracks = [dataclasses.replace(t, bpm=120.0, label_source="manual") for t in songs]
    built = build(tracks, folder, OPTIONS)
    assert len(built.kept) == 6
    assert "note: all labels are 120 BPM" in "\n".join(built.summary())


@pytest.mark.parametrize(
    ("n_tracks", "artist", "told"),
    [(0, "", "no track is left"), (1, "", "1 track by one artist"), (6, "Band", "nothing can be")],
)
def test_what_cannot_be_held_out(
    n_tracks: int, artist: str, told: str, folder: Path, songs: list[LabelledTrack]
) -> None:
    before = state(folder)
    tracks = [dataclasses.replace(t, artist=artist or t.artist) for t in songs[:n_tracks]]
    unlabelled = dataclasses.replace(songs[0], path=folder / "x.wav", bpm=0.0)
    with pytest.raises(ConfigError, match=told):
        build([*tracks, unlabelled], folder, OPTIONS)
    after = state(folder)
    assert read_table(folder / DROPPED, DroppedTrack)[0].reason == Reason.NO_LABEL
    assert {**after, DROPPED: b""} == {**before, DROPPED: b""}


def test_a_cache_that_is_too_small_holds_fewer_windows(
    folder: Path, songs: list[LabelledTrack]
) -> None:
    def size() -> int:
        return sum(path.stat().st_size for path in (folder / CACHE).glob("*.safetensors"))

    complete = state(folder)
    limit = size() * 2 // 3
    built = build(songs, folder, dataclasses.replace(OPTIONS, cache_size=limit))
    assert size() <= limit
    (note,) = [line for line in built.summary() if line.startswith("note")]
    assert "of each track 4 windows are used (the longest has 7)" in note
    build(songs, folder, OPTIONS)
    complete_again = state(folder)
    assert complete_again.keys() == complete.keys()
    assert size() > limit


def test_inputs_of_an_older_front_end_are_replaced(
    folder: Path, songs: list[LabelledTrack]
) -> None:
    older = set((folder / CACHE).glob("*.safetensors"))
    limit = sum(path.stat().st_size for path in older) + 2048 * len(older)
    options = dataclasses.replace(OPTIONS, windows=Windows(6.0, 2.9), cache_size=limit)
    build(songs, folder, options)
    newer = set((folder / CACHE).glob("*.safetensors"))
    assert len(newer) == 6
    assert not newer & older


def test_inputs_that_no_method_needs_are_not_computed(
    training_set: Path, songs: list[LabelledTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inputs of the network are not computed for fewer labels than `fit` needs."""
    options = dataclasses.replace(OPTIONS, views=None)
    shutil.copytree(training_set, tmp_path / "set")
    for path in (tmp_path / "set" / CACHE).glob("*.safetensors"):
        path.unlink()
    build(songs, tmp_path / "set", options)
    assert not list((tmp_path / "set" / CACHE).glob("*.safetensors"))
    rows = [dataclasses.replace(m, labels_from=min(m.labels_from, 5)) for m in methods.METHODS]
    monkeypatch.setattr(methods, "METHODS", rows)  # five of the six are not for the test
    build(songs, tmp_path / "set", options)
    assert len(list((tmp_path / "set" / CACHE).glob("*.safetensors"))) == 6


def test_a_damaged_cache_is_mended(folder: Path, songs: list[LabelledTrack]) -> None:
    before = state(folder)
    for path, damaged in zip(
        sorted((folder / CACHE).glob("*.safetensors")), (b"", b"\0" * 5000, b"text"), strict=False
    ):
        path.write_bytes(damaged)
    build(songs, folder, OPTIONS)
    assert state(folder) == before


def test_a_file_that_vanishes_on_the_way_is_dropped(
    songs: list[LabelledTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vanishing = Path(shutil.copy(songs[0].path, tmp_path / "a.wav"))
    tracks = [dataclasses.replace(songs[0], path=vanishing), *songs[1:5]]
    divide = build_module.divide

    def late(*args: object) -> object:
        vanishing.unlink()
        return divide(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(build_module, "divide", late)
    built = build(tracks, tmp_path / "set", OPTIONS)
    assert [(d.path, d.reason) for d in built.dropped] == [(vanishing, Reason.UNREADABLE)]
    assert vanishing not in {track.path for track in read_collection(tmp_path / "set")}


def test_a_journal_that_is_none_is_told(folder: Path, songs: list[LabelledTrack]) -> None:
    (folder / JOURNAL).write_bytes(b"nonsense" * 1000)
    with pytest.raises(StorageError, match=r"analysis\.db: cannot be used .*delete the file"):
        build(songs, folder, OPTIONS)


@pytest.mark.slow
def test_one_run_at_a_time(folder: Path, songs: list[LabelledTrack]) -> None:
    with (
        Journal(folder / JOURNAL),
        pytest.raises(ConfigError, match="another run is building"),
    ):
        build(songs, folder, OPTIONS)


def test_stopping_is_quick_and_keeps_what_is_done(
    songs: list[LabelledTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_audio(tmp_path / "z long.wav", np.tile(music(99, "rock", 5), 30), SR)
    tracks = [*songs[:2], LabelledTrack(path, 99, "tag", "Long")]
    stop = threading.Event()
    note_heard = Journal.note_heard
    asked = []

    def noted(self: Journal, *args: Any) -> None:
        note_heard(self, *args)
        asked.append(time.monotonic())
        stop.set()

    options = dataclasses.replace(OPTIONS, jobs=1)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "note_heard", noted)
        with pytest.raises(Stopped, match="the next run goes on there"):
            build(tracks, tmp_path / "set", options, stop.is_set)
    assert time.monotonic() - asked[0] < 2
    assert not (tmp_path / "set" / TRACKS).exists()
    with Journal(tmp_path / "set" / JOURNAL) as journal:
        rows = journal._db.execute(f"SELECT count(*) FROM {TABLE}").fetchone()
    assert rows == (len(asked),) == (1,)


@pytest.mark.slow
def test_ctrl_c_in_the_command(songs: list[LabelledTrack], tmp_path: Path) -> None:
    for k in range(8):
        write_audio(tmp_path / f"{k}.wav", np.tile(music(99, "rock", k), 10), SR)
    rows = [f"{path}\t99\t{path.stem}" for path in tmp_path.glob("*.wav")]
    (tmp_path / "labels.tsv").write_text("\n".join(["path\tbpm\tartist", *rows, ""]))
    command = [sys.executable, "-m", "tempo_core.cli", "build", "--out", "set", "--labels"]
    process = subprocess.Popen(
        [*command, "labels.tsv", "--jobs", "1"],
        stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    while not (tmp_path / "set" / (JOURNAL + "-wal")).exists():
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    _, err = process.communicate(timeout=20)
    assert time.monotonic() - begin < 2
    assert process.returncode == 1
    assert err == "Error: interrupted; what was computed is kept, and the next run goes on there\n"
    assert not (tmp_path / "set" / TRACKS).exists()


TRACKS_FILE = "wanted.json"
CHILD = """
import json, os, signal, sys
from pathlib import Path
import trainer.inputs.cache, trainer.trainingset.build, trainer.trainingset.journal
from trainer.trainingset.tables import LabelledTrack
from tests.trainer.conftest import BUILD_OPTIONS as OPTIONS

folder, moment, n = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
owner, _, name = moment.rpartition(".")
owner = eval(owner)
function, calls = getattr(owner, name), 0
def fatal(*args, **kwargs):
    global calls
    calls += 1
    if calls == n:
        os.kill(os.getpid(), signal.SIGKILL)
    return function(*args, **kwargs)
setattr(owner, name, fatal)
rows = json.loads((folder.parent / "wanted.json").read_text())
tracks = [LabelledTrack(Path(row.pop("path")), **row) for row in rows]
trainer.trainingset.build.build(tracks, folder, OPTIONS)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "n"),
    [
        ("trainer.inputs.cache.save_file", 3),
        pytest.param("trainer.trainingset.journal.Journal.note_file", 4, marks=pytest.mark.slow),
        pytest.param("os.fsync", 2, marks=pytest.mark.slow),
        pytest.param("pathlib.Path.replace", 3, marks=pytest.mark.slow),
    ],
)
def test_kill_9_and_again(
    moment: str, n: int, training_set: Path, songs: list[LabelledTrack], tmp_path: Path
) -> None:
    rows = [{**dataclasses.asdict(track), "path": str(track.path)} for track in songs]
    (tmp_path / TRACKS_FILE).write_text(json.dumps(rows))
    folder = tmp_path / "set"
    code = CHILD if not moment.startswith("pathlib") else "import pathlib\n" + CHILD
    done = subprocess.run(
        [sys.executable, "-c", code, folder, moment, str(n)],
        capture_output=True, text=True, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    build(songs, folder, OPTIONS)
    assert state(folder) == state(training_set)


FULL = """
import json, resource, sys
from pathlib import Path
import trainer.trainingset.build
from trainer.trainingset.tables import LabelledTrack
from tempo_core.errors import StorageError
from tests.trainer.conftest import BUILD_OPTIONS as OPTIONS
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
folder = Path(sys.argv[1])
rows = json.loads((folder.parent / "wanted.json").read_text())
tracks = [LabelledTrack(Path(row.pop("path")), **row) for row in rows]
try:
    trainer.trainingset.build.build(tracks, folder, OPTIONS)
except StorageError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [pytest.param(40_000, marks=pytest.mark.slow), 150_000])
@pytest.mark.slow
def test_a_full_disk_is_one_message_and_costs_nothing(
    limit: int, training_set: Path, songs: list[LabelledTrack], tmp_path: Path
) -> None:
    """A disk that is full, for the journal or the inputs, is one message and costs no results."""
    rows = [{**dataclasses.asdict(track), "path": str(track.path)} for track in songs]
    (tmp_path / TRACKS_FILE).write_text(json.dumps(rows))
    folder = tmp_path / "set"
    done = subprocess.run(
        [sys.executable, "-c", FULL, folder, str(limit)],
        capture_output=True, text=True, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert "what is done is kept" in done.stdout
    build(songs, folder, OPTIONS)
    assert state(folder) == state(training_set)


def test_odd_names_survive_a_table(tmp_path: Path) -> None:
    names = ["plain", "tab\there", 'quo"te', "line\nbreak", "return\r", os.fsdecode(b"\xff\xfe")]
    tracks = [CollectedTrack(Path("/") / name, 120.5, "tag", title=name) for name in names]
    for subset in (tracks, tracks[:4]):
        write_table(tmp_path / TRACKS, subset, CollectedTrack)
        assert read_collection(tmp_path) == subset


@pytest.mark.parametrize("bpm", ["nan", "0.0", "-3.0", "inf"])
def test_a_label_that_is_no_tempo_is_refused(bpm: str, tmp_path: Path) -> None:
    tracks = [CollectedTrack(Path("/a"), 120.0, "tag"), CollectedTrack(Path("/b"), 77.0, "tag")]
    write_table(tmp_path / TRACKS, tracks, CollectedTrack)
    text = (tmp_path / TRACKS).read_text().replace("77.0", bpm)
    (tmp_path / TRACKS).write_text(text)
    with pytest.raises(ConfigError, match=r"tracks\.tsv, line 3: the label is"):
        read_collection(tmp_path)
