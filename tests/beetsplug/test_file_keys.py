"""Tests of keys read from files, in `$camelot`, `$openkey`, `tempo-mix` and `tempo-labels`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mutagen
import pytest
from beets.library import Item
from mediafile import MediaFile
from mutagen.id3 import TBPM, TKEY

import tempo_core.labels.files
from beetsplug.tempo import analysing, file_keys
from beetsplug.tempo.file_keys import key_of, remember_key
from tempo_core.background import interruptible
from tempo_core.keys import parse_key
from tests.rows import mostly_slow

from .conftest import Beet

MakeAudio = Callable[..., Path]

# What the file says, what beets makes of it, and what it is.
MISREAD = [
    ("F minor", "Fm", "Fm"), ("F# minor", "Fm", "F#m"), ("Db Major", "C", "C#"),
    ("C# major", "C", "C#"), ("Gb minor", "Fm", "F#m"), ("Bb minor", "Am", "A#m"),
    ("CM", "Cm", "C"), ("A-", "A-", "Am"), ("Es-Dur", "Es-dur", "D#"),
    ("fis-Moll", "Fis-moll", "F#m"), ("fis", "Fis", "F#m"), ("H", "H", "B"), ("h", "H", "Bm"),
    ("B-Dur", "B-dur", "A#"), ("b-moll", "B-moll", "A#m"), ("8A - 7", "8a - 7", "Am"),
    ("Am (8A)", "Am (8a)", "Am"), ("1m", "1m", "Am"), ("C♯ Min", "C♯ min", "C#m"), ("d", "D", "D"),
    ("AMAJ", "Amaj", "A"), ("o", "O", None),
]  # fmt: skip


def tagged(path: Path, *keys: str) -> Path:
    """Write a text as the key tag of an MP3 file, unchanged."""
    file = mutagen.File(path)
    file.tags.add(TKEY(encoding=3, text=list(keys)))
    file.save()
    return path


def shown(beet: Beet, query: str = "") -> str:
    run = beet("ls", "-f", "$camelot|$openkey", *([query] if query else []))
    assert (run.code, run.err) == (0, "")
    return run.out.strip()


def wheel(key: str | None) -> str:
    found = parse_key(key or "")
    return f"{found.camelot}|{found.open_key}" if found else "|"


@pytest.fixture
def n_read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """List of the files that were read for their key."""
    reads: list[Path] = []
    read_track = tempo_core.labels.files.read_track

    def noting(path: Path) -> object:
        reads.append(path)
        return read_track(path)

    monkeypatch.setattr(tempo_core.labels.files, "read_track", noting)
    return reads


@pytest.mark.parametrize(("text", "misread", "key"), MISREAD)
def test_a_key_is_what_the_file_says(
    text: str, misread: str, key: str | None, beet: Beet, make_audio: MakeAudio
) -> None:
    beet.add(tagged(make_audio("a.mp3", duration=4), text))
    assert beet.item().initial_key == misread
    assert shown(beet) == wheel(key)


@pytest.mark.slow
def test_labels_say_the_same(beet: Beet, make_audio: MakeAudio) -> None:
    beet.configure(tempo={"sources": ["tags"]})
    for text, _, key in MISREAD:
        path = tagged(make_audio(f"{ord(text[-1])}{len(text)}{text[:2]}.mp3", duration=4), text)
        beet.add(path, bpm=120, title=text.replace(":", ""))
        assert wheel(key) in shown(beet)
    assert beet("tempo-labels").code == 0
    for item in beet.items():
        expected = next(key for text, _, key in MISREAD if text == item.title)
        assert item.get("tempo_label_key") == expected
        assert item.get("tempo_file_key") == expected


def test_several_values_and_other_names(beet: Beet, make_audio: MakeAudio) -> None:
    beet.add(tagged(make_audio("a.mp3", duration=4), "o", "Gb minor"))
    path = make_audio("b.flac", duration=4)
    file = mutagen.File(path)
    file["key"] = "Es-Dur"  # a name that beets does not know
    file.save()
    beet.add(path)
    assert shown(beet).splitlines() == [wheel("F#m"), wheel("D#")]


def test_mixing_goes_by_the_file(beet: Beet, make_audio: MakeAudio) -> None:
    beet.add(tagged(make_audio("a.mp3", duration=4), "F# minor"), title="this", bpm=120)
    beet.add(tagged(make_audio("b.mp3", duration=4), "Gb minor"), title="same", bpm=120)
    beet.add(tagged(make_audio("c.mp3", duration=4), "Fm"), title="clash", bpm=120)
    run = beet("tempo-mix", "-f", "$title $mix_key", "title:this")
    assert run.out.splitlines() == ["same 11A same", "clash 4A  clash"]
    assert [item.get("tempo_file_key") for item in beet.items()] == ["F#m", "F#m", "Fm"]


@pytest.mark.slow
@mostly_slow("fill", [("tempo",), ("tempo-mix", "title:this"), ("tempo-labels",)], quick=1)
def test_a_key_is_read_once(
    fill: tuple[str, ...], beet: Beet, make_audio: MakeAudio, n_read: list[Path]
) -> None:
    for name in ("this", "that"):
        beet.add(tagged(make_audio(f"{name}.mp3"), "F# minor"), title=name, bpm=126)
    beet.configure(tempo={"sources": ["tags"], "windows": 1})
    assert shown(beet) == "\n".join([wheel("F#m")] * 2)
    assert len(n_read) > 0
    assert beet.item("title:this").get("tempo_file_key") is None  # not by looking at it
    run = beet(*fill)
    assert run.code == 0, run.err
    n_read.clear()
    assert shown(beet) == "\n".join([wheel("F#m")] * 2)
    assert n_read == []
    assert beet.item("title:this").tempo_file_key == "F#m"


def test_a_file_without_a_key_is_read_once_as_well(
    beet: Beet, make_audio: MakeAudio, n_read: list[Path]
) -> None:
    beet.configure(tempo={"tasks": ["tempo", "pace"]})
    beet.add(make_audio("a.mp3"), bpm=126)
    beet.configure(tempo={"windows": 1})
    assert beet("tempo").code == 0
    n_read.clear()
    assert shown(beet) == "|"
    assert n_read == []


ANALYSED = {"bpm": 126, "tempo_bpm": 126.0, "tempo_source": "model:x@0", "tempo_verdict": "set"}


def test_reading_the_keys_of_an_older_library_can_be_interrupted(
    beet: Beet, make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    beet.add(
        *(tagged(make_audio(f"{k}.mp3", duration=4), "F# minor") for k in range(6)), **ANALYSED
    )
    read_track, n_read = tempo_core.labels.files.read_track, 0

    def interrupted(path: Path) -> Any:
        nonlocal n_read
        n_read += 1
        if n_read == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return read_track(path)

    monkeypatch.setattr(tempo_core.labels.files, "read_track", interrupted)
    run = beet("tempo")
    assert run.code == 1
    assert "interrupted" in run.err
    assert "Traceback" not in run.err
    known = [item.get("tempo_file_key") for item in beet.items()]
    assert 2 <= known.count("F#m") <= 3  # what was read is kept
    monkeypatch.setattr(tempo_core.labels.files, "read_track", read_track)
    assert beet("tempo").code == 0
    assert [item.get("tempo_file_key") for item in beet.items()] == ["F#m"] * 6


def test_no_keys_are_looked_for_where_the_disk_is_away(
    beet: Beet, monkeypatch: pytest.MonkeyPatch
) -> None:
    beet.configure(tempo={"tasks": ["tempo", "pace"]})
    library = beet.library
    with library.transaction():
        for k in range(60):
            library.add(Item(path=b"/away/%d.mp3" % k, **ANALYSED))
    seen, n_seen = file_keys._seen, 0

    def counting(item: Item) -> str | None:
        nonlocal n_seen
        n_seen += 1
        return seen(item)

    monkeypatch.setattr(analysing, "BATCH_SIZE", 20)
    monkeypatch.setattr(file_keys, "_seen", counting)
    assert "60 had a tempo already" in beet("tempo").out
    assert n_seen == 20


def test_what_is_known_holds_until_something_changes(beet: Beet, make_audio: MakeAudio) -> None:
    path = tagged(make_audio("a.mp3"), "F# minor")
    beet.add(path, bpm=126)
    beet.configure(tempo={"windows": 1})
    beet("tempo")
    assert shown(beet) == wheel("F#m")
    # Another program changes the file; beets does not know yet, or would misread it the same way.
    status = path.stat()
    tagged(path, "F minor")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as if nothing had happened
    assert shown(beet) == wheel("Fm")
    beet("update")
    assert shown(beet) == wheel("Fm")
    # Somebody says another key: the file does not count any more.
    beet("modify", "-y", "-W", "initial_key=Em")
    assert shown(beet) == wheel("Em")
    beet("modify", "-y", "-W", "initial_key=Fm")
    assert shown(beet) == wheel("Fm")
    tagged(path, "F# minor")
    assert shown(beet) == wheel("F#m")
    beet("tempo")
    path.unlink()  # or the disk it is on is not there
    assert shown(beet) == wheel("F#m")


def test_a_file_that_is_gone_leaves_the_library(beet: Beet, tmp_path: Path) -> None:
    beet.library.add(Item(title="a", path=b"/nowhere/a.mp3", initial_key="F#m"))
    assert shown(beet) == wheel("F#m")


def test_pretending_keeps_nothing(beet: Beet, make_audio: MakeAudio) -> None:
    beet.add(tagged(make_audio("a.mp3", duration=4), "F# minor"), bpm=126)
    beet("tempo", "-p")
    beet("tempo-labels", "-p")
    assert "tempo_file_key" not in beet.item()


@pytest.mark.parametrize("options", [("-A",), ("-A", "-C"), ("-A", "-W")])
@mostly_slow(("text", "misread", "key"), [MISREAD[1], MISREAD[6], MISREAD[15]], quick=1)
def test_an_import_puts_a_misread_key_right(
    text: str, misread: str, key: str, options: tuple[str, ...], beet: Beet, make_audio: MakeAudio
) -> None:
    """An import corrects a key that beets misread, before it is written; other keys stay."""
    path = tagged(make_audio("new/a.mp3", title="a", artist="b"), text)
    file = mutagen.File(path)
    file.tags.add(TBPM(encoding=3, text=["126"]))  # so that nothing has to be written
    file.save()
    os.utime(path, (1, 1))  # the copy is newer
    beet.configure(tempo={"windows": 1})
    run = beet("import", "-q", *options, path.parent)
    assert run.code == 0, run.err
    item = beet.item()
    wrong = parse_key(misread) != parse_key(key)
    assert item.initial_key == (key if wrong else misread)
    assert item.tempo_file_key == key
    assert shown(beet) == wheel(key)
    assert beet("update").code == 0
    assert beet.item().initial_key == (key if wrong else misread)
    assert beet("write").code == 0
    assert str(parse_key(MediaFile(item.filepath).initial_key)) == key
    assert shown(beet) == wheel(key)


def test_an_album_field_of_that_name_is_not_the_tracks(beet: Beet, make_audio: MakeAudio) -> None:
    beet.add(tagged(make_audio("a.mp3", duration=4), "F# minor"), title="a", bpm=126)
    library = beet.library
    album = library.add_album(list(library.items()))
    album["tempo_file_key"] = "C"
    album.store()
    assert shown(beet) == wheel("F#m")


@pytest.mark.parametrize("reason", ["a disk that hangs", "Ctrl-C"])
@pytest.mark.slow
def test_what_was_not_read_to_the_end_is_not_known(
    reason: str, beet: Beet, make_audio: MakeAudio, hang: Callable[[Path], None]
) -> None:
    path = tagged(make_audio("a.mp3", duration=1), "F# minor")
    beet.add(path)
    beet.configure(tempo={"time_limit": 0.3})
    beet.load()
    item = beet.item()
    if reason == "Ctrl-C":
        with interruptible() as stop:
            stop.set()
            assert not remember_key(item)
    else:
        hang(path)
        assert not remember_key(item)
        assert str(key_of(item)) == "Fm"  # as beets has it
    assert "tempo_file_key_seen" not in item
