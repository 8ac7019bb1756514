"""Tests of `beet tempo-eval` on a library with audio files."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tempo_core import checkpoint, in_use
from trainer.trainingset import memory
from trainer.trainingset.tables import TRACKS, CollectedTrack, write_table

from ..conftest import KeyedSong
from .conftest import ROOT, Beet

MakeAudio = Callable[..., Path]


@pytest.fixture
def collection(beet: Beet, make_audio: MakeAudio) -> list[Path]:
    """A library of three tracks: with a right label, with twice the tempo, and without a label."""
    paths = [
        make_audio(f"music/{name}.wav", bpm=bpm, duration=13, sr=22050, channels=1, style=style)
        for name, bpm, style in (
            ("right", 126, "house"),
            ("twice", 96, "rock"),
            ("none", 118, "house"),
        )
    ]
    for path, bpm in zip(paths, (126, 192, 0), strict=True):
        beet.add(path, bpm=bpm, artist=f"The {path.stem}s", title=path.stem)
    return paths


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_says_how_good_it_is_and_which_labels_to_look_at(
    beet: Beet, collection: list[Path], tmp_path: Path
) -> None:
    report = tmp_path / "report.html"
    before = [dict(item) for item in beet.items()]
    run = beet("tempo-eval", "--report", report)
    assert (run.code, run.err) == (0, "")
    lines = run.out.splitlines()
    (figures,) = [line for line in lines if ", all: " in line]
    assert "50.0 % of 2 right" in figures
    assert "100.0 % up to the octave" in figures
    assert "tempo-eval: 1 label disagrees with the analysis; it is in" in run.out
    assert "The twices - twice: label 192, analysed as 96" in run.out
    assert f"    {collection[1]}" in lines
    assert "right.wav" not in run.out
    folder = beet.database.parent / "tempo-eval"
    assert [row["path"] for row in rows(folder, "worst.tsv")] == [str(collection[1])]
    assert len(rows(folder, "tracks.tsv")) == 2
    assert "The twices - twice" in report.read_text()
    assert [dict(item) for item in beet.items()] == before


def test_the_table_of_disagreements_finds_the_tracks_again(
    beet: Beet, collection: list[Path]
) -> None:
    assert beet("tempo-eval", "-q").out == ""
    (row,) = rows(beet.database.parent / "tempo-eval", "worst.tsv")
    assert beet("ls", "-f", "$title", f"path:{row['path']}").out == "twice\n"


def test_what_is_known_is_not_analysed_again(beet: Beet, collection: list[Path]) -> None:
    assert beet("tempo-eval", "title:right").code == 0
    log = beet.database.parent / "tempo-eval" / "estimates.jsonl"
    first = log.read_text()
    beet("tempo-eval")
    assert log.read_text().startswith(first)
    assert len(log.read_text().splitlines()) == 2


@pytest.mark.slow
def test_a_query_and_a_baseline(beet: Beet, collection: list[Path], tmp_path: Path) -> None:
    run = beet("tempo-eval", "--baseline", "--out", tmp_path / "out", "title:right")
    assert run.code == 0
    assert "librosa-" in run.out
    document = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert [e["all"]["n"] for e in document["estimators"].values()] == [1, 1]


def test_a_track_that_cannot_be_read_costs_only_itself(beet: Beet, collection: list[Path]) -> None:
    collection[0].unlink()
    run = beet("tempo-eval")
    assert run.code == 1
    assert f"{collection[0]}: no such file" in run.err
    assert "1 of 2 estimates failed" in run.err
    assert "0.0 % of 2 right" in run.out
    assert (beet.database.parent / "tempo-eval" / "figures.json").exists()


def test_without_labels_it_says_what_counts_as_one(beet: Beet, collection: list[Path]) -> None:
    run = beet("tempo-eval", "title:none")
    assert run.code == 1
    assert "no track that matches has a label" in run.err


@pytest.mark.parametrize(
    ("args", "message"),
    [(["-t", "0"], "--threads must be"), (["--out", "/dev/null/x"], "cannot be made")],
)
def test_bad_settings(beet: Beet, collection: list[Path], args: list[str], message: str) -> None:
    run = beet("tempo-eval", *args)
    assert run.code == 1
    assert message in run.err


@pytest.mark.slow
def test_ctrl_c_stops_soon_and_the_next_run_goes_on(
    beet: Beet, collection: list[Path], tmp_path: Path
) -> None:
    paths = [tmp_path / "many" / f"{k}.wav" for k in range(30)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        os.link(collection[0], path)
    beet.add(*paths, bpm=126, artist="", title="")
    process = beet.start("tempo-eval", "-t", "1")
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    _, err = process.communicate(timeout=20)
    assert time.monotonic() - begin < 2
    assert process.returncode == 1
    assert "the next run continues from here" in err
    log = beet.database.parent / "tempo-eval" / "estimates.jsonl"
    n_done = len(log.read_text().splitlines())
    assert 1 <= n_done < 32
    assert beet("tempo-eval").code == 0
    assert len(log.read_text().splitlines()) == 32


@pytest.mark.slow
def test_a_missing_extra_is_named(beet: Beet, collection: list[Path]) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import beets.ui; beets.ui.main(['tempo-eval'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 1
    assert "pip install 'beets-tempo[train]'" in done.stderr.splitlines()[-1]


@pytest.fixture
def taught(beet: Beet, collection: list[Path], tmp_path: Path) -> Path:
    """A learned model that does not list its tracks, beside a training set with the first track."""
    folder = beet.database.parent / "tempo-training"
    folder.mkdir()
    learned = CollectedTrack(
        collection[0], 126.0, "field", artist="The rights", title="right", split="train"
    )
    kept_out = CollectedTrack(collection[1], 192.0, "field", split="test")
    write_table(folder / TRACKS, [learned, kept_out], CollectedTrack)
    shipped = checkpoint.load(checkpoint.resolve("default"))
    path = checkpoint.save(tmp_path / "models", dataclasses.replace(shipped, card={}))
    beet.configure(tempo={"threads": 2, "model": str(path)})
    return folder


def test_what_the_model_learned_from_is_shown_apart(beet: Beet, taught: Path) -> None:
    run = beet("tempo-eval")
    assert run.code == 0
    assert "The model learned from 1 of these 2 tracks" in run.out
    assert ", held out: 0.0 % of 1 right" in run.out
    assert ", learned from: 100.0 % of 1 right" in run.out
    run = beet("tempo-eval", "--split", "test")
    assert "0.0 % of 1 right" in run.out
    assert "The model learned" not in run.out
    run = beet("tempo-eval", "--split", "test", "title:right")
    assert run.code == 1
    assert "learned from all of these tracks" in run.err


def test_a_file_that_moved_is_still_one_that_was_learned_from(
    beet: Beet, taught: Path, collection: list[Path], tmp_path: Path
) -> None:
    moved = tmp_path / "moved.wav"
    shutil.move(collection[0], moved)
    item = beet.item("title:right")
    item.path = str(moved).encode()
    item.store()
    assert "learned from 1 of these 2" in beet("tempo-eval").out


@pytest.fixture
def knowing(beet: Beet, collection: list[Path], tmp_path: Path) -> Beet:
    """A learned model that lists its tracks, beside the training set of another model."""
    shipped = checkpoint.load(checkpoint.resolve("default"))
    learned = CollectedTrack(
        tmp_path / "elsewhere.wav", 126.0, "field", artist="The Rights", title="Right",
        id=hashlib.sha256(collection[1].read_bytes()).hexdigest()[:16], split="train",
    )  # fmt: skip
    path = checkpoint.save(
        tmp_path / "models",
        dataclasses.replace(
            shipped, card={memory.CARD_KEY: memory.pack(memory.remember([learned]))}
        ),
    )
    folder = beet.database.parent / "tempo-training"
    folder.mkdir()
    others = [CollectedTrack(p, 100.0, "field", split="train") for p in collection]
    write_table(folder / TRACKS, others, CollectedTrack)
    beet.configure(tempo={"threads": 2, "model": str(path)})
    return beet


def test_the_models_own_word_counts_whatever_folder_is_there(knowing: Beet) -> None:
    """Tracks in a model's list are recognised by artist and title in another path and spelling."""
    run = knowing("tempo-eval")
    assert "The model learned from 1 of these 2 tracks" in run.out
    assert ", learned from: 100.0 % of 1 right" in run.out


def test_a_file_without_a_name_is_known_by_what_is_in_it(knowing: Beet) -> None:
    item = knowing.item("title:twice")
    item.update({"artist": "", "title": ""})
    item.store()
    run = knowing("tempo-eval", "--split", "test")
    assert "the model learned from all of these tracks" in run.err


def test_stated_paces_are_compared_whoever_stated_the_tempo(
    beet: Beet, collection: list[Path]
) -> None:
    """Stated paces are evaluated for a track with a label and for one without."""
    for title, paces in (("right", "63 126"), ("none", "118")):
        item = beet.item(f"title:{title}")
        item["tempo_paces_manual"] = paces
        item.store()
    run = beet("tempo-eval")
    assert run.code == 0, run.err
    assert ", paces of 2 tracks: " in run.out
    assert "50.0 % of 2 right" in run.out
    run = beet("tempo-eval", "title:none")
    assert run.code == 0, run.err
    assert ", paces of 1 tracks: " in run.out
    assert "right" not in run.out


@pytest.fixture
def keyed(beet: Beet, aeolian: list[KeyedSong]) -> Beet:
    """A library of four songs: of two a person gave the key, one is our own, one a site's."""
    for k, song in enumerate(aeolian[:4]):
        beet.add(song.path, title=f"Song {k}", artist=song.artist)
    for k, fields in enumerate(
        [
            {"initial_key": "Cm"},
            {"initial_key": "E"},  # what the model takes C sharp minor for
            {"initial_key": "F", "tempo_key": "F", "tempo_key_source": "model:key-x@00000000"},
            {"tempo_label_key": "D#m", "tempo_label_source": "musicstax",
             "tempo_label_verdict": "agree"},
        ]
    ):  # fmt: skip
        item = beet.item(f"title:='Song {k}'")
        item.update(fields)
        item.store()
    return beet


@pytest.mark.slow
def test_keys_of_people_and_sites_are_compared(keyed: Beet, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    run = keyed("tempo-eval", "--report", report, "--baseline", "-q")
    assert (run.code, run.out, run.err) == (0, "", "")
    run = keyed("tempo-eval")
    assert run.code == 0, run.err
    assert "No track has a labelled tempo, so only keys are measured." in run.out
    assert "all: the very key of 33.3 % of 3, weighted key score 53.3 % (95 % interval" in run.out
    assert "confidence off by 0." in run.out
    assert "minor as major" in run.out
    assert "2 keys differ from the analysis, those it is surest of first" in run.out
    assert "Band 0 - Song 0: key Cm, analysed as D#, confidence 0." in run.out
    assert "Song 2" not in run.out
    folder = keyed.database.parent / "tempo-eval"
    assert sorted(row["key"] for row in rows(folder, "worst-keys.tsv")) == ["Cm", "D#m"]
    sets = {row["name"]: row["set"] for row in rows(folder, "keys.tsv")}
    assert sets["Band 3 - Song 3"] == "label:musicstax"
    assert "krumhansl" in report.read_text()
    assert "Keys to look at" in report.read_text()


@pytest.mark.slow
def test_keys_that_the_model_learned_from_are_counted_apart(
    keyed: Beet, aeolian: list[KeyedSong]
) -> None:
    learned = CollectedTrack(aeolian[1].path, 0.0, "tag", split="train")
    shipped = checkpoint.load(checkpoint.resolve("shipped", "key"), "key")
    card = {memory.CARD_KEY: memory.pack(memory.remember([learned]))}
    path = checkpoint.save(in_use.folder(), dataclasses.replace(shipped, card=card))
    in_use.activate(path.name, "key")
    run = keyed("tempo-eval")
    assert "The key model learned from 1 of these 3 tracks" in run.out
    assert "held out: the very key of 0.0 % of 2" in run.out
    assert "learned from: the very key of 100.0 % of 1" in run.out
    run = keyed("tempo-eval", "--split", "test")
    assert "all: the very key of 0.0 % of 2" in run.out


def test_only_tempi_are_said_to_be_only_tempi(beet: Beet, collection: list[Path]) -> None:
    assert "No track has a known key, so only tempi are measured." in beet("tempo-eval").out
