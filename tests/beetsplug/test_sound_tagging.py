"""Tests of `beet tempo-tags` and its suggestions."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from beets import plugins
from beets.library import Library
from mediafile import MediaFile

from beetsplug.tempo import filling, sound_tagging
from beetsplug.tempo.keeping import note_failure
from beetsplug.tempo.sounds import STORE
from beetsplug.tempo.writing import update_tags
from tempo_core.errors import AudioError
from tempo_core.packets import same_packets
from tempo_core.sound_tags import parse_tags
from tests.rows import mostly_slow

from ..audio import click_track, write_audio
from ..conftest import MakeAudio
from ..formats import EACH_FORMAT
from .conftest import Beet, n_transactions
from .sounds import N_DIMS, hear, learn, store_of

ROCK, SLOW = [9.0], [0.0, 9.0]  # embeddings that `words` tell apart


@pytest.fixture
def words(home: Path) -> Path:
    """A model in use that knows two genres and a mood."""
    return learn(
        ["genres:Hard Rock", "genres:Slow, Core", "mood:calm"], [[1, -1], [-1, 1], [-1, 1]]
    )


@pytest.fixture
def songs(make_audio: MakeAudio) -> list[Path]:
    return [
        make_audio(f"songs/{style}.mp3", bpm=120, duration=14, style=style, title=style, artist="x")
        for style in ("house", "rock")
    ]


def rock(beet: Beet, song: Path) -> Path:
    """Add a file to the library that sounds like hard rock; returns its path."""
    beet.add(song)
    with store_of(beet) as store:
        store.put(song, np.array([9.0, *[0] * (N_DIMS - 1)]))
    return song


def retag(song: Path, **tags: object) -> None:
    """Write tags as another program does, some seconds after the library has read the file."""
    media = MediaFile(song)
    media.update(tags)
    media.save()
    later = time.time() + 10
    os.utime(song, (later, later))


def tags(beet: Beet) -> dict[str, str | None]:
    return {item.title: item.get("sound_tags") for item in beet.items()}


@pytest.mark.slow
def test_what_was_not_heard_is_heard_once(beet: Beet, songs: list[Path]) -> None:
    beet.add(*songs)
    run = beet("tempo-tags")
    assert (run.code, run.err) == (0, "")
    assert "x - house: " in run.out
    assert "2 tracks: 2 listened to, 0 known before; 2 changed, 0 failed" in run.out
    first = tags(beet)
    assert all(text is not None for text in first.values())
    assert all(not item.bpm for item in beet.items())
    assert "0 listened to, 2 known before; 0 changed" in beet("tempo-tags").out
    # A track that lost its words, or has others, gets them back without being heard.
    beet("modify", "-y", "-W", "title:house", "sound_tags!")
    beet("modify", "-y", "-W", "title:rock", "sound_tags=polka:0.99")
    assert "0 listened to, 2 known before; 2 changed" in beet("tempo-tags").out
    assert tags(beet) == first
    assert (
        "1 track: 1 listened to, 0 known before; 0 changed" in beet("tempo-tags", "-f", "house").out
    )
    run = beet("tempo-tags", "-q", "-f")
    assert (run.code, run.out, run.err) == (0, "", "")


@pytest.mark.slow
def test_a_file_that_was_retagged_moved_and_copied_is_known(beet: Beet, songs: list[Path]) -> None:
    beet.add(songs[0])
    beet("tempo-tags")
    media = MediaFile(songs[0])
    media.title, media.comments = "other", "x" * 10_000
    media.save()
    copy = Path(shutil.copy(songs[0], beet.music / "copy.mp3"))
    beet.add(copy)
    run = beet("tempo-tags", "title:other")
    assert "1 track: 0 listened to, 1 known before; 1 changed" in run.out
    assert len(set(tags(beet).values())) == 1


def test_other_words_need_no_audio(beet: Beet, words: Path) -> None:
    hear(beet, {"loud": ROCK, "quiet": SLOW, "neither": [0, 0]})
    run = beet("tempo-tags")
    assert (run.code, run.err) == (0, "")
    assert "3 tracks: 0 listened to, 3 known before; 3 changed, 0 failed" in run.out
    assert tags(beet) == {
        "loud": "hard-rock:1.00",
        "quiet": "slow-core:1.00 calm:1.00",
        "neither": "hard-rock:0.50 slow-core:0.50 calm:0.50",
    }
    assert [item.title for item in beet.items("sound:calm,0.9..")] == ["quiet"]
    words.unlink()
    learn(["mood:calm"], [[1]])
    beet("tempo-tags", "title:quiet", "title:loud", ",", "title:loud")
    assert tags(beet)["loud"] == "calm:1.00"
    assert tags(beet)["neither"] == "hard-rock:0.50 slow-core:0.50 calm:0.50"


def test_it_shows_the_frequent_words(beet: Beet, words: Path) -> None:
    hear(beet, {"loud": ROCK, "quiet": SLOW})
    out = beet("tempo-tags").out.splitlines()
    assert [line.split() for line in out[1:4]] == [
        ["calm", "1"],
        ["hard-rock", "1"],
        ["slow-core", "1"],
    ]


def test_pretend_writes_nothing(beet: Beet, words: Path, songs: list[Path]) -> None:
    hear(beet, {"loud": ROCK})
    beet.add(songs[0])
    before = (beet.database.parent / STORE).read_bytes()
    run = beet("tempo-tags", "-p")
    assert "artist 1 - loud: hard-rock 1.00" in run.out
    assert "would have: 2 tracks: 1 listened to, 1 known before; 2 changed" in run.out
    assert tags(beet) == {"loud": None, "house": None}
    assert (beet.database.parent / STORE).read_bytes() == before


def test_failures_are_remembered(beet: Beet, songs: list[Path]) -> None:
    broken = beet.music / "broken.mp3"
    shutil.copy(songs[0], broken)
    beet.add(songs[1], broken)
    broken.write_bytes(b"no music" * 100)
    run = beet("tempo-tags")
    assert run.code == 1
    assert "2 tracks: 1 listened to, 0 known before; 1 changed, 1 failed" in run.err
    run = beet("tempo-tags")
    assert run.code == 0
    assert "1 skipped that failed before" in run.out
    assert beet("tempo-tags", "--retry").code == 1
    shutil.copy(songs[0], broken)
    assert "1 listened to" in beet("tempo-tags").out


def test_a_tag_that_cannot_be_written_does_not_keep_from_listening(
    beet: Beet, songs: list[Path]
) -> None:
    beet.add(songs[0], tempo_pending="bpm")
    item = beet.item()
    note_failure(item, AudioError("cannot write the tag: damaged"))
    item.store()
    assert "1 listened to" in beet("tempo-tags").out
    item = beet.item()
    assert item.tempo_failure == "cannot write the tag: damaged"
    assert item.tempo_pending == "bpm"


def test_the_query_may_be_for_albums(beet: Beet, words: Path) -> None:
    hear(beet, {"loud": ROCK, "quiet": SLOW, "single": ROCK})
    library = beet.library
    album = library.add_album(list(library.items("^title:single")))
    album.album = "whole"
    album.store()
    assert "2 tracks: 0 listened to" in beet("tempo-tags", "-a", "album:whole").out
    assert tags(beet)["single"] is None
    assert "2 of 2 tracks" in beet("tempo-tags", "--suggest", "-a", "album:whole").out
    assert [a.album for a in beet.library.albums("sound:calm")] == ["whole"]


def test_what_is_no_music_is_skipped(beet: Beet, songs: list[Path]) -> None:
    beet.configure(tempo={"skip": {"query": "title:rock"}})
    beet.add(*songs)
    run = beet("tempo-tags")
    assert "2 tracks: 1 listened to" in run.out
    assert "1 skipped: not music" in run.out


def test_a_damaged_store_costs_the_listening_only(beet: Beet, songs: list[Path]) -> None:
    beet.add(*songs)
    beet("tempo-tags")
    first = tags(beet)
    (beet.database.parent / STORE).write_bytes(b"\0" * 9000)
    run = beet("tempo-tags")
    assert run.code == 0
    assert run.err.count(f"{STORE}.damaged-1") == 1
    assert "2 tracks: 2 listened to, 0 known before; 0 changed" in run.out
    assert tags(beet) == first


def test_a_newer_store_is_refused(beet: Beet) -> None:
    hear(beet, {"one": [1]})
    db = sqlite3.connect(beet.database.parent / STORE)
    db.execute("PRAGMA user_version = 99")
    db.close()
    for command in ("tempo-tags", "tempo-similar one", "tempo-tags --suggest"):
        run = beet(*command.split())
        assert run.code == 1
        assert "newer version" in run.err
        assert len(run.err.splitlines()) == 1


def test_removed_tracks_are_pruned_by_a_run_over_all(beet: Beet, words: Path) -> None:
    hear(beet, {"loud": ROCK, "quiet": SLOW})
    beet("remove", "-d", "-f", "title:quiet")
    beet("tempo-tags", "title:loud")
    db = sqlite3.connect(beet.database.parent / STORE)
    assert db.execute("SELECT count(*) FROM sounds").fetchone() == (2,)
    beet("tempo-tags")
    assert db.execute("SELECT content FROM sounds").fetchall() == [(b"loud",)]
    db.close()


@pytest.mark.slow
@pytest.mark.parametrize("before", [pytest.param("put", marks=pytest.mark.slow), "store"])
def test_kill_9_between_store_and_library(
    beet: Beet, songs: list[Path], before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    beet.add(*songs)
    where = {
        "put": "tempo_core.embeddings.Embeddings.put",
        "store": "beetsplug.tempo.sound_tagging.store",
    }[before]
    module, _, name = where.rpartition(".")
    code = (
        "import os, signal, sys\n"
        "import beets.ui, beetsplug.tempo.sound_tagging, tempo_core.embeddings\n"
        f"owner = {module}\n"
        f"owner.{name} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "beets.ui.main(['tempo-tags', '-t', '1'])\n"
    )
    assert os.spawnlp(os.P_WAIT, sys.executable, sys.executable, "-c", code) == -signal.SIGKILL
    assert list(tags(beet).values()) == [None, None]
    with store_of(beet) as store:
        assert len(store.all()[0]) == (before == "store")
    run = beet("tempo-tags")
    assert run.code == 0
    assert f"{1 if before == 'store' else 2} listened to" in run.out
    assert all(text is not None for text in tags(beet).values())


def test_an_interruption_keeps_what_was_found(
    beet: Beet, make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = make_audio("song.mp3", duration=14)
    beet.add(*(Path(shutil.copy(song, song.with_stem(f"song {k}"))) for k in range(3)))
    found = sound_tagging.TagsProgress.found

    def interrupt(progress: sound_tagging.TagsProgress, *args: object, **options: bool) -> None:
        found(progress, *args, **options)  # type: ignore[arg-type]
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(sound_tagging.TagsProgress, "found", interrupt)
    run = beet("tempo-tags", "-t", "1")
    assert run.code == 1
    assert "interrupted: 3 tracks: 1 listened to" in run.err
    monkeypatch.undo()
    assert sum("sound_tags" in item for item in beet.items()) == 1


@pytest.mark.slow
def test_two_at_once(beet: Beet, songs: list[Path]) -> None:
    beet.add(*songs)
    runs = [beet.start("tempo-tags", "-t", "1") for _ in range(2)]
    for run in runs:
        out, err = run.communicate(timeout=120)
        assert (run.returncode, err) == (0, ""), out
    assert all(text is not None for text in tags(beet).values())
    assert "0 listened to, 2 known before; 0 changed" in beet("tempo-tags").out


def test_changed_words_are_told_to_other_plugins(beet: Beet) -> None:
    """As smart playlists are made anew by what `database_change` says."""
    hear(beet, {"loud": ROCK, "quiet": SLOW})
    beet.load()
    told: list[tuple[str, str]] = []
    plugins.BeetsPlugin.listeners["database_change"].append(
        lambda lib, model: told.append((model.title, model.sound_tags))
    )
    sound_tagging.store_tags(beet.library, {1: "rock:0.90", 2: "", 99: "gone:1.00"})
    assert told == [("loud", "rock:0.90"), ("quiet", "")]
    assert sound_tagging.tags_in(beet.library, [1, 2, 99]) == {1: "rock:0.90", 2: ""}


# Suggestions


def test_suggestions_are_for_what_is_empty_the_surest_first(beet: Beet, words: Path) -> None:
    hear(beet, {"quiet": [0, 0.7], "loud": ROCK, "neither": [0.1, 0.2], "unheard": []})
    hear(beet, {"known": ROCK}, genres=["Polka"])
    run = beet("tempo-tags", "--suggest")
    assert run.code == 0
    assert run.out.splitlines() == [
        "1.00 Hard Rock  artist 2 - loud",
        "0.67 Slow, Core  artist 1 - quiet",
        "0.52 Slow, Core  artist 3 - neither",
        "tempo-tags: a suggestion for 3 of 4 tracks without genres; --apply writes them",
    ]
    assert "1 track was not listened to yet" in run.err
    assert "2 of 4" in beet("tempo-tags", "--suggest", "--least", "0.6").out
    assert all(not item.genres for item in beet.items("^title:known"))


def test_applied_suggestions_fill_what_is_empty_and_nothing_else(
    beet: Beet, words: Path, songs: list[Path]
) -> None:
    rock(beet, songs[0])
    hear(beet, {"known": ROCK}, genres=["Polka"])
    media_before = MediaFile(songs[0]).as_dict()
    run = beet("tempo-tags", "--suggest", "--apply", "title:house", ",", "title:known")
    assert run.code == 0
    assert "genres of 1 track filled, 0 failed" in run.out
    item = beet.item("title:house")
    assert item.genres == ["Hard Rock"]
    assert item.sound_suggested == "genres"
    media = MediaFile(songs[0]).as_dict()
    assert media["genres"] == ["Hard Rock"]
    changed = {k for k in media if media[k] != media_before[k]}
    assert changed <= {"genre", "genres"}
    assert beet.item("title:known").genres == ["Polka"]
    assert beet("update").out == ""
    run = beet("tempo-tags", "--suggest", "--apply")
    assert "genres of 0 tracks filled" in run.out
    # And back.
    beet("modify", "-y", "sound_suggested:genres", "genres=", "sound_suggested!")
    item = beet.item("title:house")
    assert not item.genres
    assert "sound_suggested" not in item


@mostly_slow("ending", ["flac", "m4a", "ogg"], quick=1)
def test_suggestions_are_written_to_files_of_other_formats(
    beet: Beet, words: Path, make_audio: MakeAudio, ending: str
) -> None:
    song = rock(beet, make_audio(f"songs/a.{ending}", bpm=120, duration=14, title="a", artist="x"))
    before = MediaFile(song).as_dict()
    assert beet("tempo-tags", "--suggest", "--apply").code == 0
    after = MediaFile(song).as_dict()
    assert after["genres"] == ["Hard Rock"]
    assert {k for k in after if after[k] != before[k]} == {"genre", "genres"}


def test_what_only_the_file_says_is_not_overwritten(
    beet: Beet, words: Path, songs: list[Path]
) -> None:
    song = rock(beet, songs[0])
    retag(song, genres=["Jazz", "Blues"])
    before = song.read_bytes()
    run = beet("tempo-tags", "--suggest", "--apply")
    assert run.code == 1
    assert "its file says genres Jazz, Blues, the library does not; `beet update`" in run.err
    item = beet.item()
    assert not item.genres
    assert "sound_suggested" not in item
    assert song.read_bytes() == before
    beet("update")
    assert beet.item().genres == ["Jazz", "Blues"]


def test_a_file_that_cannot_be_written_leaves_the_library_as_it_was(
    beet: Beet, words: Path, songs: list[Path]
) -> None:
    rock(beet, songs[0]).unlink()
    before = dict(beet.item())
    run = beet("tempo-tags", "--suggest", "--apply")
    assert run.code == 1
    assert "cannot read the tag: No such file" in run.err
    assert dict(beet.item()) == before


def test_a_run_that_was_killed_behind_the_file_is_made_up_for(
    beet: Beet, words: Path, songs: list[Path]
) -> None:
    """The file has the value, and the library only the mark that it is a suggestion."""
    song = rock(beet, songs[0])
    item = beet.item()
    item["sound_suggested"] = "genres"
    item.store()
    retag(song, genres=["Hard Rock"])
    before = song.read_bytes()
    assert "genres of 1 track filled" in beet("tempo-tags", "--suggest", "--apply").out
    assert beet.item().genres == ["Hard Rock"]
    assert beet.item().sound_suggested == "genres"
    assert song.read_bytes() == before


def test_update_still_sees_what_else_changed_in_a_file(
    beet: Beet, words: Path, songs: list[Path]
) -> None:
    song = rock(beet, songs[0])
    retag(song, album="another")
    assert beet("tempo-tags", "--suggest", "--apply", "-W").code == 0
    beet("update")
    assert beet.item().album == "another"


def test_the_old_name_of_the_field_is_the_new_one(beet: Beet, words: Path) -> None:
    hear(beet, {"loud": ROCK})
    out = beet("tempo-tags", "--suggest", "--field", "genre").out
    assert "a suggestion for 1 of 1 track without genres" in out


def test_without_write_the_files_stay_as_they_are(
    beet: Beet, words: Path, songs: list[Path]
) -> None:
    rock(beet, songs[0])
    before = songs[0].read_bytes()
    beet("tempo-tags", "--suggest", "--apply", "-W")
    assert beet.item().genres == ["Hard Rock"]
    assert songs[0].read_bytes() == before
    beet("modify", "-y", "-W", "genres=")
    beet("tempo-tags", "--suggest", "--apply", "-p")
    assert not beet.item().genres


def test_without_files_many_tracks_are_filled_together(beet: Beet, words: Path) -> None:
    hear(beet, {f"track {k}": ROCK for k in range(30)})
    before = n_transactions(beet.database)
    assert "genres of 30 tracks filled" in beet("tempo-tags", "--suggest", "--apply", "-W").out
    assert n_transactions(beet.database) - before <= 3
    assert {item.sound_suggested for item in beet.items()} == {"genres"}


def test_a_tag_that_cannot_be_written_leaves_no_mark(
    beet: Beet, words: Path, songs: list[Path]
) -> None:
    beet.add(songs[0])
    with store_of(beet) as store:
        store.put(songs[0], np.array([9.0, *[0] * (N_DIMS - 1)]))
    before = songs[0].read_bytes()
    # Where the copy with the tag is to be written there is a folder.
    digest = hashlib.sha256(os.fsencode(songs[0].name)).hexdigest()[:16]
    (songs[0].parent / f".tempo-{digest}{songs[0].suffix}").mkdir()
    run = beet("tempo-tags", "--suggest", "--apply")
    assert run.code == 1
    assert "genres of 0 tracks filled, 1 failed" in run.err
    item = beet.item()
    assert not item.genres
    assert "sound_suggested" not in item
    assert songs[0].read_bytes() == before


def test_a_track_that_is_removed_meanwhile_is_passed_over(
    beet: Beet, words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear(beet, {"first": ROCK, "second": SLOW, "third": ROCK})
    suggest = filling._suggestions

    def then_removed(lib: Library, *rest: Any) -> Any:
        found = suggest(lib, *rest)
        lib.items("title:first").get().remove()
        return found

    monkeypatch.setattr(filling, "_suggestions", then_removed)
    run = beet("tempo-tags", "--suggest", "--apply", "-W")
    assert (run.code, run.err) == (0, "")
    assert "genres of 2 tracks filled, 0 failed" in run.out
    assert beet.item("title:second").genres == ["Slow, Core"]
    assert beet.item("title:third").genres == ["Hard Rock"]


def test_other_fields_are_text(beet: Beet, words: Path) -> None:
    hear(beet, {"loud": ROCK, "quiet": SLOW})
    run = beet("tempo-tags", "--suggest", "--field", "mood", "--apply")
    assert run.code == 0
    assert {item.title: item.get("mood") for item in beet.items()} == {
        "loud": None,
        "quiet": "calm",
    }
    run = beet("tempo-tags", "--suggest", "--field", "grouping")
    assert run.code == 1
    assert "only of genres, mood" in run.err
    beet.configure(tempo={"tags": {"field": "Mood"}})
    assert "of 1 track without mood" in beet("tempo-tags", "--suggest").out  # the other has one
    assert "of 2 tracks without genres" in beet("tempo-tags", "--suggest", "--field", "genre").out
    assert "tempo-train --task tags --field grouping" in run.err


def test_words_of_the_package_are_genres_as_the_library_spells_them(beet: Beet) -> None:
    learn([":hard rock", ":instrumental", ":folk"], [[1, -1], [5], [-1, 1]])
    hear(beet, {"loud": ROCK, "quiet": SLOW})
    hear(beet, {"a": [], "b": [], "c": []}, genres=["hard-Rock"])
    out = beet("tempo-tags", "--suggest").out
    assert "1.00 hard-Rock  artist 1 - loud" in out
    assert "1.00 Folk  artist 2 - quiet" in out


@pytest.mark.parametrize("option", [(), ("-W",)])
def test_what_changed_meanwhile_is_not_overwritten(
    beet: Beet, words: Path, monkeypatch: pytest.MonkeyPatch, option: tuple[str, ...]
) -> None:
    from beetsplug.tempo import filling

    hear(beet, {"loud": ROCK})
    apply = filling._apply

    def meanwhile(*args: Any) -> int:
        now = beet.library.items()[0]
        now.genres = ["Polka"]
        now.store()
        return apply(*args)

    monkeypatch.setattr(filling, "_apply", meanwhile)
    run = beet("tempo-tags", "--suggest", "--apply", *option)
    assert "genres of 0 tracks filled" in run.out
    assert beet.item().genres == ["Polka"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--apply"], "--apply is for --suggest"),
        (["--field", "mood"], "--field is for --suggest and --check"),
        (["--suggest", "--least", "2"], "--least must be a probability"),
        (["--suggest", "-f"], "-f does nothing with --suggest"),
        (["--suggest", "-w"], "-w/-W is for --apply"),
        (["-w"], "the words are in the library only"),
        (["-t", "0"], "-t must be"),
    ],
)
def test_options_that_make_no_sense(beet: Beet, args: list[str], message: str) -> None:
    run = beet("tempo-tags", *args)
    assert run.code == 1
    assert message in run.err.replace("--threads", "-t")


@pytest.mark.slow
def test_many_tracks_take_seconds(beet: Beet, words: Path) -> None:
    hear(beet, {"one": ROCK})
    n = 20_000
    library = beet.library
    with library.transaction() as transaction:
        for k in range(2, n):
            transaction.mutate(
                "INSERT INTO items (id, title, path) VALUES (?, ?, ?)",
                (k, f"t{k}", f"{k}.mp3".encode()),
            )
    with sqlite3.connect(beet.database.parent / STORE) as db:
        (name, blob) = db.execute("SELECT name, embedding FROM sounds").fetchone()
        for k in range(2, n):
            content = k.to_bytes(16, "big")
            path = os.fsencode(beet.music / f"{k}.mp3")
            db.execute("INSERT INTO files VALUES (?, 1, 1, ?)", (path, content))
            db.execute("INSERT INTO sounds VALUES (?, ?, ?)", (content, name, blob))
    start = time.process_time()
    run = beet("tempo-tags")
    assert "0 listened to, 19999 known before; 19999 changed" in run.out
    assert time.process_time() - start < 10
    assert parse_tags(beet.item("id:777").sound_tags) == {"hard-rock": 1.0}


@pytest.mark.parametrize("form", EACH_FORMAT)
def test_a_genre_is_written_to_files_of_every_format_and_nothing_else(
    form: str, beet: Beet, tmp_path: Path
) -> None:
    beet.load()
    path = write_audio(tmp_path / f"song.{form}", click_track(120, 3, 44100), 44100)
    media = MediaFile(path)
    media.update({"title": "Night Bus", "comments": "as it was", "bpm": 120})
    media.save()
    before = MediaFile(path).as_dict()
    copy = tmp_path / f"before.{form}"
    copy.write_bytes(path.read_bytes())
    update_tags(path, {"genres": ["Hard Rock"]})
    after = MediaFile(path).as_dict()
    assert after["genres"] == ["Hard Rock"]
    assert {k for k in after if after[k] != before[k]} <= {"genre", "genres"}
    assert same_packets(copy, path)
