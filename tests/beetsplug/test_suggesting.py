"""Tests of suggesting tracks to label, and of what their labels gained."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from beetsplug.tempo.suggested import SUGGESTED, gain_line
from trainer.trainingset.tables import CollectedTrack

from .conftest import Beet

MakeAudio = Callable[..., Path]


class Collection:
    """A library of analysed tracks; nothing is heard, the fields are as an analysis sets them."""

    def __init__(self, beet: Beet, recording: Path) -> None:
        self.beet, self._recording = beet, recording
        self.folder = beet.database.parent / "tempo-eval"
        self.memory = beet.database.parent / "tempo-training" / SUGGESTED

    def add(self, title: str, bpm: int, octave: float, **fields: Any) -> Path:
        path = self._recording.with_name(f"{title}.wav")
        shutil.copyfile(self._recording, path)
        analysed = {
            "bpm": bpm, "tempo_bpm": float(bpm), "tempo_source": "model:m-20260101@01234567",
            "tempo_verdict": "set", "tempo_confidence": octave, "tempo_octave_confidence": octave,
        }  # fmt: skip
        known = {"title": title, "artist": f"The {title}s", "album": title, **analysed, **fields}
        self.beet.add(path, **{k: v for k, v in known.items() if v is not None})
        return path

    @property
    def table(self) -> list[dict[str, str]]:
        with (self.folder / "suggestions.tsv").open(newline="") as file:
            return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture
def collection(beet: Beet, make_audio: MakeAudio) -> Collection:
    beet.load()
    made = Collection(beet, make_audio("music/made.wav", duration=2, sr=8000, channels=1))
    made.add("sure", 120, 0.98)
    made.add("doubtful", 174, 0.45)
    made.add("unsure", 88, 0.7)
    return made


def test_tracks_to_label_are_listed_most_valuable_first(collection: Collection) -> None:
    beet = collection.beet
    before = [dict(item) for item in beet.items()]
    run = beet("tempo-eval")
    assert run.code == 1  # nothing is labelled yet, so that nothing can be measured
    assert "no track that matches has a label" in run.err
    lines = run.out.splitlines()
    assert lines[0].startswith("tempo-eval: 2 tracks to label next:")
    first, second = (beet.item(f"title:{title}") for title in ("doubtful", "unsure"))
    assert lines[1:3] == [
        f"  The doubtfuls - doubtful: 174.00 or 87.00 BPM (octave 0.45, id:{first.id})",
        f"  The unsures - unsure: 88.00 or 176.00 BPM (octave 0.70, id:{second.id})",
    ]
    assert f"`beet modify id:{first.id} bpm=87`" in lines[3]
    assert [(row["path"], row["bpm"], row["other"], row["id"]) for row in collection.table] == [
        (str(first.filepath), "174.00", "87.00", str(first.id)),
        (str(second.filepath), "88.00", "176.00", str(second.id)),
    ]
    listed = (collection.folder / "suggestions.m3u8").read_text().splitlines()
    assert listed == [
        "#EXTM3U",
        "#EXTINF:2,The doubtfuls - doubtful", str(first.filepath),
        "#EXTINF:2,The unsures - unsure", str(second.filepath),
    ]  # fmt: skip
    assert [dict(item) for item in beet.items()] == before


@pytest.mark.parametrize("answer", ["bpm=87", "tempo_source=manual"])
def test_what_was_answered_is_not_asked_again(collection: Collection, answer: str) -> None:
    collection.beet("tempo-eval")
    assert collection.beet("modify", "-y", "title:doubtful", answer).code == 0
    collection.beet("tempo-eval", "-q", "title:doubtful", ",", "title:unsure")
    assert [row["title"] for row in collection.table] == ["unsure"]


def test_how_many_is_an_option_and_none_leaves_no_old_list(collection: Collection) -> None:
    run = collection.beet("tempo-eval", "--suggest", "1")
    assert "1 track to label next" in run.out
    assert len(collection.table) == 1
    assert collection.beet("tempo-eval", "--suggest", "0").out == ""
    assert list(collection.folder.iterdir()) == []
    run = collection.beet("tempo-eval", "--suggest", "-1")
    assert (run.code, run.err) == (1, "error: --suggest must be a whole number from 0\n")


def test_a_query_limits_what_is_suggested(collection: Collection) -> None:
    assert "unsure" in collection.beet("tempo-eval", "title:=unsure").out
    assert [row["title"] for row in collection.table] == ["unsure"]


def test_only_analysed_tracks_with_a_file_are_suggested(collection: Collection) -> None:
    collection.add("gone", 90, 0.5).unlink()
    collection.add("tagged", 90, 0.5, tempo_source="tag", tempo_verdict="kept")
    collection.add("published", 90, 0.5, tempo_source="label:deezer", tempo_label_bpm=90.0)
    collection.add("nonsense", 90, 0.5, tempo_octave_confidence=-3.0)
    collection.beet("tempo-eval", "-q")
    assert {row["title"] for row in collection.table} == {"doubtful", "unsure"}


def test_names_and_paths_of_any_bytes(collection: Collection) -> None:
    path = collection.add("odd", 90, 0.3)
    odd = path.with_name("caf\udce9.wav")
    shutil.move(path, odd)
    item = collection.beet.item("title:odd")
    item.path, item.title = os.fsencode(odd), "two\nlines"
    item.store()
    run = collection.beet("tempo-eval")
    assert "The odds - two\\nlines: 90.00 or 180.00 BPM" in run.out
    listed = (collection.folder / "suggestions.m3u8").read_bytes().splitlines()
    assert b"file://" + quote(os.fsencode(odd)).encode() in listed
    assert len(listed) == 7
    assert str(odd) in json.loads(collection.memory.read_text())


@pytest.mark.skipif(os.name == "nt", reason="no file has such a name there")
def test_a_path_with_a_line_break_is_a_uri_in_the_playlist(collection: Collection) -> None:
    for title in ("feed\nline", "return\rto"):
        collection.add(title, 90, 0.3)
    collection.beet("tempo-eval", "-q")
    rows = {Path(row["path"]).stem for row in collection.table}
    assert rows == {"doubtful", "unsure", "feed\nline", "return\rto"}
    listed = (collection.folder / "suggestions.m3u8").read_bytes().splitlines()
    lines = [line.decode() for line in listed if not line.startswith(b"#")]
    paths = [Path(unquote(line.removeprefix("file://"))) for line in lines]
    assert {path.stem for path in paths} == rows
    assert sum(line.startswith("file:") for line in lines) == 2
    assert len(listed) == 1 + 2 * len(paths)


def test_an_old_list_that_cannot_be_removed_is_one_message(collection: Collection) -> None:
    path = collection.folder / "suggestions.tsv"
    path.mkdir(parents=True)
    run = collection.beet("tempo-eval", "--suggest", "0")
    assert run.code == 1
    assert run.err.startswith(f"error: {path}: an earlier list that cannot be removed (")
    assert run.err.endswith("; give another --out\n")


def test_an_older_analysis_is_to_be_made_again(collection: Collection) -> None:
    collection.add("older", 90, 0.5, tempo_octave_confidence=None)
    run = collection.beet("tempo-eval", "title:older")
    assert "tempo-eval: 1 track analysed by an earlier version" in run.out
    assert "`beet tempo -f tempo_source::^model:`" in run.out


def test_suggestions_are_remembered_and_a_damaged_memory_is_begun_anew(
    collection: Collection,
) -> None:
    collection.beet("tempo-eval", "--suggest", "1")
    collection.beet("tempo-eval", "title:=unsure")
    known = json.loads(collection.memory.read_text())
    assert sorted(known.values()) == [88.0, 174.0]
    for damaged in ('{"half', "[]", '{"/a": "fast"}', '{"/a": NaN}', "[" * 100_000):
        collection.memory.write_text(damaged)
        run = collection.beet("tempo-eval")
        assert f"{collection.memory}: cannot be read" in run.err
        assert json.loads(collection.memory.read_text()) == known


def test_the_gain_names_the_labels_that_were_suggested() -> None:
    def labelled(name: str, bpm: float, split: str = "train") -> CollectedTrack:
        return CollectedTrack(Path(f"/{name}"), bpm, "manual", split=split)

    tempi = {Path(f"/{name}"): 90.0 for name in "abc"}
    tracks = [labelled("a", 180.0), labelled("b", 91.0, "test"), labelled("d", 120.0)]
    assert gain_line(tempi, tracks, "60.0 → 80.0 % of 3") == (
        "2 of the 3 tracks that tempo-eval suggested are labelled now, of which the analysis had "
        "1 wrong; right with 1 of them among the 2 labels learned from: 60.0 → 80.0 % of 3"
    )
    assert gain_line(tempi, [labelled("d", 120.0)], "") == gain_line({}, tracks, "") == ""
