"""Tests of the store beside a library: filled by analyses and imports, right after moves."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from beets.library import Library
from beets.logging import getLogger

from beetsplug.tempo import following
from beetsplug.tempo.estimating import Sound
from beetsplug.tempo.following import FOLLOWING, Following
from beetsplug.tempo.sounds import STORE, Sounds, paths_of, sounds_of, store_file
from tempo_core import Estimator
from tempo_core.embeddings import Embeddings
from tempo_core.errors import StorageError
from tempo_core.sound_tags import parse_tags
from tests.rows import mostly_slow

from ..conftest import MakeAudio
from .conftest import Beet, n_transactions
from .sounds import N_DIMS, hear, store_of

ALL = ["tempo", "pace", "key", "beats", "tags"]


@pytest.fixture
def songs(make_audio: MakeAudio) -> list[Path]:
    return [
        make_audio(f"songs/{style}.mp3", bpm=120, duration=14, style=style, title=style, artist="x")
        for style in ("house", "rock")
    ]


def heard(beet: Beet) -> dict[str, np.ndarray]:
    """The embeddings of the tracks of the library that have one, by title."""
    with store_of(beet) as store:
        found = store.of(item.filepath for item in beet.items())
    return {item.title: found[item.filepath] for item in beet.items() if item.filepath in found}


def test_an_analysis_fills_field_and_store(beet: Beet, songs: list[Path]) -> None:
    beet.configure(tempo={"threads": 2, "tasks": ALL})
    beet.add(*songs)
    run = beet("tempo")
    assert (run.code, run.err) == (0, "")
    assert "; tags: 2 found" in run.out
    assert {title: e.shape for title, e in heard(beet).items()} == {
        "house": (N_DIMS,), "rock": (N_DIMS,),
    }  # fmt: skip
    assert all(item.sound_tags is not None for item in beet.items())
    assert "0 tracks analysed" in beet("tempo").out


@pytest.mark.slow
def test_tracks_analysed_before_get_their_tags_alone(beet: Beet, songs: list[Path]) -> None:
    beet.add(*songs)
    beet("tempo", "-W")
    before = beet.item("title:house")
    assert "sound_tags" not in before
    assert not (beet.database.parent / STORE).exists()
    beet.configure(tempo={"threads": 2, "tasks": ALL})
    run = beet("tempo", "-W", "title:house")
    assert "1 track analysed" in run.out
    after = beet.item("title:house")
    assert parse_tags(after.sound_tags) or after.sound_tags == ""
    new = {k: v for k, v in dict(after).items() if k != "sound_tags"}
    assert new == {k: v for k, v in dict(before).items() if k in new}
    assert set(heard(beet)) == {"house"}
    # Without the field, the store knows the answer, and nothing has to be heard.
    beet("modify", "-y", "-W", "sound_tags!")
    with store_of(beet) as store:
        store.put(after.filepath, np.full(N_DIMS, 0.5))
    beet("tempo", "-W", "title:house")
    assert (heard(beet)["house"] == 0.5).all()
    assert beet.item("title:house").sound_tags != after.sound_tags
    # With --force they are listened to again.
    beet("tempo", "-W", "-f", "title:house")
    assert beet.item("title:house").sound_tags == after.sound_tags
    assert not (heard(beet)["house"] == 0.5).all()


def test_pretend_writes_nothing(beet: Beet, songs: list[Path]) -> None:
    beet.configure(tempo={"tasks": ALL})
    beet.add(*songs)
    assert beet("tempo", "-p").code == 0
    assert not (beet.database.parent / STORE).exists()
    assert all("sound_tags" not in item for item in beet.items())


@mostly_slow("move", [False, True], quick=1)
def test_an_import_keeps_sounds_where_the_files_are(
    beet: Beet, songs: list[Path], move: bool
) -> None:
    beet.configure(tempo={"tasks": ALL}, **{"import": {"move": move, "copy": not move}})
    run = beet("import", "-A", songs[0].parent)
    assert run.code == 0
    assert "warning" not in run.err
    assert all(item.filepath.is_relative_to(beet.music) for item in beet.items())
    assert set(heard(beet)) == {"house", "rock"}
    with store_of(beet) as store:
        assert set(store.all()[0]) == {item.filepath for item in beet.items()}
    assert all("sound_tags" in item for item in beet.items())
    run = beet("tempo-tags")
    assert "0 listened to, 2 known before; 0 changed" in run.out


@mostly_slow("auto", [True, False], quick=1)
def test_an_import_again_keeps_sounds(beet: Beet, songs: list[Path], auto: bool) -> None:
    """beets removes the track of before, of the same file, once more."""
    beet.configure(tempo={"tasks": ALL})
    beet("import", "-A", songs[0].parent)
    before = heard(beet)
    beet.configure(tempo={"tasks": ALL, "auto": auto})
    run = beet("import", "-A", "-L")
    assert (run.code, "warning" in run.err) == (0, False)
    assert set(heard(beet)) == set(before) == {"house", "rock"}


def test_no_problem_with_the_store_stops_an_import(beet: Beet, songs: list[Path]) -> None:
    (beet.database.parent / STORE).mkdir()
    beet.configure(tempo={"tasks": ALL})
    run = beet("import", "-A", songs[0].parent)
    assert run.code == 0
    assert run.err.count("is not kept") == 1
    assert all(item.bpm and "sound_tags" in item for item in beet.items())


def test_no_problem_with_the_store_stops_an_analysis(beet: Beet, songs: list[Path]) -> None:
    (beet.database.parent / STORE).write_text("no database " * 100)
    beet.configure(tempo={"tasks": ALL})
    beet.add(*songs)
    run = beet("tempo", "-W")
    assert run.code == 0
    (line,) = (line for line in run.err.splitlines() if STORE in line)
    assert f"is now {STORE}.damaged-1" in line
    assert set(heard(beet)) == {"house", "rock"}


def test_moves_and_removals_are_followed(beet: Beet) -> None:
    hear(beet, {"one": [1, 2], "two": [3], "three": [4]})
    before = {item.title: item.filepath for item in beet.items()}
    beet("modify", "-y", "-W", "title:one", "album=other")  # moves the file
    assert beet.item("title:one").filepath != before["one"]
    assert set(heard(beet)) == {"one", "two", "three"}
    beet("remove", "-f", "title:two")
    assert set(heard(beet)) == {"one", "three"}
    with store_of(beet) as store:
        assert set(store.all()[0]) == {item.filepath for item in beet.items()}
    db = sqlite3.connect(beet.database.parent / STORE)
    # Its sound stays for a while: it may be imported again.
    assert db.execute("SELECT count(*) FROM sounds").fetchone() == (3,)
    db.close()


@pytest.mark.parametrize(
    "command", [("modify", "-y", "-W", "album=other"), ("remove", "-f", "title:track")]
)
def test_many_moves_and_removals_are_noted_together(beet: Beet, command: tuple[str, ...]) -> None:
    hear(beet, {f"track {k}": [k] for k in range(30)} | {"last": [1]})
    file = beet.database.parent / STORE
    before = n_transactions(file)
    beet(*command)
    assert n_transactions(file) - before <= 3
    assert len(heard(beet)) == len(beet.items())
    with store_of(beet) as store:
        assert set(store.all()[0]) == {item.filepath for item in beet.items()}


def test_what_is_not_noted_yet_is_known_in_the_same_process(beet: Beet) -> None:
    hear(beet, {"one": [1], "two": [2]})
    beet.load()
    library = beet.library
    item = library.items("title:one").get()
    assert item is not None
    item.album = "other"
    item.move()
    item.store()
    assert len(sounds_of(library, getLogger("beets")).ids) == 2


def test_a_removal_comes_before_what_is_heard_of_the_next_file_of_that_name(beet: Beet) -> None:
    hear(beet, {"one": [1]})
    beet.load()
    library, log = beet.library, getLogger("beets.tempo")
    item = library.items().get()
    assert item is not None
    path = item.path
    sounds = Sounds(library, Estimator(tasks=("tags",)), log)
    item.remove()
    sounds.keep(path, Sound(np.ones(N_DIMS, np.float16), b"another"))
    FOLLOWING.settle()
    with store_of(beet) as store:
        assert [bytes(known) for known in store.all()[0]] == [path]


def test_what_a_failed_command_has_moved_is_noted_when_its_process_ends(beet: Beet) -> None:
    hear(beet, {"one": [1], "two": [2]})
    other = beet.music.parent / "other"
    (other / "Non-Album").mkdir(parents=True)
    (other / "Non-Album" / "artist 2").touch()  # where the second needs a folder
    moving = beet.start("move", "-d", str(other))
    moving.communicate()
    assert moving.returncode == 1
    with store_of(beet) as store:
        assert beet.item("title:one").filepath in store.all()[0]
    assert beet.item("title:one").filepath.is_relative_to(other)


def test_a_move_does_not_fail_because_of_the_store(beet: Beet) -> None:
    hear(beet, {"one": [1, 2]})
    file = beet.database.parent / STORE
    db = sqlite3.connect(file)
    db.execute("PRAGMA user_version = 99")
    db.close()
    run = beet("modify", "-y", "-W", "title:one", "album=other")
    assert run.code == 0
    assert beet.item().filepath.exists()


def make_store(folder: Path, *paths: bytes) -> Path:
    """A store that knows some files, each with another embedding."""
    folder.mkdir()
    with Embeddings(folder / STORE, "x") as store:
        for k, path in enumerate(paths):
            file = Path(os.fsdecode(path))
            file.parent.mkdir(exist_ok=True)
            file.touch()
            store.put(file, np.full(2, k, np.float16), b"%016d" % k)
    return folder / STORE


def paths_in(store: Path) -> list[str]:
    """Names of the files that a store knows, in the order of their embeddings."""
    with sqlite3.connect(store) as db:
        found = db.execute("SELECT path FROM files ORDER BY content").fetchall()
    db.close()
    return [Path(os.fsdecode(path)).name for (path,) in found]


def test_changes_are_followed_in_their_order(tmp_path: Path) -> None:
    a, b, c, d = (bytes(tmp_path / name) for name in "abcd")
    store = make_store(tmp_path / "store", a, b)
    noting, log = Following(), getLogger("beets.tempo")
    for change in ((a, c), (b, a), (c, b), (a, d), (b, c), (d, None)):
        noting.add(store, change, log)
    assert paths_in(store) == ["a", "b"]
    noting.settle()
    assert paths_in(store) == ["c"]


def test_changes_of_another_library_do_not_mix_with_those_before(tmp_path: Path) -> None:
    a, b = bytes(tmp_path / "a"), bytes(tmp_path / "b")
    one, other = make_store(tmp_path / "one", a), make_store(tmp_path / "other", a)
    noting, log = Following(), getLogger("beets.tempo")
    noting.add(one, (a, b), log)
    noting.add(other, (a, None), log)
    noting.settle()
    assert (paths_in(one), paths_in(other)) == (["b"], [])


@pytest.mark.parametrize(("name", "limit"), [("MAX_SIZE", 3), ("MAX_AGE", -1.0)])
def test_many_or_old_changes_are_noted_while_the_command_goes_on(
    name: str, limit: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [bytes(tmp_path / name) for name in "abcdef"]
    store = make_store(tmp_path / "store", *paths[:3])
    monkeypatch.setattr(following, name, limit)
    noting = Following()
    for old, new in zip(paths[:3], paths[3:], strict=True):
        noting.add(store, (old, new), getLogger("beets.tempo"))
    assert paths_in(store) == ["d", "e", "f"]


def test_a_store_that_a_move_finds_damaged_is_told_whatever_its_folder_is_called(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = tmp_path / "{of}" / STORE
    store.parent.mkdir()
    store.write_bytes(4096 * b"x")
    noting = Following()
    noting.add(store, (b"/a.mp3", b"/b.mp3"), getLogger("beets.tempo"))
    noting.settle()
    (message,) = [record.getMessage() for record in caplog.records]
    assert f"{store} was damaged" in message


def test_without_a_store_none_is_made_by_a_move(beet: Beet, songs: list[Path]) -> None:
    beet.add(*(Path(shutil.copy(song, beet.music)) for song in songs))
    beet("modify", "-y", "-W", "album=other")
    beet("remove", "-f", "title:rock")
    assert not (beet.database.parent / STORE).exists()


def test_paths_are_absolute_in_the_order_given_and_need_not_be_text(beet: Beet) -> None:
    hear(beet, {"one": [1], "two": [2], "na\udcefve": [3]})
    ids = [item.id or 0 for item in beet.items()]
    found = paths_of(beet.library, [ids[2], ids[0], 999])
    assert list(found.values()) == [ids[2], ids[0]]
    assert list(found) == [bytes(beet.items()[k].path) for k in (2, 0)]
    assert list(paths_of(beet.library).values()) == ids
    assert b"\xef" in next(iter(found))
    assert len(heard(beet)) == 3


def test_a_library_in_memory_has_no_store(beet: Beet) -> None:
    beet.load()  # or beets would make backups in this folder
    with pytest.raises(StorageError, match="in memory"):
        store_file(Library(":memory:"))


def test_two_libraries_in_one_folder_share_the_store(beet: Beet, tmp_path: Path) -> None:
    hear(beet, {"one": [1]})
    other = Library(str(beet.database.with_name("other.db")), str(tmp_path))
    assert store_file(other) == store_file(beet.library)
    other._close()
    # What one library knows is not pruned by the other, as the file exists.
    with Embeddings(store_file(beet.library), store_of(beet).name, getLogger("x").warning) as store:
        assert store.prune([]) == 0
