"""Tests of tracks of which some tasks fail: what the others found is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from mediafile import MediaFile

from tempo_core import checkpoint, in_use
from tests.models_overflowing import overflowing
from tests.rows import mostly_slow

from ..conftest import MakeAudio
from .conftest import Beet

TOLD = "sounds like nothing that the model can put into numbers"


@pytest.fixture
def song(make_audio: MakeAudio) -> Path:
    return make_audio("new/a.flac", duration=8, bpm=126, title="A", artist="B")


def break_model(task: str) -> None:
    """Put a model to use whose numbers overflow."""
    in_use.folder().mkdir(parents=True, exist_ok=True)
    shipped = checkpoint.load(checkpoint.resolve("shipped", task), task)
    path = checkpoint.save(in_use.folder(), overflowing(shipped))
    in_use.activate(path.name, task)


@mostly_slow("task", ["tags", "key"], quick=1)
def test_the_tempo_is_written_though_another_task_fails(task: str, beet: Beet, song: Path) -> None:
    break_model(task)
    beet.add(song)
    run = beet("tempo", "-w", "--tasks", "tempo,key,tags")
    assert run.code == 1
    assert run.err.splitlines() == [
        f"tempo: {song}: {task}: {TOLD}",
        "error: 1 track analysed: 1 set, 0 kept, 1 failed; 0 had a tempo already"
        + ("; keys: 1 set" if task == "tags" else "; tags: 1 found"),
    ]
    item = beet.item()
    assert (item.bpm, MediaFile(song).bpm) == (126, 126)
    assert item.tempo_failure == f"{task}: {TOLD}"
    again = beet("tempo", "--tasks", "tempo,key,tags")
    assert again.code == 0
    assert "1 skipped that failed before" in again.out


def test_the_paces_that_failed_are_tried_again(beet: Beet, song: Path) -> None:
    break_model("pace")
    beet.add(song)
    assert beet("tempo", "-W").code == 1
    assert beet.item().tempo_failure == f"pace: {TOLD}"
    assert beet("tempo", "-W", "--retry").code == 1
    in_use.activate("shipped", "pace")
    assert beet("tempo", "-W").code == 0
    assert not beet.item().tempo_paces
    assert beet("tempo", "-W", "--retry").code == 0
    assert beet.item().tempo_paces
    assert "tempo_failure" not in beet.item()
    assert "1 had a tempo already" in beet("tempo", "-W", "--retry").out


def test_the_key_is_stored_though_the_tempo_fails(beet: Beet, in_a: Path) -> None:
    break_model("tempo")
    beet.add(in_a)
    run = beet("tempo", "-W")
    assert run.code == 1
    assert f"tempo, pace, beats: {TOLD}" in run.err
    item = beet.item()
    assert (item.bpm, bool(item.initial_key)) == (0, True)


@mostly_slow("write", [False, True], quick=1)
def test_an_import_keeps_what_was_found(write: bool, beet: Beet, song: Path) -> None:
    break_model("tags")
    beet.configure(tempo={"tasks": ["tempo", "key", "tags"], "write": write})
    run = beet("import", "-A", song.parent)
    assert run.code == 0
    assert run.err.count(TOLD) == 1
    assert beet("update").out == ""
    item = beet.item()
    assert (item.bpm, MediaFile(item.filepath).bpm) == (126, 126 if write else None)
    assert write or item.tempo_failure == f"tags: {TOLD}"
