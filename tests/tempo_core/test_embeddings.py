"""Tests of the store of embeddings."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from mediafile import MediaFile

from tempo_core.embeddings import LAYOUT, Embeddings
from tempo_core.errors import AudioError, StorageError
from tempo_core.packets import content_of
from tests.conftest import MakeAudio
from tests.rows import mostly_slow

NAME = "0123456789abcdef"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tempo-sounds.db"


@pytest.fixture
def song(tmp_path: Path, make_audio: MakeAudio) -> Path:
    return make_audio("song.flac", bpm=120)


def embedding(seed: int = 0, n: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n).astype(np.float16)


def same(found: np.ndarray | None, expected: np.ndarray) -> bool:
    return found is not None and found.dtype == np.float16 and np.array_equal(found, expected)


def numbers(store: Embeddings, path: Path) -> list[float]:
    found = store.get(path)
    assert found is not None
    return [float(number) for number in found]


def rows_of(file: Path, statement: str) -> list[tuple[object, ...]]:
    db = sqlite3.connect(file)
    try:
        return db.execute(statement).fetchall()
    finally:
        db.close()


def change(file: Path, statement: str, *values: object) -> None:
    db = sqlite3.connect(file)
    with db:
        db.execute(statement, values)
    db.close()


def test_what_was_put_is_there_also_in_another_process(file: Path, song: Path) -> None:
    with Embeddings(file, NAME) as store:
        assert store.get(song) is None
        assert not file.exists()
        store.put(song, embedding())
    with Embeddings(file, NAME) as store:
        found = store.get(song)
        assert found is not None
        assert found.dtype == np.float16
        assert (found == embedding()).all()
        assert (store.of([song, song.with_name("other")])[song] == embedding()).all()
        paths, all_ = store.all()
        assert paths == [song]
        assert all_.shape == (1, 8)
        assert (all_[0] == embedding()).all()


@mostly_slow("ending", ["flac", "mp3", "m4a", "ogg", "opus", "wav", "aiff", "wma"], quick=1)
def test_tags_pictures_and_place_change_nothing(
    file: Path, tmp_path: Path, make_audio: MakeAudio, ending: str
) -> None:
    song = make_audio(f"song.{ending}", bpm=120)
    before = content_of(song)
    with Embeddings(file, NAME) as store:
        store.put(song, embedding())
        media = MediaFile(song)
        media.title, media.comments = "Other", "long " * 2000
        media.art = b"\xff\xd8\xff\xe0" + bytes(30_000)
        media.save()
        moved = song.rename(tmp_path / f"moved.{ending}")
        assert content_of(moved) == before
        found = store.get(moved)
        assert found is not None
        assert (found == embedding()).all()
        assert moved in store.of([moved])


def test_tags_at_the_end_of_an_mp3_are_no_sound(tmp_path: Path, make_audio: MakeAudio) -> None:
    from mutagen.apev2 import APEv2
    from mutagen.mp3 import MP3

    song = make_audio("song.mp3", bpm=120)
    before = content_of(song)
    tags = APEv2()
    tags["title"] = "something " * 500
    tags.save(song)
    assert content_of(song) == before
    media = MP3(song)
    media.save(v1=2)
    assert song.read_bytes()[-128:-125] == b"TAG"
    assert content_of(song) == before


def test_other_sounds_have_other_contents(tmp_path: Path, make_audio: MakeAudio) -> None:
    contents = {content_of(make_audio(f"{k}.flac", bpm=120 + k)) for k in range(3)}
    assert len(contents) == 3
    with pytest.raises(AudioError):
        content_of(Path(__file__))


def test_a_file_with_another_sound_is_not_the_one_before(
    file: Path, song: Path, make_audio: MakeAudio
) -> None:
    with Embeddings(file, NAME) as store:
        store.put(song, embedding())
        song.unlink()
        make_audio(song.name, bpm=99)
        assert store.get(song) is None
        store.put(song, embedding(1))
        assert same(store.get(song), embedding(1))


def test_a_copy_is_known_by_its_content(file: Path, song: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(song, tmp_path / "other.flac"))
    with Embeddings(file, NAME) as store:
        store.put(song, embedding())
        assert other not in store.of([other])
        assert same(store.get(other), embedding())
        assert other in store.of([other])
        assert len(store.all()[0]) == 2
    assert len(rows_of(file, "SELECT * FROM sounds")) == 1


def test_a_path_need_not_be_text(file: Path, song: Path, tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/na\xefve \xff.flac"
    song.rename(os.fsdecode(odd))
    with Embeddings(file, NAME) as store:
        store.put(odd, embedding())
        assert same(store.get(odd), embedding())
        path = Path(os.fsdecode(odd))
        assert list(store.of([path])) == [path]
        assert store.all()[0] == [path]
        store.move(path, os.fsencode(tmp_path) + b"/\xfe")
        assert store.all()[0] == [Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xfe"))]


def test_other_models_have_embeddings_of_their_own(file: Path, song: Path) -> None:
    with Embeddings(file, NAME) as one, Embeddings(file, "other") as other:
        one.put(song, embedding())
        assert other.get(song) is None
        assert not other.of([song])
        assert other.all()[0] == []
        other.put(song, embedding(1, 16))
        assert same(one.get(song), embedding())
        assert same(other.get(song), embedding(1, 16))


def test_moved_forgotten_pruned(file: Path, song: Path, tmp_path: Path) -> None:
    with Embeddings(file, NAME) as store, Embeddings(file, "old") as old:
        store.move(song, tmp_path / "b")
        store.forget(song)
        assert store.prune([]) == 0
        assert not file.exists()  # nobody asked for one
        old.put(song, embedding(3))
        store.put(song, embedding())
        moved = song.rename(tmp_path / "moved.flac")
        store.move(song, moved)
        assert store.all()[0] == [moved]
        store.forget(moved)
        assert store.all()[0] == []
        assert same(store.get(moved), embedding())  # by its content
        assert store.prune([moved]) == 1  # of the old model
        assert old.get(moved) is None
        assert store.prune([]) == 0  # the file is there still
        moved.unlink()
        assert store.prune([moved]) == 0
        assert store.prune([]) == 1
        assert rows_of(file, "SELECT * FROM sounds") == rows_of(file, "SELECT * FROM files") == []


def test_numbers_that_16_bits_cannot_hold(file: Path, song: Path) -> None:
    with Embeddings(file, NAME) as store:
        store.put(song, np.array([1e9, -1e9, 1e-9, 1.0]))
        assert numbers(store, song) == [65504.0, -65504.0, 0.0, 1.0]
        for wrong in ([np.nan, 1.0], [np.inf], [], [[1.0]]):
            with pytest.raises(StorageError):
                store.put(song, np.array(wrong))
        assert numbers(store, song)[:1] == [65504.0]


@pytest.mark.parametrize(
    "blob", [b"", b"123", bytes(14), bytes(18), "x" * 16, np.full(8, np.nan, "<f2").tobytes()]
)
def test_a_damaged_embedding_is_as_if_it_was_not_there(
    file: Path, song: Path, tmp_path: Path, make_audio: MakeAudio, blob: bytes | str
) -> None:
    other = make_audio("other.flac", bpm=99)
    with Embeddings(file, NAME) as store:
        store.put(song, embedding())
        store.put(other, embedding(1))
        change(file, "UPDATE sounds SET embedding = ? WHERE content = ?", blob, content_of(song))
        assert store.get(song) is None
        assert list(store.of([song, other])) == [other]
        paths, found = store.all()
        assert paths == [other]
        assert (found == [embedding(1)]).all()
        store.put(song, embedding(2))
        assert same(store.get(song), embedding(2))


@pytest.mark.parametrize("kind", ["text", "foreign", "foreign with a layout", "cut", "scribbled"])
def test_a_file_that_is_no_store_is_put_aside(file: Path, song: Path, kind: str) -> None:
    if kind == "text":
        file.write_text("this is no database at all, " * 100)
    elif kind.startswith("foreign"):
        change(file, "CREATE TABLE albums (id)")
        if kind == "foreign with a layout":
            change(file, "PRAGMA user_version = 1")
    else:
        with Embeddings(file, NAME) as store:
            store.put(song, embedding())
        data = file.read_bytes()
        damaged = data[:5000] if kind == "cut" else data[:4096] + b"\xa5" * (len(data) - 4096)
        file.write_bytes(damaged)
    before = file.read_bytes()
    told: list[str] = []
    with Embeddings(file, NAME, told.append) as store:
        assert store.get(song) is None
        assert store.all()[0] == []
        store.put(song, embedding())
        assert same(store.get(song), embedding())
    (line,) = told
    assert str(file) in line
    assert "\n" not in line
    assert file.with_name("tempo-sounds.db.damaged-1").read_bytes() == before


def test_damage_that_sqlite_cannot_even_name(file: Path, song: Path) -> None:
    """The message quotes bytes of the file, which are no text."""
    with Embeddings(file, NAME) as store:
        store.put(song, embedding())
    file.write_bytes(
        file.read_bytes().replace(b"INDEX files_content ON", b"IN\xc2EX files_content ON")
    )
    told: list[str] = []
    with Embeddings(file, NAME, told.append) as store:
        assert store.get(song) is None
        store.put(song, embedding())
        assert same(store.get(song), embedding())
    assert len(told) == 1


@pytest.mark.parametrize("path", ["NULL", "7", "'text'"])
def test_a_path_that_is_none(file: Path, song: Path, path: str) -> None:
    with Embeddings(file, NAME) as store:
        store.put(song, embedding())
        change(file, "DROP TABLE files")
        change(file, "CREATE TABLE files (path, size, mtime_ns, content)")
        change(file, f"INSERT INTO files VALUES ({path}, 1, 1, ?)", content_of(song))
        assert store.all()[0] == []
        assert store.prune([]) == 1
        assert rows_of(file, "SELECT * FROM files") == []


@pytest.mark.filterwarnings("error")
def test_infinite_numbers_of_both_signs_give_no_warning(file: Path, song: Path) -> None:
    with Embeddings(file, NAME) as store:
        store.put(song, embedding())
        blob = np.array([np.inf, -np.inf, *[0] * 6], "<f2").tobytes()
        change(file, "UPDATE sounds SET embedding = ?", blob)
        assert store.all()[0] == []


def test_a_store_that_becomes_damaged_while_it_is_used(file: Path, song: Path) -> None:
    told: list[str] = []
    with Embeddings(file, NAME, told.append) as store:
        store.put(song, embedding())
        change(file, "DROP TABLE files")
        assert store.of([song]) == {}
        store.put(song, embedding())
        assert list(store.of([song])) == [song]
    assert len(told) == 1


def test_what_another_process_began_anew_is_not_put_aside(file: Path, song: Path) -> None:
    told: list[str] = []
    with Embeddings(file, NAME, told.append) as one, Embeddings(file, NAME, told.append) as other:
        one.put(song, embedding())
        assert one.get(song) is not None
        assert other.get(song) is not None
        change(file, "DROP TABLE files")
        one.put(song, embedding(1))  # puts it aside and begins anew
        assert other.of([song]) == {}  # still looks into the old one
        assert same(other.get(song), embedding(1))
    assert len(told) == 1


def test_a_newer_layout_is_refused_and_kept(file: Path, song: Path) -> None:
    with Embeddings(file, NAME) as store:
        store.put(song, embedding())
    change(file, f"PRAGMA user_version = {LAYOUT + 1}")
    with Embeddings(file, NAME) as store:
        for use in (lambda: store.get(song), store.all, lambda: store.put(song, embedding())):
            with pytest.raises(StorageError, match="newer version"):
                use()
    assert rows_of(file, "PRAGMA user_version") == [(LAYOUT + 1,)]


def test_an_empty_file_of_a_run_that_was_killed_is_a_new_store(file: Path, song: Path) -> None:
    file.touch()
    with Embeddings(file, NAME) as store:
        assert store.get(song) is None
        store.put(song, embedding())
    assert [path.name for path in file.parent.glob("tempo-sounds*")] == [file.name]


def test_a_store_that_cannot_be_written(file: Path, song: Path, tmp_path: Path) -> None:
    with Embeddings(tmp_path / "no folder" / "x.db", NAME) as store:
        assert store.get(song) is None
        with pytest.raises(StorageError, match="unable to open"):
            store.put(song, embedding())
    file.mkdir()
    with Embeddings(file, NAME) as store, pytest.raises(StorageError):
        store.put(song, embedding())


def test_a_file_that_is_not_there_or_no_music(file: Path, song: Path, tmp_path: Path) -> None:
    with Embeddings(file, NAME) as store:
        store.put(song, embedding())
        assert store.get(tmp_path / "none.flac") is None
        (tmp_path / "text.flac").write_text("no music")
        assert store.get(tmp_path / "text.flac") is None
        with pytest.raises(AudioError):
            store.put(tmp_path / "none.flac", embedding())


def test_threads_and_another_store_at_once(
    file: Path, tmp_path: Path, make_audio: MakeAudio
) -> None:
    song = make_audio("song.flac", bpm=120)
    paths = [Path(shutil.copy(song, tmp_path / f"{k}.flac")) for k in range(40)]
    content = content_of(song)
    with Embeddings(file, NAME) as one, Embeddings(file, NAME) as other:

        def work(store: Embeddings, some: list[Path]) -> None:
            for path in some:
                store.put(path, embedding(), content)
                assert store.get(path) is not None

        threads = [
            threading.Thread(target=work, args=((one, other)[k % 2], paths[k::4])) for k in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(one.all()[0]) == len(other.all()[0]) == 40


def test_kill_9_while_it_writes(file: Path, song: Path, tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from tempo_core.embeddings import Embeddings\n"
        f"store = Embeddings(Path({str(file)!r}), {NAME!r})\n"
        "k = 0\n"
        "while True:\n"
        f"    store.put({str(song)!r}, np.full(8, k % 2000), k.to_bytes(16, 'big'))\n"
        "    print(k, flush=True)\n"
        "    k += 1\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for _ in range(20):
            last = int(run.stdout.readline())
        run.send_signal(signal.SIGKILL)
        last = max([last, *(int(line) for line in run.stdout.read().split())])
    told: list[str] = []
    with Embeddings(file, NAME, told.append) as store:
        found = store.get(song)
        assert found is not None
        assert int(found[0]) in (last, last + 1)
    assert not told
    assert rows_of(file, "PRAGMA integrity_check") == [("ok",)]
