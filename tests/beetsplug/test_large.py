"""Tests of large libraries: statements of SQL, files read and tracks in memory do not add up."""

from __future__ import annotations

import itertools
import sqlite3
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from beets.dbcore.db import Database
from beets.library import Item, Library

from beetsplug.tempo import light, moving, selecting
from beetsplug.tempo.choosing import MAY_BE_KEYED, MAY_BE_LABEL, MAY_BE_STATED
from beetsplug.tempo.collecting import item_labels, key_said
from beetsplug.tempo.describing import OF_TRACK_ID, track_id, track_of
from beetsplug.tempo.light import OF_TEMPO, light_items
from beetsplug.tempo.moving import tempo_of
from beetsplug.tempo.selecting import Selection, fresh_items, items_of
from beetsplug.tempo.stated import paces_of, stated_paces
from tempo_core.labels.record import LabelVerdict, Record, Status
from tempo_core.labels.store import Store
from tests.rows import mostly_slow

from .conftest import Beet

MODEL, KEY_MODEL = "model:x@01234567", "model:k@01234567"
ANALYSED = {
    "bpm": 120, "tempo_bpm": 120.04, "tempo_source": MODEL, "tempo_verdict": "set",
    "tempo_marker": f"120.04 {MODEL}", "tempo_paces": "120.0:0.97 60.0:0.91", "length": 200.0,
    "tempo_confidence": 0.9, "tempo_octave_confidence": 0.99, "initial_key": "Am",
    "tempo_key": "Am", "tempo_key_source": KEY_MODEL, "tempo_key_marker": f"Am {KEY_MODEL}",
    "tempo_key_confidence": 0.9, "tempo_beat_confidence": 0.9, "sound_tags": "rock:0.90",
}  # fmt: skip


def fill(beet: Beet, n: int, **fields: Any) -> None:
    """Add analysed tracks, each with an empty file."""
    beet.load()
    library = beet.library
    with library.transaction():
        for k in range(n):
            path = beet.music / f"{k}.mp3"
            path.touch()
            item = Item(path=bytes(path), title=f"title {k}", artist=f"artist {k}", album="a")
            item.update({**ANALYSED, **fields, "tempo_file_key_seen": "Am 0.0"})
            library.add(item)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that select something from libraries that are opened from now on."""
    found: list[str] = []
    connect = Database._create_connection

    def traced(self: Database) -> sqlite3.Connection:
        connection = connect(self)
        connection.set_trace_callback(
            lambda text: found.append(text) if text.startswith("SELECT") else None
        )
        return connection

    monkeypatch.setattr(Database, "_create_connection", traced)
    return found


@pytest.mark.parametrize(
    "command",
    [
        ("tempo", "-p"), ("tempo", "--cadence", "100..130", "--format", "$id"),
        ("tempo-mix", "--max", "5", "-f", "$id", "id:1"),
        ("tempo-labels", "-p", "--source", "deezer"), ("tempo", "--review", "-p"),
        ("tempo-train", "-p", "--task", "pace"), ("tempo-train", "-p", "--task", "key"),
        ("tempo-train", "-p"), ("tempo-train", "-p", "--task", "tags"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_statements_are_as_many_for_more_tracks(
    beet: Beet, statements: list[str], command: tuple[str, ...]
) -> None:
    fill(beet, 12, tempo_paces_manual="120", tempo_octave_confidence=0.5)
    statements.clear()
    few_lines, few = len(beet(*command).out.splitlines()), len(statements)
    fill(beet, 60, tempo_paces_manual="120", tempo_octave_confidence=0.5)
    statements.clear()
    many_lines, many = len(beet(*command).out.splitlines()), len(statements)
    assert many - few < 12
    assert many_lines >= few_lines > 0


def write_labels(beet: Beet, ids: set[int], source: str = "acousticbrainz") -> None:
    """Put a label of a source into the store for some tracks, and that others have none."""
    with Store(beet.database.with_name("labels.db")) as store:
        for item in beet.items():
            track = track_of(item)
            bpm = 120.0 if item.id in ids else None
            status = Status.NOT_FOUND if bpm is None else Status.FOUND
            store.add(
                Record(
                    track.id, source, status, "", track.artist, track.title, "2026", 1,
                    track.path, bpm=bpm, verdict=LabelVerdict.AGREE,
                )
            )  # fmt: skip


def test_files_are_not_read_to_look_into_the_label_store(
    beet: Beet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tempo_core.labels import files

    fill(beet, 12)
    write_labels(beet, {3, 5})
    read: list[Path | bytes] = []
    read_track: Callable[..., Any] = files.read_track

    def counted(path: Path | bytes) -> Any:
        read.append(path)
        return read_track(path)

    monkeypatch.setattr(files, "read_track", counted)
    run = beet("tempo-train", "-p")
    assert [line for line in run.out.splitlines() if "label:acousticbrainz" in line] == [
        "artist 2 - title 2: 120 BPM (label:acousticbrainz)",
        "artist 4 - title 4: 120 BPM (label:acousticbrainz)",
    ]
    assert read == []


def test_a_tag_that_an_earlier_version_stored_is_no_label_of_a_tempo_of_ours(beet: Beet) -> None:
    beet.configure(tempo={"labels": {"trainable": ["tags"]}})
    fill(beet, 2)
    write_labels(beet, {1, 2}, "tags")
    beet("modify", "-y", "-W", "-M", "id:2", "bpm=0", "tempo_source!", "tempo_bpm!")
    lines = beet("tempo-train", "-p").out.splitlines()
    assert [line for line in lines if "120 BPM" in line] == ["artist 1 - title 1: 120 BPM (tag)"]


@pytest.mark.parametrize(
    "command",
    [("tempo", "--cadence", "100..130"), ("tempo-train", "-p", "--task", "pace")],
    ids=" ".join,
)
def test_few_tracks_are_in_memory_while_all_are_listed(
    beet: Beet, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    fill(beet, 60, tempo_paces_manual="120")
    monkeypatch.setattr(selecting, "BATCH_SIZE", 4)
    monkeypatch.setattr(light, "AT_ONCE", 4)
    alive: list[weakref.ref[Item]] = []
    most = 0
    make = Item.__init__

    def made(item: Item, *args: Any, **fields: Any) -> None:
        nonlocal most
        make(item, *args, **fields)
        alive[:] = [one for one in alive if one() is not None]
        alive.append(weakref.ref(item))
        most = max(most, len(alive))

    monkeypatch.setattr(Item, "__init__", made)
    assert len(beet(*command).out.splitlines()) >= 60
    assert 4 <= most < 20


VALUES: dict[str, tuple[Any, ...]] = {
    "bpm": (0, 120, 60),
    "tempo_bpm": (None, 120.04, 119.96, "x120"),
    "tempo_source": (None, MODEL, "label:site", "manual", "tag"),
    "tempo_verdict": (None, "set", "kept", "unsure"),
    "tempo_marker": (None, f"120.04 {MODEL}", "120.04 manual", f"60.02 {MODEL}"),
    "tempo_locked": (None, 120.0),
}
KEY_VALUES: dict[str, tuple[Any, ...]] = {
    "initial_key": ("", "Am", "Bb", "-"),
    "tempo_key": (None, "Am", "Bb", "A#"),
    "tempo_key_source": (None, KEY_MODEL, "label:site", "manual", "tag"),
    "tempo_key_marker": (None, f"Am {KEY_MODEL}", "Am label:site", f"A# {KEY_MODEL}"),
    "tempo_label_key": (None, "Am"),
    "tempo_label_source": (None, "site"),
    "tempo_label_verdict": (None, "agree"),
}


def add_all(beet: Beet, values: dict[str, tuple[Any, ...]]) -> Library:
    """Add a track for every combination of values, as they may stand in a database."""
    beet.load()
    library = beet.library
    with library.transaction() as transaction:
        for k, some in enumerate(itertools.product(*values.values()), 1):
            found = dict(zip(values, some, strict=True))
            fixed = {name: found.pop(name) for name in list(found) if name in Item._fields}
            names, marks = ", ".join(fixed), ", ".join("?" * len(fixed))
            transaction.mutate(
                f"INSERT INTO items (id, path, {names}) VALUES (?, ?, {marks})",
                (k, b"%d.mp3" % k, *fixed.values()),
            )
            for name, value in found.items():
                if value is not None:
                    transaction.mutate(
                        "INSERT INTO item_attributes (entity_id, key, value) VALUES (?, ?, ?)",
                        (k, name, str(value)),
                    )
    return library


# What only other programs write; analysed tracks beside it.
ODD_VALUES: dict[str, tuple[Any, ...]] = {
    "bpm": (120,),
    "tempo_bpm": ("120.04", "120.0.4", "1.2e2", " 120", "१२०", "1_20", "120,04", ""),
    "tempo_source": (MODEL, MODEL.upper(), f" {MODEL}"),
    "tempo_verdict": (None, "", "set", "SET"),
    "tempo_marker": (None, "", f"120.04 {MODEL}", "120.04 manual ", "120.04 label:a model:b"),
    "tempo_locked": (None, "", "१२०", "1_20", "1.2e2", "x"),
}
ODD_KEYS: dict[str, tuple[Any, ...]] = {
    "initial_key": ("Am", "AM", "am", "AB", "G##", "A minor", "\uff21"),
    "tempo_key": ("Am", "AM", "am", "AB", "G##", "A minor", "\uff21"),
    "tempo_key_source": (KEY_MODEL, KEY_MODEL.upper(), ""),
    "tempo_key_marker": (None, "", "Am label:a model:b", "Am manual ", f"Am {KEY_MODEL}"),
    "tempo_label_source": (None, "site"),
    "tempo_label_verdict": (None, "AGREE"),
}


@mostly_slow(
    ("values", "where", "has_it"),
    [
        (ODD_VALUES, MAY_BE_LABEL, lambda item: bool(list(item_labels(item)))),
        (ODD_KEYS, MAY_BE_KEYED, lambda item: key_said(item) is not None),
        (VALUES, MAY_BE_LABEL, lambda item: bool(list(item_labels(item)))),
        (KEY_VALUES, MAY_BE_KEYED, lambda item: key_said(item) is not None),
        (
            {
                "bpm": (120,),
                "tempo_paces": (None, "", "120.0:0.97", "120 60", "fast", "120;60"),
                "tempo_paces_manual": (None, "", "87", "174 87", "x"),
            },
            MAY_BE_STATED,
            lambda item: stated_paces(item) is not None,
        ),
    ],
    ids=["odd labels", "odd keys", "labels", "keys", "paces"],
)
def test_sql_leaves_out_no_track_that_has_what_is_sought(
    beet: Beet,
    values: dict[str, tuple[Any, ...]],
    where: str,
    has_it: Callable[[Item], bool],
) -> None:
    library = add_all(beet, values)
    every = Selection(library, []).ids()
    chosen = set(Selection(library, []).ids(where))
    have = {item.id for item in items_of(library, every) if has_it(item)}
    assert have
    assert have <= chosen
    assert len(chosen) < len(every)


def test_analysed_tracks_are_left_out_by_sql(beet: Beet) -> None:
    fill(beet, 3)
    for where in (MAY_BE_LABEL, MAY_BE_KEYED, MAY_BE_STATED):
        assert Selection(beet.library, []).ids(where) == []


@pytest.mark.parametrize(
    "args",
    [
        ["tempo_bpm-"], ["tempo_bpm-", "title-"], ["title+", "tempo_verdict-"], ["mood+"],
        ["bpm-", "tempo_bpm+"], ["camelot+", "title-"], ["tempo_bpm+", "tempo_source::."],
    ],
    ids=" ".join,
)  # fmt: skip
def test_tracks_are_sorted_as_beets_sorts_them(beet: Beet, args: list[str]) -> None:
    fill(beet, 12)
    library = beet.library
    for item in library.items():
        item.update({"tempo_bpm": 119.7 + 0.3 * (item.id % 3), "bpm": 118 + item.id % 5})
        item.update({"title": f"{'aB'[item.id % 2]} {item.id}", "initial_key": "CDA"[item.id % 3]})
        if item.id % 4:
            item.update({"tempo_verdict": "set", "mood": "Yx"[item.id % 2]})
        item.store()
    assert Selection(library, args).ids() == [item.id for item in library.items(args)]


def test_light_items_say_what_whole_ones_say(beet: Beet) -> None:
    library = add_all(beet, {**VALUES, "tempo_paces_manual": (None, "87 174")})
    ids = Selection(library, []).ids()[::7]
    for whole, light_item in zip(
        items_of(library, ids), light_items(library, [*ids, 10**6], OF_TEMPO), strict=True
    ):
        assert light_item.id == whole.id
        assert paces_of(light_item) == paces_of(whole)
        if whole.get("tempo_bpm") != "x120":
            assert tempo_of(light_item) == tempo_of(whole)


def test_the_id_in_the_label_store_needs_few_fields_and_no_file(beet: Beet) -> None:
    beet.load()
    library = beet.library
    for more in (
        {}, {"artists": ["a", "b"]}, {"artist_sort": "c, d"}, {"length": 200.4, "isrc": "X"},
        {"mb_trackid": "1-2", "artist_credit": "e"},
    ):  # fmt: skip
        library.add(Item(path=b"/music/a.mp3", title="t", artist="a", album="b", **more))
    ids = Selection(library, []).ids()
    found = [track_id(item) for item in light_items(library, ids, OF_TRACK_ID)]
    assert found == [track_of(item).id for item in items_of(library, ids)]
    assert len(set(found)) == len(found)


def test_fresh_items_are_as_they_are_when_it_takes_long_from_one_to_the_next(
    beet: Beet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(beet, 20)
    library = beet.library
    ids = Selection(library, []).ids()
    assert [item.id for item in fresh_items(library, [*ids, 10**6])] == ids
    monkeypatch.setattr(selecting, "FRESHNESS", 0.0)
    found = []
    for item in fresh_items(library, ids):
        found.append((item.id, item.comments))
        with library.transaction() as transaction:
            transaction.mutate("UPDATE items SET comments = ?", (f"after {item.id}",))
    assert [id_ for id_, _ in found] == ids
    assert [comments for _, comments in found[1:]] == [f"after {id_}" for id_ in ids[:-1]]


def test_a_list_by_cadence_is_written_to_a_playlist_in_its_order(
    beet: Beet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(light, "AT_ONCE", 2)
    fill(beet, 3)
    beet("modify", "-y", "-W", "-M", "id:1", "tempo_paces_manual=124")
    beet("modify", "-y", "-W", "-M", "id:2", "tempo_paces_manual=110")
    file = tmp_path / "list.m3u"
    run = beet("tempo", "--cadence", "100..130", "--format", "$id $pace", "--m3u", file)
    assert run.out.splitlines() == ["2 110.0", "3 120.0", "1 124.0"]
    lines = [Path(line).stem for line in file.read_text().splitlines() if not line.startswith("#")]
    assert lines == ["1", "2", "0"]
    assert moving.relation(240, 120) == "double time"
