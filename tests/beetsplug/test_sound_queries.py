"""Tests of the `sound:` query: SQL and Python agree."""

from __future__ import annotations

import time

import pytest
from beets.library import Item, Library
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beetsplug.tempo.sound_queries import SoundQuery
from tempo_core.sound_tags import word_of

from .conftest import Beet

TAGS = {
    "rocker": "rock:0.81 slow:0.40",
    "hard": "hard-rock:0.90 rock:0.50",
    "soft": "soft-rock:0.99 rock:0.30",
    "nothing": "",
    "odd": "rock:x o'x\":0.7 ü-%:0.6",
    "never heard": None,
}


@pytest.fixture
def library(beet: Beet) -> Library:
    beet.load()
    library = beet.library
    for title, text in TAGS.items():
        item = Item(title=title, path=f"/{title}.mp3".encode())
        if text is not None:
            item["sound_tags"] = text
        library.add(item)
    return library


def titles(library: Library, query: str | list[str]) -> str:
    return " ".join(sorted(item.title.replace(" ", "_") for item in library.items(query)))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sound:slow", ""),
        ("sound:slow,0.4..", "rocker"),
        ("sound:rock", "hard rocker"),
        ("sound:ROCK,0.2..0.5", "hard soft"),
        ("sound:rock,..0.3", "soft"),
        ("sound:hard-rock", "hard"),
        (["sound:hard rock"], "hard"),
        (["sound:Hard, Rock, 0.7 .. 1"], "hard"),
        ("sound:rocker", ""),
        ("^sound:rock", "never_heard nothing odd soft"),
        ("sound:", "hard nothing odd rocker soft"),
        ("^sound:", "never_heard"),
        (["sound:o'x\""], "odd"),
        (["sound:Ü %"], "odd"),
        ("sound:rock , sound:soft-rock", "hard rocker soft"),
        ("sound:rock sound:hard-rock", "hard"),
        ("sound:ro_k", ""),
        ("sound:%", ""),
    ],
)
def test_patterns(library: Library, query: str | list[str], expected: str) -> None:
    assert titles(library, query) == expected


@pytest.mark.parametrize(
    "pattern", ["rock,0.7", "rock,..", "rock,2..", "rock,0.5..0.2", "rock,e..", "rock,nan..", "-"]
)
def test_bad_patterns_are_one_line(library: Library, beet: Beet, pattern: str) -> None:
    run = beet("ls", f"sound:{pattern}")
    assert run.code == 1
    (line,) = run.err.splitlines()
    assert "probabilities from 0 to 1" in line or "word such as rock" in line


def test_albums_with_a_track_that_matches(library: Library, beet: Beet) -> None:
    rocker, soft = (library.items(f"title:{title}")[0] for title in ("rocker", "soft"))
    library.add_album([rocker])
    album = library.add_album([soft])
    album.album = "Soft"
    album.store()
    assert [a.id for a in library.albums("sound:soft-rock")] == [album.id]
    assert len(library.albums("sound:rock,0.2..")) == 2
    assert SoundQuery("sound", "rock").match(rocker)


def test_smart_playlists(library: Library, beet: Beet) -> None:
    beet.configure(
        plugins=["tempo", "smartplaylist"],
        smartplaylist={
            "playlist_dir": str(beet.music), "relative_to": str(beet.music),
            "playlists": [{"name": "rock.m3u", "query": "sound:rock"}],
        },
    )  # fmt: skip
    assert beet("splupdate").code == 0
    lines = (beet.music / "rock.m3u").read_text().splitlines()
    assert sorted(line.rpartition("/")[2] for line in lines) == ["hard.mp3", "rocker.mp3"]


WORDS = st.text(st.sampled_from("ab-'\"%_ü:."), max_size=4)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    parts=st.lists(st.tuples(WORDS, st.integers(0, 100)), max_size=4),
    name=WORDS,
    low=st.integers(0, 10),
)
def test_sql_and_python_agree(
    library: Library, parts: list[tuple[str, int]], name: str, low: int
) -> None:
    # Written as the plugin writes it: words are no two alike.
    words = {word: p for name, p in parts if (word := word_of(name))}
    item = library.items("title:rocker")[0]
    item["sound_tags"] = " ".join(f"{word}:{p / 100:.2f}" for word, p in words.items())
    item.store()
    if not word_of(name):
        return
    query = SoundQuery("sound", f"{name},{low / 10}..")
    expected = words.get(word_of(name), -1) >= 10 * low
    assert query.match(item) == expected
    clause, values = query.clause()
    with library.transaction() as transaction:
        rows = transaction.query(
            f"SELECT id FROM items WHERE id = ? AND {clause}", (item.id, *values)
        )
    assert bool(rows) == expected


def test_it_runs_in_sql(beet: Beet) -> None:
    beet.load()
    library = beet.library
    with library.transaction() as transaction:
        for k in range(20_000):
            transaction.mutate("INSERT INTO items (id, title) VALUES (?, ?)", (k + 1, str(k)))
            transaction.mutate(
                "INSERT INTO item_attributes (entity_id, key, value) VALUES (?, 'sound_tags', ?)",
                (k + 1, f"pop:0.7 rock:0.{k % 10} slow:0.10"),
            )
    clause, values = SoundQuery("sound", "rock,0.9..").clause()
    start = time.process_time()
    with library.transaction() as transaction:
        rows = transaction.query(f"SELECT id FROM items WHERE {clause}", values)
    assert len(rows) == 2000
    assert time.process_time() - start < 0.5
