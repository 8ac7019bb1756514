"""Tests of genres of a library: how they are read, and models that count by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from beets.library import Item

from beetsplug.tempo.items import genres_of

from ..conftest import MakeAudio
from ..models import counting_hip_hop_twice
from .conftest import Beet


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ""),
        ({"genres": ["Hip-Hop", "Pop"]}, "Hip-Hop; Pop"),
        ({"genres": [], "genre": "Hip-Hop, Pop"}, "Hip-Hop, Pop"),
        ({"genre": None}, ""),
    ],
)
def test_genres_of_an_item(beet: Beet, fields: dict[str, Any], expected: str) -> None:
    beet.load()
    assert genres_of(Item(**fields)) == expected


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return counting_hip_hop_twice(tmp_path / "models")


def test_each_track_is_counted_by_its_genre(beet: Beet, make_audio: MakeAudio, model: Path) -> None:
    beet.configure(tempo={"model": str(model), "tasks": ["tempo"]})
    for name, genres in (("hop", ["Pop", "Hip-Hop"]), ("rock", ["Rock"]), ("none", [])):
        path = make_audio(f"{name}.flac", bpm=88, style="rock", duration=14, title=name)
        beet.add(path, genres=genres)
    # What the library says counts, not the tag of the file.
    tagged = make_audio("tag.flac", bpm=88, style="rock", duration=14, genres=["Hip-Hop"])
    beet.add(tagged, genres=[], title="tag")
    run = beet("tempo")
    assert run.code == 0, run.err
    found = {item.title: item.tempo_bpm for item in beet.items()}
    assert found["hop"] == pytest.approx(2 * found["rock"], rel=0.002)
    assert found["none"] == pytest.approx(found["rock"], rel=0.002)
    assert found["tag"] == pytest.approx(found["rock"], rel=0.002)


def test_a_track_is_imported_by_its_genre(beet: Beet, make_audio: MakeAudio, model: Path) -> None:
    beet.configure(tempo={"model": str(model), "tasks": ["tempo"]})
    audio = {"bpm": 88, "style": "rock", "duration": 14}
    make_audio("in/a.flac", **audio, title="hop", artist="A", album="X", genres=["Hip-Hop"])
    folder = make_audio("in/b.flac", **audio, title="rock", artist="A", album="X").parent
    run = beet("import", "-A", folder)
    assert run.code == 0, run.err
    found = {item.title: item.tempo_bpm for item in beet.items()}
    assert found["hop"] == pytest.approx(2 * found["rock"], rel=0.002)
