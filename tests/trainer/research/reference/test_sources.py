"""Tests of the sources of tags, on tiny made folders of each layout."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tempo_core.errors import ConfigError
from trainer.research.reference.cleaning import clean, on_sides
from trainer.research.reference.published import read_source
from trainer.research.reference.recipe import Cleaning
from trainer.research.reference.sources import TaggedTrack, tags_in
from trainer.trainingset.tables import CollectedTrack, read_collection, write_table


def track(name: str, *tags: str, artist: str = "", split: str = "") -> TaggedTrack:
    return TaggedTrack(Path(name), frozenset(tags), artist, split)


def test_a_table_with_all_that_may_be_in_it(tmp_path: Path) -> None:
    table = tmp_path / "tags.tsv"
    table.write_text(
        "path\ttags\tartist\tsplit\ttitle\n"
        "a.mp3\tHip  Hop; rock;\tOne\ttrain\tSong\n"
        "b.mp3\t\tTwo\t\t\n"
        "\trock\t\t\t\n"
        "c.mp3\trock\t\tlater\t\n"
        "a.mp3\tpop\t\t\t\n"
    )
    tracks, problems = read_source(table)
    assert tracks == [
        TaggedTrack(tmp_path / "a.mp3", frozenset({"hip hop", "rock"}), "One", "train", "Song"),
        TaggedTrack(tmp_path / "b.mp3", frozenset(), "Two"),
    ]
    assert [problem.partition(": ")[0] for problem in problems] == [
        f"{table}, line {n}" for n in (4, 5, 6)
    ]
    audio = tmp_path / "audio"
    audio.mkdir()
    assert read_source(table, audio)[0][0].path == audio / "a.mp3"


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("path\ttags\na\trock\n", "genre", "has no column genre"),
        ("name\ttags\na\trock\n", "tags", "has no column path or file"),
        ("path\ttags\na\t\n", "tags", "no track with a tag"),
        ("", "tags", "has no column"),
    ],
)
def test_what_is_no_table_of_tags_is_one_message(
    tmp_path: Path, text: str, column: str, message: str
) -> None:
    (tmp_path / "t.tsv").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_source(tmp_path / "t.tsv", None, column)


def test_a_folder_of_another_kind_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no source of tags"):
        read_source(tmp_path)


def test_a_training_set(training_set: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no track with a tag"):
        read_source(training_set)  # its songs have no genre
    tracks = read_collection(training_set)
    named = [replace(t, genre="House, Electronic" if k else "") for k, t in enumerate(tracks)]
    write_table(tmp_path / "tracks.tsv", named, CollectedTrack)
    found, _ = read_source(tmp_path)
    assert [t.tags for t in found] == [frozenset()] + 5 * [frozenset({"house", "electronic"})]
    assert [(t.path, t.artist, t.split) for t in found] == [
        (t.path, t.artist, t.split) for t in tracks
    ]


def test_magnatagatune(tmp_path: Path) -> None:
    (tmp_path / "annotations_final.csv").write_text(
        '"clip_id"\t"No Voice"\t"harp"\t"mp3_path"\t""\n'
        '"1"\t"1"\t"0"\t"0/x-0-29.mp3"\n"2"\t"0"\t"1"\t"c/y-0-29.mp3"\n'
        '"3"\t"0"\t"0"\t"d/z-0-29.mp3"\n"4"\t"1"\t"1"\t"f/x-29-58.mp3"\n'
        '"5"\t"1"\t"1"\t"odd/x.mp3"\n\n"6"\n"7"\t"1"\t"1"\t"1/w.mp3"\t"1"\t"more"\n'
    )
    (tmp_path / "clip_info_final.csv").write_text(
        "clip_id\ttitle\tartist\talbum\tmp3_path\n1\tT\tA\tL\t0/x-0-29.mp3\n"
    )
    tracks, problems = read_source(tmp_path)
    assert [(t.path.name, sorted(t.tags), t.artist, t.split) for t in tracks] == [
        ("x-0-29.mp3", ["no voice"], "A", "train"),
        ("y-0-29.mp3", ["harp"], "", "validation"),
        ("z-0-29.mp3", [], "", "test"),
        ("x-29-58.mp3", ["harp", "no voice"], "", "test"),
        ("w.mp3", ["harp", "no voice"], "", "train"),
    ]
    assert [f"line {n}:" in problem for n, problem in zip((6, 8), problems, strict=True)] == [
        True
    ] * 2


def test_the_million_song_dataset(tmp_path: Path) -> None:
    audio = tmp_path / "audio" / "A"
    audio.mkdir(parents=True)
    for name in ("TRA.mp3", "TRB.mp3"):
        (audio / name).touch()
    for folder, id_, tags in (
        ("lastfm_train/A/A", "TRA", [["Classic Pop", "100"], ["seen live", "3"]]),
        ("lastfm_test/B", "TRB", [["rock", "50"]]),
        ("lastfm_test/B", "TRC", [["rock", "50"]]),  # no audio
    ):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        about = {"track_id": id_, "tags": tags, "artist": "X", "title": "Y"}
        (tmp_path / folder / f"{id_}.json").write_text(json.dumps(about))
    for name, text in (
        ("a", "[1"),
        ("b", "[]"),
        ("c", '{"track_id": "TRA", "tags": 3}'),
        ("d", '{"track_id": "TRA", "tags": [[3, 100]]}'),
        ("e", f'{{"track_id": "TRA", "tags": [["rock", 1{"0" * 400}]]}}'),
    ):
        (tmp_path / "lastfm_train" / f"{name}.json").write_text(text)
    os.mkfifo(tmp_path / "lastfm_train" / "pipe.json")
    tracks, problems = read_source(tmp_path, tmp_path / "audio", least_weight=10)
    assert [(t.path.name, sorted(t.tags), t.artist, t.split) for t in tracks] == [
        ("TRA.mp3", ["classic pop"], "X", "train"),
        ("TRB.mp3", ["rock"], "X", "test"),
    ]
    assert len(problems) == 6


def test_tags_are_merged_dropped_and_counted() -> None:
    tracks = [
        track("a", "hiphop", "rock"), track("b", "hip-hop", "seen live"), track("c", "rock"),
        track("d", "rock", "hip-hop"), track("e", "rare"), track("f"), track("g", "seen live"),
    ]  # fmt: skip
    cleaning = Cleaning(merge=("HipHop > hip-hop",), drop=("Seen Live",), most=2, least=2)
    found = clean(tracks, cleaning)
    assert found.tags == ("hip-hop", "rock")
    assert [t.path.name for t in found.tracks] == ["a", "b", "c", "d"]
    assert found.truth.tolist() == [[1, 1], [1, 0], [0, 1], [1, 1]]
    assert clean(tracks, Cleaning(most=1, least=2)).tags == ("rock",)
    with pytest.raises(ConfigError, match="the most frequent one has 3 tracks, 4 are needed"):
        clean(tracks, Cleaning(least=4))


def test_no_artist_stands_on_two_sides() -> None:
    tracks = [track(f"{k}", ("rock", "pop")[k % 2], artist=f"Artist {k // 3}") for k in range(60)]
    divided, told = on_sides(clean(tracks, Cleaning(least=2)), Cleaning(), 0)
    sides: dict[str, set[str]] = {}
    for t in divided.tracks:
        sides.setdefault(t.artist, set()).add(t.split)
    assert len(divided.tracks) == 60
    assert not told
    assert all(len(side) == 1 for side in sides.values())
    assert {t.split for t in divided.tracks} == {"train", "validation", "test"}


def test_a_stated_split_loses_what_would_put_an_artist_on_two_sides() -> None:
    tracks = [
        track("a", "rock", artist="One", split="train"),
        track("b", "rock", artist="Two", split="train"),
        track("c", "rock", artist="Two feat. Three", split="validation"),
        track("d", "rock", artist="Four", split="validation"),
        track("e", "rock", artist="three", split="test"),
        track("f", "rock", split="train"),
    ]
    tag_set = clean(tracks, Cleaning(least=1))
    apart, told = on_sides(tag_set, Cleaning(sides="apart"), 0)
    assert [t.path.name for t in apart.tracks] == ["a", "d", "e", "f"]
    assert told == ["2 tracks by artists that are held out left out"]
    stated, told = on_sides(tag_set, Cleaning(sides="stated"), 0)
    assert len(stated.tracks) == 6
    assert "the figures flatter" in told[0]
    anew, _ = on_sides(tag_set, Cleaning(sides="anew"), 0)
    split = {t.path.name: t.split for t in anew.tracks}
    assert split["b"] == split["c"] == split["e"]


def test_a_split_without_validation_gets_one_by_artist() -> None:
    tracks = [
        track(f"{k}", "rock", artist=f"Artist {k // 2}", split="test" if k > 70 else "train")
        for k in range(80)
    ]
    divided, _ = on_sides(clean(tracks, Cleaning(least=1)), Cleaning(), 0)
    held = {t.artist for t in divided.tracks if t.split == "validation"}
    assert 2 <= len(held) <= 10
    assert not held & {t.artist for t in divided.tracks if t.split != "validation"}


def test_a_side_without_tracks_is_refused() -> None:
    tracks = [track("a", "rock", artist="One", split="train")]
    with pytest.raises(
        ConfigError, match="no track is on the validation side; another split is needed"
    ):
        on_sides(clean(tracks, Cleaning(least=1)), Cleaning(), 0)


def test_merges_are_followed_to_their_end() -> None:
    tracks = [track("a", "a"), track("b", "b"), track("c", "c")]
    assert clean(tracks, Cleaning(merge=("a > b", "b > c"), least=3)).tags == ("c",)
    with pytest.raises(ConfigError, match="in a circle"):
        clean(tracks, Cleaning(merge=("a > b", "b > a"), least=1))


def test_a_tag_can_be_printed() -> None:
    assert tags_in("Sad\x1b[2J;a\udcffb; \0;x\nY") == {"sad [2j", "a b", "x y"}
