"""Tests of `beet tempo-similar` and of `beet tempo-mix --sound`."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from beetsplug.tempo.sounds import STORE

from ..conftest import MakeAudio
from .conftest import Beet
from .sounds import hear, store_of

# Directions from the middle, which is 0: `near` is like `this`, `against` is the opposite.
SOUNDS = {
    "this": [10, 0], "near": [9, 2], "aside": [1, 9], "against": [-10, 0], "back": [-10, -11],
    "unheard": [],
}  # fmt: skip
TEMPI = {
    "this": (124.0, "Am"), "near": (124.5, "D#m"), "aside": (125.49, "Em"),
    "against": (125.6, "C"), "back": (62.1, None), "unheard": (124.0, "Am"),
}  # fmt: skip


@pytest.fixture
def library(beet: Beet) -> None:
    hear(beet, SOUNDS)
    for item in beet.items():
        tempo, key = TEMPI[item.title]
        item.update({"bpm": round(tempo), "tempo_bpm": tempo, "tempo_paces": f"{tempo}:0.98"})
        if key:
            item["initial_key"] = key
        item.store()


def titles(out: str) -> list[str]:
    return [line.split(" - ")[-1] for line in out.splitlines()]


@pytest.mark.usefixtures("library")
def test_the_most_similar_comes_first(beet: Beet) -> None:
    run = beet("tempo-similar", "title:this")
    assert run.code == 0
    assert run.out.splitlines() == [
        " 0.98  124.50  2A   artist 2 - a - near",
        " 0.11  125.49  9A   artist 3 - a - aside",
    ]  # the others are more unlike than like
    assert "1 track of the library is not known by sound" in run.err
    assert "`beet tempo-tags` listens" in run.err


@pytest.mark.usefixtures("library")
def test_the_list_can_be_cut_narrowed_and_formatted(beet: Beet) -> None:
    def found(*args: str) -> list[str]:
        return titles(beet("tempo-similar", "title:this", *args).out)

    assert found("--max", "1") == ["near"]
    assert found("--bpm", "124..125") == ["near", "aside"]  # 125.49 rounds to 125
    assert found("--bpm", "124.6..126") == ["aside"]
    assert found("--key") == ["aside"]  # a neighbour
    assert found("--key", "--bpm", "125.4..") == ["aside"]
    assert found("--crate", "bpm:100..", "--crate", "^title:near") == ["aside"]
    narrow = beet("tempo-similar", "title:this", "--bpm", "..70")  # there is only an opposite
    assert (narrow.code, narrow.out) == (1, "")
    assert "nothing else that fits sounds like this" in narrow.err
    assert titles(beet("tempo-similar", "title:against", "--bpm", "..70").out) == ["back"]
    run = beet("tempo-similar", "title:this", "--max", "1", "--format", "$similarity|$similar_key")
    assert run.out == " 0.98|2A \n"


@pytest.mark.usefixtures("library")
def test_of_several_tracks_the_middle_counts(beet: Beet) -> None:
    run = beet("tempo-similar", "title:this", ",", "title:aside")
    assert titles(run.out) == ["near"]


@pytest.mark.usefixtures("library")
def test_a_playlist(beet: Beet, tmp_path: Path) -> None:
    file = tmp_path / "like.m3u"
    assert beet("tempo-similar", "title:this", "--max", "2", "--m3u", file).code == 0
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    assert lines == [str(beet.music / "near.mp3"), str(beet.music / "aside.mp3")]


@pytest.mark.usefixtures("library")
def test_other_copies_of_a_recording_are_left_out(beet: Beet, tmp_path: Path) -> None:
    one = beet.item("title:this")
    copy = beet.music / "copy.mp3"
    shutil.copy(one.filepath, copy)
    hear(beet, {"this too": [9.5, 0.1], "mislabelled": [10, 0]})
    again = beet.item("title:this too")
    again.update({"artist": one.artist, "title": one.title, "album": "best of", "length": 120.5})
    again.store()
    shown = beet("tempo-similar", f"id:{one.id}")
    assert titles(shown.out)[0] == "near"
    shown = beet("tempo-similar", f"id:{one.id}", "--duplicates")
    assert titles(shown.out)[:2] == ["mislabelled", "this"]


@pytest.mark.usefixtures("library")
def test_removed_tracks_do_not_appear(beet: Beet) -> None:
    library = beet.library
    with library.transaction() as transaction:  # as another program would, without an event
        transaction.mutate("DELETE FROM items WHERE title = 'near'")
    assert titles(beet("tempo-similar", "title:this").out) == ["aside"]


@pytest.mark.usefixtures("library")
def test_a_damaged_embedding_is_one_that_is_not_there(beet: Beet) -> None:
    with sqlite3.connect(beet.database.parent / STORE) as db:
        db.execute("UPDATE sounds SET embedding = ? WHERE content = ?", (b"12", b"near"))
    run = beet("tempo-similar", "title:this")
    assert titles(run.out) == ["aside"]
    assert "2 tracks of the library are not known" in run.err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["title:none"], "no track matches"),
        (["title:unheard"], "1 track was not listened to yet; `beet tempo-tags` does"),
        ([], "give a query"),
        (["title:this", "--bpm", "300.."], "nothing else that fits sounds like this"),
        (["title:this", "--bpm", "fast"], "--bpm 'fast' is not"),
        (["title:this", "--bpm", "130..120"], "--bpm needs tempi"),
        (["title:this", "--bpm", "120@0.5"], "--bpm needs tempi"),
        (["title:back", "--key"], "--key needs tracks whose key is known"),
        (["title:this", "--max", "0"], "--max must be"),
        (["title:this", "--relative-to", "x"], "--relative-to is for --m3u"),
        (["title:this", "--m3u", "-"], "--m3u - cannot be printed; give the name of a file"),
    ],
)
@pytest.mark.usefixtures("library")
def test_what_makes_no_sense_is_one_line(beet: Beet, args: list[str], message: str) -> None:
    run = beet("tempo-similar", *args)
    assert run.code == 1
    assert run.out == ""
    assert message in run.err.splitlines()[-1]


def test_an_empty_library_and_one_without_a_store(beet: Beet, make_audio: MakeAudio) -> None:
    assert "no track matches" in beet("tempo-similar", "x").err
    assert "0 tracks: 0 listened to" in beet("tempo-tags").out
    beet.add(make_audio("song.mp3", duration=14, title="x", artist="y"))
    assert "was not listened to yet" in beet("tempo-similar", "x").err
    assert not (beet.database.parent / STORE).exists()
    assert beet("tempo-tags").code == 0
    run = beet("tempo-similar", "x")
    assert "nothing else that fits sounds like this" in run.err


@pytest.mark.usefixtures("library")
def test_mixing_by_sound_too(beet: Beet) -> None:
    plain = beet("tempo-mix", "title:this")
    assert titles(plain.out) == ["unheard", "aside", "against", "near"]
    run = beet("tempo-mix", "title:this", "--sound")
    assert run.code == 0
    # What clashes but sounds alike comes before the opposite in a key that fits.
    assert run.out.splitlines() == [
        "124.00   +0.0 %      -  8A  same  artist 6 - a - unheard",
        "125.49   -1.2 %   0.11  9A  neighbour  artist 3 - a - aside",
        "124.50   -0.4 %   0.98  2A  clash  artist 2 - a - near",
        "125.60   -1.3 %  -1.00  8B  relative  artist 4 - a - against",
    ]
    run = beet("tempo-mix", "title:unheard", "--sound")
    assert "was not listened to yet" in run.err


@pytest.mark.usefixtures("library")
def test_sets_by_sound_too(beet: Beet) -> None:
    options = ["--path", "2", "--pitch", "3", "--crate", "^title:unheard"]
    run = beet("tempo-mix", "title:this", "--sound", *options)
    assert run.code == 0
    assert titles(run.out) == ["this", "aside"]
    first, second = run.out.splitlines()
    assert second == "  2  125.49   -1.2 %  10.0   0.11  9A  neighbour  artist 3 - a - aside"
    assert len(first.split("  ")[0]) == len(second.split("  ")[0])
    (beet.database.parent / STORE).unlink()
    assert (
        "no track was listened to for --sound"
        in beet("tempo-mix", "title:this", "--sound", "--path", "3").err
    )


@pytest.mark.slow
def test_similar_songs_of_one_style_are_neighbours(beet: Beet, make_audio: MakeAudio) -> None:
    """With real audio: what is nearest is of the same style, at another tempo."""
    for style in ("house", "rock"):
        for k, bpm in enumerate((112, 131)):
            song = make_audio(
                f"{style}-{k}.mp3", bpm=bpm, style=style, seed=k, duration=14,
                title=f"{style} {k}", artist=f"{style} {k}",
            )  # fmt: skip
            beet.add(song)
    assert beet("tempo-tags").code == 0
    with store_of(beet) as store:
        assert len(store.all()[0]) == 4
    for style in ("house", "rock"):
        assert titles(beet("tempo-similar", f"title:{style} 0", "--max", "1").out) == [f"{style} 1"]
