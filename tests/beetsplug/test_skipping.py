"""Tests of the setting `skip`: what is not music is not analysed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from beets.library import Item

from beetsplug.tempo.settings import load
from beetsplug.tempo.skipping import NotMusic

from ..conftest import MakeAudio
from .conftest import Beet


def configured(beet: Beet, **skip: Any) -> Any:
    """The predicate for a setting, as the plugin reads it."""
    import beets

    beet.configure(tempo={"skip": skip})
    beet.load()
    return NotMusic(load(beets.config["tempo"]).skip)


@pytest.mark.parametrize(
    ("skip", "skipped"),
    [
        ({}, ""),
        ({"length": "12:00.."}, "talk long"),
        ({"length": "..0:30"}, "jingle"),
        ({"length": "0:20..0:30"}, "jingle"),
        ({"genre": ["podcast", "audiobook"]}, "talk old"),
        ({"genre": "PODCAST"}, "talk"),
        ({"genre": ["spoken word"]}, "long"),
        ({"genre": ["cast", "podcasts"]}, ""),
        ({"query": "artist:Reader , title:jingle"}, "jingle old"),
        ({"query": "artist:Reader year:2001.."}, ""),
        ({"length": "12:00..", "genre": ["audiobook"], "query": "title:jingle"},
         "talk long jingle old"),
    ],
)  # fmt: skip
def test_what_is_not_music(skip: dict[str, Any], skipped: str, beet: Beet) -> None:
    items = [
        Item(title="song", length=200.0, genres=["Indie Podrock"]),
        Item(title="talk", length=3000.0, genres=["Pop", "Podcast; News"]),
        Item(title="long", length=720.0, genres=["Spoken Word"]),
        Item(title="jingle", length=30.0),
        Item(title="old", length=100.0, artist="Reader", genre="Audiobook/Crime"),
    ]
    not_music = configured(beet, **skip)
    assert " ".join(item.title for item in items if not_music(item)) == skipped
    assert bool(not_music) is bool(skip)


@pytest.fixture
def collection(beet: Beet, make_audio: MakeAudio) -> list[Path]:
    return [
        make_audio(f"new/{title}.mp3", duration=8, title=title, artist="B", album="L", genre=genre)
        for title, genre in (("Song", "House"), ("Talk", "Podcast"))
    ]


def test_the_command(beet: Beet, collection: list[Path]) -> None:
    beet.configure(tempo={"skip": {"genre": ["podcast"]}})
    beet.add(*collection)
    for _ in range(2):
        assert "1 skipped: not music" in beet("tempo").out
        assert beet.item("title:Talk").bpm == 0
        assert beet.item("title:Song").bpm
    assert "0 tracks analysed" in beet("tempo", "title:Talk").out
    assert "1 track analysed" in beet("tempo", "-f").out
    assert beet.item("title:Talk").bpm == 0
    # With a query and --force just these are meant.
    run = beet("tempo", "-f", "title:Talk")
    assert "1 track analysed" in run.out
    assert "not music" not in run.out
    assert beet.item("title:Talk").bpm


def test_pretending(beet: Beet, collection: list[Path]) -> None:
    beet.configure(tempo={"skip": {"query": "title:Talk"}})
    beet.add(*collection)
    assert "1 track analysed: 1 set" in (run := beet("tempo", "-p")).out
    assert "1 skipped: not music" in run.out


@pytest.mark.parametrize("flags", [[], ["-s"]])
def test_imports(flags: list[str], beet: Beet, collection: list[Path]) -> None:
    beet.configure(tempo={"skip": {"genre": ["podcast"]}})
    run = beet("-v", "import", "-A", *flags, collection[0].parent)
    assert run.code == 0
    assert "B - Talk: skipped, not music" in run.err
    assert beet.item("title:Talk").bpm == 0
    assert "tempo_source" not in beet.item("title:Talk")
    assert beet.item("title:Song").bpm


@pytest.mark.parametrize(
    ("skip", "told"),
    [
        ({"length": "long"}, "skip.length: must be a range of lengths, such as 12:00.. or ..0:30"),
        ({"length": 720}, "skip.length: must be a range"),
        ({"length": ".."}, "skip.length: must be a range"),
        ({"length": "5:00..1:00"}, "skip.length: must be a range"),
        ({"genre": ["podcast", " "]}, "skip.genre: must be names of genres"),
        ({"genre": 5}, "skip.genre: "),
        ({"query": "length:long"}, "skip.query: must be a query ("),
        ({"query": "title:'open"}, "skip.query: must be a query ("),
        ({"query": 7}, "skip.query: "),
        ({"genres": ["a"]}, "skip.genres: unknown setting; did you mean genre?"),
        ("podcasts", "skip must have settings in it"),
    ],
)
def test_bad_settings_are_one_line(
    skip: Any, told: str, beet: Beet, collection: list[Path]
) -> None:
    beet.add(collection[0])
    beet.configure(tempo={"skip": skip})
    for command in (["tempo"], ["import", "-A", collection[0].parent]):
        run = beet(*command)
        assert (run.code, run.out) == (1, "")
        assert run.err.count("\n") == 1
        assert f"configuration error: tempo.{told}" in run.err
    assert beet.item().bpm == 0
