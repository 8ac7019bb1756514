"""Tests of queries by ids: the matches and the order of beets, with little memory."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from beets import dbcore
from beets.library import Item, Library

from beetsplug.tempo import selecting
from beetsplug.tempo.choosing import TO_ANALYSE
from beetsplug.tempo.selecting import Selection, items_of

from .conftest import Beet, forget_beets

MODEL = "model:x@01234567"


@pytest.fixture(scope="module")
def database(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Database of sixty tracks, most of them on five albums; every third is analysed."""
    path = tmp_path_factory.mktemp("sixty") / "library.db"
    shutil.copyfile(empty_database, path)
    library = Library(str(path), "/music")
    for number in range(60):
        fields: dict[str, Any] = {"bpm": 60 + number, "title": f"T{number % 7}"}
        if number % 3 == 0:
            fields |= {"tempo_bpm": 60.0 + number, "tempo_source": MODEL, "mood": "calm"}
        fields |= {"artist": f"A{number % 4}", "album": f"L{number // 10}", "albumartist": "V"}
        library.add(Item(path=b"/music/%d.mp3" % number, **fields))
    for number in range(5):
        album = library.add_album(list(library.items(f"album:L{number}")))
        album["shelf"] = "top" if number % 2 else "low"
        album.store(inherit=False)
    library._close()
    forget_beets()
    return path


@pytest.fixture
def library(beet: Beet, database: Path) -> Library:
    """A library with a copy of the sixty tracks."""
    shutil.copyfile(database, beet.database)
    beet.load()
    return beet.library


QUERIES = [
    [], ["bpm:70..80"], ["title:T3"], ["T3"], ["mood:calm"], ["tempo_source::^model:"],
    ["tempo_source::^label:"], ["^mood:calm"], ["bpm:70..80", ",", "title:T1"], ["shelf:top"],
    ["shelf:top", "bpm:..90"], ["albumartist:V"], ["path:/music/1"], ["bpm-"], ["title+", "bpm-"],
    ["bpm:70..", "artist-"], ["mood:calm", "bpm-"], ["id:3"], ["pace:100..110"], ["singleton:true"],
    ["added+"], ["title:nothing"],
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES, ids=" ".join)
@pytest.mark.parametrize("batch", [7, pytest.param(500, marks=pytest.mark.slow)])
def test_what_matches(
    query: list[str], batch: int, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selecting, "BATCH_SIZE", batch)
    expected = [item.id for item in library.items(query)]
    selection = Selection(library, query)
    assert selection.ids() == expected
    assert selection.count() == len(expected)
    assert [item.id for item in items_of(library, expected)] == expected
    todo = [item.id for item in library.items(query) if "mood" not in item.keys(with_album=False)]
    assert selection.ids(TO_ANALYSE) == todo
    assert selection.count(TO_ANALYSE) == len(todo)


@pytest.mark.parametrize("query", [["tempo_bpm+"], ["mood:calm", "tempo_bpm-"]])
def test_what_beets_sorts_by_itself_comes_in_any_order(query: list[str], library: Library) -> None:
    expected = [item.id for item in library.items(query)]
    assert sorted(Selection(library, query).ids()) == sorted(expected)


@pytest.mark.parametrize("query", [[], ["shelf:top"], ["album:L1"], ["albumartist:V", "album-"]])
def test_albums(query: list[str], library: Library) -> None:
    expected = [item.id for album in library.albums(query) for item in album.items()]
    selection = Selection(library, query, album=True)
    assert sorted(selection.ids()) == sorted(expected)
    assert selection.count() == len(expected)


def test_a_query_that_makes_no_sense(beet: Beet) -> None:
    beet.load()
    with pytest.raises(dbcore.InvalidQueryError):
        Selection(beet.library, ["bpm:fast"])
    for command in ("tempo", "tempo-labels"):
        run = beet(command, "bpm:fast")
        assert run.code == 1
        assert run.err.startswith("invalid query: ")
        assert run.err.count("\n") == 1


@pytest.mark.parametrize("query", [["bpm:60..200"], ["tempo_source::^model:"]])
@pytest.mark.slow
def test_tracks_do_not_pile_up(
    query: list[str], library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only few tracks are in memory at a time; each takes kilobytes."""

    def peak(call: Any) -> int:
        tracemalloc.start()
        call()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    with library.transaction():
        for number in range(600):
            library.add(
                Item(path=b"/%d.mp3" % number, bpm=100, tempo_bpm=100.0, tempo_source=MODEL,
                     title="x" * 1000, comments="y" * 1000)
            )  # fmt: skip
    monkeypatch.setattr(selecting, "BATCH_SIZE", 50)
    Selection(library, query).ids()
    ours = peak(lambda: Selection(library, query).ids())
    theirs = peak(lambda: [item.id for item in list(library.items(query))])
    assert ours < theirs / 4
