"""Tests of the lists of `beet tempo-mix` and `beet tempo --cadence`."""

from __future__ import annotations

import hashlib

import pytest
from beets.library import Item, Library

from .conftest import Beet


@pytest.fixture
def library(beet: Beet) -> Library:
    beet.load()
    library = beet.library
    for title, tempo, key, paces in (
        ("this", 124.02, "Am", "124:0.98 62:0.90"),
        ("same", 125.0, "Am", "125:0.98"),
        ("clash", 124.02, "D#m", "124:0.98"),
        ("neighbour", 126.5, "Em", "126.5:0.98"),
        ("relative", 121.5, "C", "121.5:0.98"),
        ("unknown", 124.0, "", "124:0.98"),
        ("half", 62.0, "Am", "62:0.95 124:0.30"),
        ("double", 248.0, "Am", "248:0.95 124:0.9"),
        ("waltz", 93.0, "Am", "93:0.95 31:0.1"),
        ("far", 140.0, "Am", "140:0.98"),
        ("runner", 172.4, "F", "172.4:0.9 86.2:0.9"),
        ("walker", 87.6, "F", "87.6:0.9 175.2:0.9"),
    ):
        item = Item(
            title=title, artist="x", album="y", path=f"/{title}.mp3".encode(),
            bpm=round(tempo), initial_key=key or None, tempo_bpm=tempo, tempo_paces=paces,
        )  # fmt: skip
        library.add(item)
    library.add(Item(title="tag", artist="x", path=b"/tag.mp3", bpm=125))
    library.add(Item(title="silent", artist="x", path=b"/silent.mp3"))
    return library


def titles(out: str) -> list[str]:
    return [line.split(" - ")[-1] for line in out.splitlines()]


@pytest.mark.usefixtures("library")
def test_what_mixes_is_ranked_by_tempo_and_key(beet: Beet) -> None:
    run = beet("tempo-mix", "title:this")
    assert (run.code, run.err) == (0, "")
    assert titles(run.out) == [
        "same", "half", "double", "unknown", "neighbour", "relative", "tag", "clash",
    ]  # fmt: skip
    first, second, third = run.out.splitlines()[:3]
    assert first == "125.00   -0.8 %  8A  same  x - y - same"
    # Counted at double its tempo it meets this one's; at half the other.
    assert second == " 62.00   +0.0 %  8A  same  double time  x - y - half"
    assert "half time" in third


@pytest.mark.usefixtures("library")
def test_the_listing_can_be_cut_widened_and_formatted(beet: Beet) -> None:
    assert titles(beet("tempo-mix", "--max", "2", "title:this").out) == ["same", "half"]
    every = beet("tempo-mix", "title:this").out
    assert beet("tempo-mix", "--max", str(10**30), "title:this").out == every
    assert "far" in beet("tempo-mix", "--pitch", "13", "title:this").out
    narrow = beet("tempo-mix", "--pitch", "0.5", "title:this").out
    assert titles(narrow) == ["half", "double", "unknown", "clash"]
    run = beet("tempo-mix", "-f", "$title $mix_bpm $mix_pitch $mix_key|$mix_relation", "title:this")
    assert run.out.splitlines()[1] == "half  62.00  +0.0 % 8A  same|double time"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["title:nothing"], "no track matches; give a query that matches one"),
        (["title:silent"], "x -  - silent has no tempo; `beet tempo` finds it"),
        (["--pitch", "0.1", "title:waltz"], "nothing within 0.1 % of the paces of x - y - waltz"),
        (["--pitch", "-1", "title:this"], "--pitch must be a percentage from 0 to 99"),
        (["--max", "0", "title:this"], "--max must be a whole number from 1"),
    ],
)
@pytest.mark.usefixtures("library")
def test_one_track_with_a_tempo_is_needed(beet: Beet, args: list[str], message: str) -> None:
    run = beet("tempo-mix", *args)
    assert (run.code, run.out, run.err) == (1, "", f"error: {message}\n")


@pytest.mark.usefixtures("library")
def test_several_matches_are_named(beet: Beet) -> None:
    run = beet("tempo-mix", "title:l")
    assert run.code == 1
    assert run.err.startswith("error: 7 tracks match, give one of them:\n")
    assert "\n  x - y - clash" in run.err


def test_names_command_no_terminal(beet: Beet, library: Library) -> None:
    for item in library.items():
        item.title += "\x1b[31m\n"
        item.store()
    for args in (["x"], ["title:silent"], ["--pitch", "0.001", "title:far"]):
        run = beet("tempo-mix", *args)
        assert run.code == 1
        assert "\x1b" not in run.err
        assert r"\x1b[31m\n" in run.err


def test_no_change_of_speed_is_never_a_negative_one(beet: Beet, library: Library) -> None:
    item = library.items("title:half").get()
    item.tempo_bpm = 62.02
    item.store()
    assert " 62.02   +0.0 %" in beet("tempo-mix", "title:this").out


@pytest.mark.usefixtures("library")
def test_a_stated_pace_counts_for_mixing(beet: Beet) -> None:
    beet("modify", "-y", "-W", "title:half", "tempo_paces_manual=62")
    beet("modify", "-y", "-W", "title:this", "tempo_paces_manual=124")
    assert "half" not in titles(beet("tempo-mix", "title:this").out)


@pytest.mark.usefixtures("library")
def test_a_cadence_lists_the_pace_to_use(beet: Beet) -> None:
    before = hashlib.sha256(beet.database.read_bytes()).digest()
    run = beet("tempo", "--cadence", "170..180")
    assert (run.code, run.err) == (0, "")
    assert run.out.splitlines() == [
        "172.4  x - y - runner",
        "175.2  double time  x - y - walker",
    ]
    assert beet("tempo", "--cadence", "170..180", "title:walk").out.count("\n") == 1
    run = beet("tempo", "--cadence", "170..180", "--format", "$title at $pace ($relation)")
    assert run.out.splitlines()[1] == "walker at 175.2 (double time)"
    # Either of two queries, each within the range.
    run = beet("tempo", "--cadence", "170..180", "title:runner", ",", "title:far")
    assert titles(run.out) == ["runner"]
    assert hashlib.sha256(beet.database.read_bytes()).digest() == before


@pytest.mark.parametrize(
    ("cadence", "message"),
    [
        ("300..310", "nothing to move to at 300..310; `beet tempo` analyses what is missing"),
        ("..", "--cadence needs steps a minute, such as 170..180"),
        ("180..170", "--cadence 180..170: the lower number comes first"),
        (
            "fast",
            "--cadence 'fast' is not an int or a float; give steps a minute, such as 170..180",
        ),
    ],
)
@pytest.mark.usefixtures("library")
def test_a_cadence_that_is_none_or_fits_nothing(beet: Beet, cadence: str, message: str) -> None:
    run = beet("tempo", "--cadence", cadence)
    assert run.code == 1
    assert run.out == ""
    assert message in run.err
