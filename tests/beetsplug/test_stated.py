"""Tests of paces that a person states, and of the fields that follow from them."""

from __future__ import annotations

import pytest
from beets.library import Item, Library

from beetsplug.tempo.applying import apply_estimate
from beetsplug.tempo.collecting import tracks_with_paces
from beetsplug.tempo.queries import PaceQuery
from beetsplug.tempo.stated import paces_of, read, stated_paces
from tempo_core import Estimate, Pace

from .conftest import Beet

SOURCE = "model:tempo-20260101@00000000"
ESTIMATE = Estimate(127.98, 0.93, (Pace(128.0, 0.97), Pace(64.0, 0.91), Pace(256.0, 0.08)))


@pytest.fixture
def library(beet: Beet) -> Library:
    beet.load()
    return beet.library


def add(library: Library, title: str, bpm: int = 128, **fields: object) -> Item:
    item = Item(title=title, path=f"/{title}.mp3".encode(), bpm=bpm, **fields)
    library.add(item)
    return item


@pytest.mark.parametrize(
    ("text", "tempi"),
    [
        ("87", (87.0,)), ("87 174", (87.0, 174.0)), ("87.5 40 320", (87.5, 40.0, 320.0)),
        ("", None), ("87:0.9", None), ("39", None), ("321", None), ("fast", None), ("nan", None),
        ("1e2", None), ("87  174", None), ("087", None), ("-87", None),
    ],
)  # fmt: skip
def test_reading(text: str, tempi: tuple[float, ...] | None) -> None:
    assert read(text) == tempi


def test_a_statement_wins_over_the_estimate(beet: Beet, library: Library) -> None:
    item = add(library, "a", tempo_paces="128:0.97 64:0.91")
    assert beet("ls", "pace:64").out
    run = beet("modify", "-y", "-W", "title:a", "tempo_paces_manual=128, 256.0")
    assert (run.code, run.err) == (0, "")
    assert beet.item().tempo_paces_manual == "128 256"
    assert beet("ls", "pace:64").out == ""
    assert beet("ls", "pace:256").out
    assert beet("ls", "pace:128").out
    # Only what is stated counts, not even `bpm` beside it.
    assert beet("modify", "-y", "-W", "tempo_paces_manual=64").code == 0
    assert beet("ls", "pace:128").out == ""
    assert stated_paces(beet.item()) == (64.0,)
    beet("modify", "-y", "-W", "tempo_paces_manual!")
    assert stated_paces(beet.item()) is None
    assert beet("ls", "pace:128").out
    assert paces_of(item) == [(128.0, 1.0), (128.0, 0.97), (64.0, 0.91)]


@pytest.mark.parametrize("field", ["tempo_paces_manual", "tempo_paces"])
@pytest.mark.parametrize("text", ["fast", "500", "64;128", "128 x"])
def test_nonsense_is_refused(beet: Beet, library: Library, field: str, text: str) -> None:
    add(library, "a")
    run = beet("modify", "-y", "-W", f"{field}={text}")
    assert run.code == 1
    assert run.err == (
        f"error: '{text}' are no paces: give tempi from 40 to 320 BPM with spaces between, "
        "such as '87 174'\n"
    )
    assert beet.item().get(field) is None


def test_an_estimate_that_was_overwritten_is_a_statement(beet: Beet, library: Library) -> None:
    add(library, "a", tempo_paces="128:0.97 64:0.91", tempo_bpm=127.98, tempo_source=SOURCE)
    assert stated_paces(beet.item()) is None
    assert beet("modify", "-y", "-W", "tempo_paces=128  64").code == 0
    item = beet.item()
    assert stated_paces(item) == (128.0, 64.0)
    assert [paces for _, paces in tracks_with_paces(beet.library, [])] == [(128.0, 64.0)]
    # A later analysis writes its own there and keeps the statement.
    apply_estimate(item, ESTIMATE, SOURCE, force=True)
    assert item.tempo_paces == "128:0.97 64:0.91 256:0.08"
    assert item.tempo_paces_manual == "128 64"
    assert stated_paces(item) == (128.0, 64.0)


def test_half_and_double_follow_a_statement(beet: Beet, library: Library) -> None:
    add(
        library, "a", tempo_paces="128:0.97 64:0.91", tempo_bpm=127.98, tempo_source=SOURCE,
        tempo_half=63.99,
    )  # fmt: skip
    beet.configure(tempo={"tasks": ["tempo", "pace"]})
    beet("modify", "-y", "-W", "tempo_paces_manual=128 256")
    run = beet("tempo", "-p")
    assert beet.item().tempo_half == 63.99
    run = beet("tempo")
    assert (run.code, run.err) == (0, "")
    item = beet.item()
    assert item.get("tempo_half") is None
    assert item.tempo_double == 255.96
    assert item.mtime == library.items()[0].mtime


def test_a_statement_holds_for_a_new_analysis() -> None:
    item = Item(tempo_paces_manual="64")
    apply_estimate(item, ESTIMATE, SOURCE)
    assert item.tempo_paces_manual == "64"
    assert item.tempo_half == 63.99
    assert not PaceQuery("pace", "128").match(item)
