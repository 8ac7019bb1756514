"""Tests of writing one tag: nothing else in the file changes, whatever interrupts it."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import beets
import mutagen
import numpy as np
import pytest
from beets.library import Item
from beets.util import syspath
from mediafile import (
    ASFStorageStyle,
    MediaField,
    MediaFile,
    MP3DescStorageStyle,
    MP4StorageStyle,
    StorageStyle,
)

from beetsplug.tempo import writing
from beetsplug.tempo.writing import TagError, update_tags, write_fields
from tempo_core.tagging.splices import Splice

from ..audio import FORMATS
from ..conftest import MakeAudio
from ..containers import V1, Case, cases
from ..tagging import heard, shown
from .conftest import ROOT, Beet


@pytest.fixture(autouse=True)
def _beets(beet: Beet) -> None:
    beet.load()


def tags(path: Path) -> dict[str, str]:
    return {key: str(value) for key, value in (mutagen.File(path).tags or {}).items()}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("suffix", FORMATS)
def test_only_the_tempo_changes(suffix: str, make_audio: MakeAudio) -> None:
    """Only the tempo is written; `Item.write` would add a dozen other tags (beets #6627)."""
    path = make_audio(f"a.{suffix}", duration=1, title="Ünï", artist="B", comments="mine")
    before = tags(path)
    update_tags(path, {"bpm": 128})
    assert MediaFile(path).bpm == 128
    after = tags(path)
    (new,) = after.keys() - before.keys()
    assert {key: value for key, value in after.items() if key != new} == before
    assert names(path.parent) == [path.name]


def test_id3_stays_in_its_version(make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3", duration=1, title="a", year=1999)
    id3 = mutagen.File(path).tags
    id3.update_to_v23()
    id3.save(path, v2_version=3)
    update_tags(path, {"bpm": 128})
    assert mutagen.File(path).tags.version == (2, 3, 0)
    assert (MediaFile(path).bpm, MediaFile(path).year) == (128, 1999)


def test_beets_preference_for_old_id3_holds_for_new_tags(make_audio: MakeAudio, beet: Beet) -> None:
    beets.config["id3v23"] = True
    path = make_audio("a.mp3", duration=1)
    mutagen.id3.delete(path)
    update_tags(path, {"bpm": 128})
    assert mutagen.File(path).tags.version == (2, 3, 0)


def test_an_old_tag_is_still_seen_beside_a_new_one(make_audio: MakeAudio) -> None:
    """The values of an ID3v1 tag are repeated in a new tag, beside which programs ignore it."""
    path = make_audio("a.mp3", duration=1)
    mutagen.id3.delete(path)
    path.write_bytes(path.read_bytes() + V1)
    update_tags(path, {"bpm": 128})
    tag = mutagen.id3.ID3(path, load_v1=False)
    assert (tag["TIT2"].text, tag["TPE1"].text) == (["Old title"], ["Old artist"])
    assert path.read_bytes().endswith(V1)


def test_a_file_that_says_so_already_is_left_alone(make_audio: MakeAudio) -> None:
    path = make_audio("a.flac", duration=1, bpm=128)
    MediaFile(path).save()
    update_tags(path, {"bpm": 128})

    def state() -> tuple[int, ...]:  # all but the time of access: reading is no change
        stat = path.stat()
        return stat.st_ino, stat.st_size, stat.st_mode, stat.st_mtime_ns, stat.st_ctime_ns

    before = state()
    update_tags(path, {"bpm": 128})
    assert state() == before


def test_permissions_owner_and_attributes_are_kept(make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3", duration=1)
    path.chmod(0o640)
    if os.getuid() == 0:
        os.chown(path, 1234, 2345)
    try:
        os.setxattr(path, "user.mood", b"happy")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    before = path.stat()
    update_tags(path, {"bpm": 128})
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert os.getxattr(path, "user.mood") == b"happy"


def test_a_symbolic_link_stays_one(make_audio: MakeAudio, tmp_path: Path) -> None:
    path = make_audio("files/a.mp3", duration=1)
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "b.mp3"
    link.symlink_to("../files/a.mp3")
    write_fields(Item(path=os.fsencode(link), bpm=128))
    assert link.is_symlink()
    assert MediaFile(path).bpm == 128
    assert names(path.parent) == ["a.mp3"]


def test_a_hard_link_elsewhere_is_not_changed(make_audio: MakeAudio, tmp_path: Path) -> None:
    """Writing to a file does not change the other name of a hard link."""
    path = make_audio("a.mp3", duration=1)
    other = tmp_path / "b.mp3"
    os.link(path, other)
    content = path.read_bytes()
    update_tags(other, {"bpm": 128})
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "name", ["x" * 251 + ".mp3", "ü" * 125 + ".mp3", ".hidden.mp3", "No. " + "x" * 251]
)
def test_any_name_the_file_system_allows(name: str, make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3", duration=1)
    path = path.rename(path.with_name(name))
    update_tags(path, {"bpm": 128})
    assert MediaFile(path).bpm == 128


def test_a_name_that_is_not_unicode(make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3", duration=1)
    raw = os.fsencode(path.parent) + b"/\xff\xfe.mp3"
    os.rename(path, raw)  # noqa: PTH104
    item = Item(path=raw, bpm=128)
    write_fields(item)
    assert MediaFile(syspath(raw)).bpm == 128


def break_off(*_args: object, **_kwargs: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("name", "module", "function"),
    [
        ("a.mp3", writing, "write_spliced"),
        ("a.ogg", writing, "rewrite"),
        ("a.flac", os, "fsync"),
        ("a.m4a", Path, "replace"),
    ],
)
def test_a_full_disk_costs_nothing(
    name: str, module: Any, function: str, make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_audio(name, duration=1)
    content = path.read_bytes()
    item = Item(path=os.fsencode(path), bpm=128)
    with monkeypatch.context() as patch:
        patch.setattr(module, function, break_off)
        with pytest.raises(TagError, match="cannot write the tag: No space left on device"):
            write_fields(item)
    assert path.read_bytes() == content
    assert names(path.parent) == [name]


LIMITED = """
import os, resource, signal, sys
from beets.library import Item
from beetsplug.tempo.writing import try_write

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = os.path.getsize(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))
print(try_write(Item(path=os.fsencode(sys.argv[1]), bpm=128)))
"""


@pytest.mark.parametrize(
    "suffix",
    [
        pytest.param(suffix, marks=[] if suffix in ("mp3", "m4a") else [pytest.mark.slow])
        for suffix in FORMATS
    ],
)
def test_no_room_for_the_copy(suffix: str, make_audio: MakeAudio) -> None:
    """If the disk is full in the middle of a write, the file stays unchanged."""
    path = make_audio(f"a.{suffix}", duration=1)
    content = path.read_bytes()
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, path], capture_output=True, text=True, cwd=ROOT
    )
    assert (run.stdout, run.stderr) == ("cannot write the tag: File too large\n", "")
    assert path.read_bytes() == content
    assert names(path.parent) == [path.name]


UNPRIVILEGED = """
import os, sys
from beets.library import Item
from beetsplug.tempo.writing import try_write
from mediafile import MediaFile

MediaFile(sys.argv[1])  # loads all of mutagen, which may lie where only root can read
if os.getuid() == 0:
    os.setgid(12345)
    os.setuid(12345)
print(try_write(Item(path=os.fsencode(sys.argv[1]), bpm=128)))
"""


@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o444, 0o777), (0o666, 0o555)])
def test_what_is_read_only_stays_as_it_is(
    file_mode: int, folder_mode: int, make_audio: MakeAudio
) -> None:
    with tempfile.TemporaryDirectory() as name:  # its parents are open to anybody
        folder = Path(name)
        path = Path(shutil.copy(make_audio("a.mp3", duration=1), folder))
        content = path.read_bytes()
        path.chmod(file_mode)
        folder.chmod(folder_mode)
        run = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, path],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "HOME": name, "BEETSDIR": name},
        )
        folder.chmod(0o777)
        assert (run.stdout, run.stderr) == ("cannot write the tag: Permission denied\n", "")
        assert path.read_bytes() == content
        assert names(folder) == ["a.mp3"]


@pytest.mark.parametrize(
    ("name", "module", "function"),
    [("a.mp3", writing, "write_spliced"), ("a.ogg", writing, "rewrite"),
     ("a.m4a", writing, "same_packets")],
)  # fmt: skip
def test_an_interrupt_costs_nothing(
    name: str, module: Any, function: str, make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_args: object) -> None:
        raise KeyboardInterrupt

    path = make_audio(name, duration=1)
    content = path.read_bytes()
    monkeypatch.setattr(module, function, interrupt)
    with pytest.raises(KeyboardInterrupt):
        update_tags(path, {"bpm": 128})
    assert path.read_bytes() == content
    assert names(path.parent) == [name]


def test_the_leftover_of_a_killed_run_goes_with_the_next(
    make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_audio("a.mp3", duration=1)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", break_off)
        patch.setattr(Path, "unlink", lambda *args, **kwargs: None)
        with pytest.raises(OSError, match="No space"):
            update_tags(path, {"bpm": 127})
    assert len(names(path.parent)) == 2
    update_tags(path, {"bpm": 128})
    assert names(path.parent) == ["a.mp3"]
    assert MediaFile(path).bpm == 128


def test_two_processes_on_one_song_do_not_mix(
    make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two processes, neither replaces the file by the other's incomplete copy."""
    path = make_audio("a.mp3", duration=1)
    content = path.read_bytes()
    write = writing.write_spliced

    def disturbed(source: BinaryIO, target: BinaryIO, splices: Sequence[Splice]) -> None:
        write(source, target, splices)
        other = Path(target.name).with_suffix(".other")
        shutil.copy(target.name, other)
        other.replace(target.name)

    monkeypatch.setattr(writing, "write_spliced", disturbed)
    with pytest.raises(OSError, match="another process"):
        update_tags(path, {"bpm": 128})
    assert path.read_bytes() == content
    assert "a.mp3" in names(path.parent)


@pytest.mark.parametrize("replaced", [False, True])
def test_what_another_program_writes_meanwhile_is_not_lost(
    replaced: bool, make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_audio("a.mp3", duration=1, title="Old")
    prove = writing.same_packets

    def disturbed(*args: Any) -> bool:
        proven = prove(*args)
        if replaced:
            shutil.copy(path, path.with_suffix(".other"))
            path.with_suffix(".other").replace(path)
        media = MediaFile(path)
        media.title = "New"
        media.save()
        return proven

    monkeypatch.setattr(writing, "same_packets", disturbed)
    with pytest.raises(OSError, match="another process"):
        update_tags(path, {"bpm": 128})
    assert MediaFile(path).title == "New"
    assert names(path.parent) == ["a.mp3"]


def test_a_file_that_is_cut_meanwhile_is_one_message(
    make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_audio("a.mp3", duration=1)
    copied = writing.write_spliced

    def disturbed(*args: Any) -> None:
        os.truncate(path, 5000)
        copied(*args)

    monkeypatch.setattr(writing, "write_spliced", disturbed)
    with pytest.raises(TagError, match="another process"):
        write_fields(Item(path=os.fsencode(path), bpm=128))
    assert path.stat().st_size == 5000
    assert names(path.parent) == ["a.mp3"]


@pytest.mark.parametrize("spoilt", ["packets", "tag", "others", "rest"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_copy_that_does_not_hold_is_not_taken(
    spoilt: str, suffix: str, make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong copy, whatever is wrong in it, is noticed, and the file stays unchanged."""
    path = make_audio(f"a.{suffix}", duration=1, title="Title", artist="Artist")
    content = path.read_bytes()
    prove = writing._prove

    def spoil(path: Path, copy: Path, *args: Any) -> None:
        data = bytearray(copy.read_bytes())
        if spoilt == "packets":
            at = len(data) // 2
            data[at : at + 400] = bytes(400)
        elif spoilt == "rest":
            del data[-700:]
        else:
            written = {"tag": (b"128", b"\0\x80"), "others": (b"Title",)}[spoilt]
            written = *written, *(text.decode().encode("utf-16-le") for text in written[:1])
            for text in written:
                data = data.replace(text, bytes(b ^ 1 for b in text))
        copy.write_bytes(data)
        prove(path, copy, *args)

    monkeypatch.setattr(writing, "_prove", spoil)
    with pytest.raises(TagError, match="cannot write the tag"):
        write_fields(Item(path=os.fsencode(path), bpm=128))
    assert path.read_bytes() == content
    assert names(path.parent) == [path.name]


@pytest.fixture
def marker() -> Iterator[str]:
    """Register a text field, as a plugin does."""
    name = "tempo_test_marker"
    field = MediaField(
        MP3DescStorageStyle("TEMPO_TEST"),
        MP4StorageStyle("----:com.apple.iTunes:TEMPO_TEST"),
        StorageStyle("TEMPO_TEST"),
        ASFStorageStyle("TEMPO_TEST"),
    )
    MediaFile.add_field(name, field)
    yield name
    delattr(MediaFile, name)


# Tags in wav, aiff and dsf are those in mp3; what is around them does not matter here.
TAGGABLE = [
    case
    for case in cases()
    if case.written and (" " not in case.name or not case.name.startswith(("wav", "aiff", "dsf")))
]


@pytest.mark.parametrize(
    "case",
    [
        # One of eight by default: what is around a tag is tried with `bpm` in each.
        pytest.param(case, id=case.name, marks=[pytest.mark.slow] if k % 8 else [])
        for k, case in enumerate(TAGGABLE)
    ],
)
def test_a_text_field_of_a_plugin(case: Case, marker: str, tmp_path: Path) -> None:
    path = case.write(tmp_path)
    text = "model:x@1 127.98" if len(case.name) % 2 else "Ünï \u4e2d"
    sound, before = heard(path), shown(path)
    update_tags(path, {"bpm": 128, "initial_key": "F#m", marker: text})
    media = MediaFile(path)
    assert (media.bpm, media.initial_key, getattr(media, marker)) == (128, "F#m", text)
    update_tags(path, {marker: "other"})
    update_tags(path, {marker: None})
    media = MediaFile(path)
    assert (media.bpm, media.initial_key, getattr(media, marker)) == (128, "F#m", None)
    assert heard(path) == sound
    after = shown(path)
    assert {key: after.get(key) for key in before} == before


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_text("no music"), "MPEG"),
        (lambda path: path.mkdir(), "[Dd]irectory"),
        (lambda path: path.symlink_to("nowhere"), "No such file"),
        (lambda path: path.symlink_to("a.mp3"), "Too many levels"),
        (lambda path: None, "No such file"),
    ],
)
def test_what_cannot_be_tagged_says_why(make: Any, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    make(path)
    with pytest.raises(TagError, match=reason) as raised:
        write_fields(Item(path=os.fsencode(path), bpm=128))
    assert str(path) not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_beets_remembers_the_new_time(make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3", duration=1)
    os.utime(path, (1e9, 1e9))
    item = Item(path=os.fsencode(path), bpm=128)
    write_fields(item)
    assert item.mtime == item.current_mtime() > 1e9


def test_other_plugins_hear_of_it(make_audio: MakeAudio, beet: Beet) -> None:
    heard: list[Any] = []
    beet.load()
    plugin = beets.plugins.BeetsPlugin("other")
    plugin.register_listener("write", lambda item, path, tags: heard.append(dict(tags)))
    plugin.register_listener("after_write", lambda item, path: heard.append(item.mtime))
    item = Item(path=os.fsencode(make_audio("a.mp3", duration=1)), bpm=128)
    write_fields(item)
    assert heard == [{"bpm": 128}, item.mtime]


def test_zero_has_its_way(make_audio: MakeAudio, beet: Beet) -> None:
    """The plugin `zero` clears its tags also when the plugin writes only the tempo."""
    beet.configure(plugins=["tempo", "zero"], zero={"fields": ["comments"]})
    beet.load()
    path = make_audio("a.mp3", duration=1, title="a", comments="encoded by me")
    write_fields(Item(path=os.fsencode(path), bpm=128))
    media = MediaFile(path)
    assert (media.bpm, media.title, media.comments) == (128, "a", None)


WRITING = """
import sys
from pathlib import Path
from beetsplug.tempo.writing import update_tags

print("ready", flush=True)
bpm = 60
while True:
    for path in map(Path, sys.argv[1:]):
        update_tags(path, {"bpm": bpm})
    bpm = 60 + (bpm - 59) % 200
"""


@pytest.mark.slow
def test_kill_9_at_any_moment(make_audio: MakeAudio, rng: np.random.Generator) -> None:
    """After kill -9 at any moment, each file is the old one or the new one."""
    paths = [make_audio(f"a.{suffix}", duration=2, title="T") for suffix in FORMATS]
    sounds = [heard(path) for path in paths]
    for _ in range(30):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITING, *paths], stdout=subprocess.PIPE, cwd=ROOT
        )
        assert process.stdout
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.5))
        process.kill()
        process.communicate()
        for path, sound in zip(paths, sounds, strict=True):
            assert heard(path) == sound
            media = MediaFile(path)
            assert media.title == "T"
            assert media.bpm is None or 60 <= media.bpm < 260
    for path in paths:
        update_tags(path, {"bpm": 300})
    assert names(paths[0].parent) == sorted(path.name for path in paths)
