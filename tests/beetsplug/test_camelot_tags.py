"""Tests of Camelot codes in comments and groupings: nothing is lost, nothing churns."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
from mediafile import MediaFile
from mutagen.id3 import COMM, ID3

from beetsplug.tempo import keeping
from beetsplug.tempo.camelot_tags import CODE_MARKER, with_code
from beetsplug.tempo.tempo_tags import precise_bpm
from beetsplug.tempo.writing import update_tags
from tests.rows import mostly_slow

from ..conftest import MakeAudio
from ..containers import Case, cases
from ..formats import EACH_FORMAT
from ..tagging import heard, shown
from .conftest import Beet

MARKER = "8A in comments"


@pytest.mark.parametrize(
    ("text", "code", "own", "told"),
    [
        ("", "8A", None, "8A"),
        ("mine", "8A", None, "8A - mine"),
        ("8A - mine", "9A", "8A", "9A - mine"),
        ("8A", "9A", "8A", "9A"),
        ("8A - mine", None, "8A", "mine"),
        ("8A", None, "8A", ""),
        ("8A - mine", "8A", "8A", "8A - mine"),
        # Of another program: the same is enough, another one stays.
        ("8A - Energy 7", "8A", None, "8A - Energy 7"),
        ("08A/9A", "8A", None, "08A/9A"),
        ("9A - Energy 7", "8A", None, "8A - 9A - Energy 7"),
        ("8A - 9A - Energy 7", "9A", "8A", "9A - Energy 7"),
        ("8A - Energy 7", None, None, "8A - Energy 7"),
        ("8Amen", "8A", None, "8A - 8Amen"),
        ("8Amen", None, "8A", "8Amen"),
        ("18A - x", "8A", None, "8A - 18A - x"),
        ("my own\nsecond line", "12B", None, "12B - my own\nsecond line"),
    ],
)
def test_the_code_goes_in_front(text: str, code: str | None, own: str | None, told: str) -> None:
    assert with_code(text, code, own) == told


@pytest.fixture
def coded(beet: Beet) -> Beet:
    beet.configure(tempo={"camelot_in": "comment", "tasks": ["tempo", "pace"]})
    beet.load()
    return beet


def check_still(beet: Beet, path: Path) -> None:
    content, before = path.read_bytes(), dict(beet.item())
    os.utime(path, (2e9, 2e9))
    assert beet("update").out == ""
    assert beet("write").out == ""
    assert {**dict(beet.item()), "mtime": 0} == {**before, "mtime": 0}
    assert path.read_bytes() == content


def run(beet: Beet, *args: str) -> str:
    """Run `beet tempo` on a library whose tracks need no analysis."""
    done = beet("tempo", *args)
    assert (done.code, done.err) == (0, "")
    return done.out


@pytest.fixture
def put(beet: Beet, make_audio: MakeAudio) -> Any:
    """Function that puts a file with a tempo and a key of its own into the library, as analysed."""

    def add(name: str, key: str = "Am", **tags: Any) -> Path:
        path = make_audio(name, duration=1, artist="B", albumartist="B", title="Ünï", **tags)
        update_tags(path, {"bpm": 126, "initial_key": key})
        beet.add(path, tempo_bpm=126.0, tempo_source="tag", tempo_verdict="kept")
        return path

    return add


@mostly_slow("place", ["comments", "grouping"], quick=1)
@pytest.mark.parametrize("suffix", EACH_FORMAT)
def test_a_code_in_every_format(suffix: str, place: str, coded: Beet, put: Any) -> None:
    beet = coded
    beet.configure(tempo={"camelot_in": "comment" if place == "comments" else place})
    path = put(f"a.{suffix}", **{place: "mine ü"})
    sound, before = heard(path), path.read_bytes()
    tags = {k: v for k, v in shown(path).items() if "mine" not in v}
    assert "would have" in run(beet, "-p")
    assert path.read_bytes() == before
    assert "1 Camelot code brought up to date" in run(beet)
    item, media = beet.item(), MediaFile(path)
    assert item[place] == getattr(media, place) == "8A - mine ü"
    assert getattr(media, CODE_MARKER) == item[CODE_MARKER] == f"8A in {place}"
    assert heard(path) == sound
    assert {k: v for k, v in shown(path).items() if k in tags} == tags
    check_still(beet, path)
    content = path.read_bytes()
    assert "Camelot" not in run(beet)
    assert path.read_bytes() == content
    # The key changes, and goes.
    beet("modify", "-y", "initial_key=F#m")
    run(beet)
    assert getattr(MediaFile(path), place) == "11A - mine ü"
    check_still(beet, path)
    beet("modify", "-y", "initial_key!")
    run(beet)
    assert beet.item()[place] == getattr(MediaFile(path), place) == "mine ü"
    assert getattr(MediaFile(path), CODE_MARKER) is None
    check_still(beet, path)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=[] if case.name.startswith(("wv", "mp3 2.3"))
                     else [pytest.mark.slow])
        for case in cases() if case.written
    ],
)  # fmt: skip
def test_a_code_costs_nothing_else(case: Case, coded: Beet, tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    path = case.write(tmp_path / "file")
    sound, tags, before = heard(path), shown(path), MediaFile(path).comments or ""
    text = with_code(before, "8A")
    update_tags(path, {"comments": text, CODE_MARKER: MARKER})
    media = MediaFile(path)
    assert (media.comments, getattr(media, CODE_MARKER)) == (text, MARKER)
    assert heard(path) == sound
    kept = {k: v.removeprefix("8A - ") for k, v in shown(path).items() if k in tags}
    assert kept == tags
    update_tags(path, {"comments": before or None, CODE_MARKER: None})
    assert (MediaFile(path).comments or "") == before
    assert shown(path) == tags


def test_every_comment_stays(coded: Beet, put: Any) -> None:
    """mediafile would write the comment that it reads over those in other languages."""
    path = put("a.mp3", key="Am")
    id3 = ID3(path)
    id3.add(COMM(encoding=3, lang="eng", desc="", text=["hello"]))
    id3.add(COMM(encoding=3, lang="deu", desc="", text=["hallo", "nochmal"]))
    id3.add(COMM(encoding=3, lang="eng", desc="note", text=["000"]))
    id3.save(path)
    os.utime(path, (1.9e9, 1.9e9))  # `beet update` was not run since
    run(coded)
    found = {key: frame.text for key, frame in ID3(path).items() if key.startswith("COMM")}
    assert found == {
        "COMM::eng": ["8A - hello"],
        "COMM::deu": ["8A - hallo", "nochmal"],
        "COMM:note:eng": ["000"],
    }
    check_still(coded, path)
    coded.configure(tempo={"camelot_in": False})  # `off` in YAML
    run(coded)
    found = {key: frame.text for key, frame in ID3(path).items() if key.startswith("COMM")}
    assert found == {
        "COMM::eng": ["hello"], "COMM::deu": ["hallo", "nochmal"], "COMM:note:eng": ["000"]
    }  # fmt: skip


def test_every_comment_of_a_flac_stays(coded: Beet, put: Any) -> None:
    path = put("a.flac")
    file = mutagen.File(path)
    file["DESCRIPTION"], file["COMMENT"] = ["described"], ["one", "two"]
    file.save()
    os.utime(path, (1.9e9, 1.9e9))
    run(coded)
    file = mutagen.File(path)
    assert file["DESCRIPTION"] == ["8A - described"]
    assert file["COMMENT"] == ["8A - one", "two"]
    check_still(coded, path)


def test_a_comment_that_beets_overlooked_stays(coded: Beet, put: Any) -> None:
    """Another program wrote a comment and gave the file its old time back."""
    path = put("a.ogg", comments="mine")
    times = path.stat().st_atime, path.stat().st_mtime
    file = mutagen.File(path)
    file["DESCRIPTION"] = file["COMMENT"] = ["theirs"]
    file.save()
    os.utime(path, times)
    run(coded)
    assert MediaFile(path).comments == "8A - theirs"
    assert coded.item().comments == "8A - mine"


def test_zero_has_its_way(coded: Beet, put: Any) -> None:
    coded.configure(plugins=["tempo", "zero"], zero={"fields": ["comments"]})
    path = put("a.mp3", comments="mine")
    run(coded)
    assert MediaFile(path).comments is None


def test_a_code_of_another_program_is_left_alone(coded: Beet, put: Any) -> None:
    path = put("a.mp3", comments="8A - Energy 7")
    content = path.read_bytes()
    assert "Camelot" not in run(coded)
    assert path.read_bytes() == content
    coded("modify", "-y", "initial_key=Em")
    run(coded)
    assert MediaFile(path).comments == "9A - 8A - Energy 7"
    coded.configure(tempo={"camelot_in": "off"})
    run(coded)
    assert MediaFile(path).comments == "8A - Energy 7"


def test_a_code_moves_with_the_setting(coded: Beet, put: Any) -> None:
    path = put("a.m4a", comments="mine", grouping="Set 1")
    run(coded)
    coded.configure(tempo={"camelot_in": "grouping"})
    run(coded)
    media = MediaFile(path)
    assert (media.comments, media.grouping) == ("mine", "8A - Set 1")
    check_still(coded, path)
    coded.configure(tempo={"camelot_in": None})  # changes nothing
    assert "Camelot" not in run(coded)
    assert MediaFile(path).grouping == "8A - Set 1"
    coded.configure(tempo={"camelot_in": False})
    run(coded)
    media = MediaFile(path)
    assert (media.comments, media.grouping, getattr(media, CODE_MARKER)) == ("mine", "Set 1", None)
    assert "Camelot" not in run(coded)
    check_still(coded, path)


def test_a_comment_that_was_not_there(coded: Beet, put: Any) -> None:
    path = put("a.mp3")
    update_tags(path, {"comments": None})
    before = shown(path)
    run(coded)
    assert MediaFile(path).comments == "8A"
    check_still(coded, path)
    coded.configure(tempo={"camelot_in": "off"})
    run(coded)
    assert MediaFile(path).comments is None
    assert shown(path) == before


def test_a_person_edits_the_comment(coded: Beet, put: Any) -> None:
    path = put("a.mp3", comments="mine")
    run(coded)
    media = MediaFile(path)
    media.comments = "8A - new words"
    media.save()
    os.utime(path, (2e9, 2e9))
    coded("update")
    assert coded.item().comments == "8A - new words"
    assert "Camelot" not in run(coded)
    coded("modify", "-y", "comments=all new")
    run(coded)
    assert MediaFile(path).comments == coded.item().comments == "8A - all new"
    # Another library knows the code as the plugin's.
    coded("modify", "-y", "initial_key=Em")
    coded("remove", "-f")
    coded.configure(tempo={"auto": True})
    coded("import", "-AC", path.parent)
    assert MediaFile(path).comments == coded.item().comments == "9A - all new"


def test_nowrite_changes_the_library_only(coded: Beet, put: Any) -> None:
    path = put("a.mp3", comments="mine")
    content = path.read_bytes()
    run(coded, "-W")
    assert coded.item().comments == "8A - mine"
    assert path.read_bytes() == content
    assert coded("update").out == ""
    assert coded("write", "-p").out.count("->") >= 1
    coded("write")
    assert MediaFile(path).comments == "8A - mine"


@mostly_slow("suffix", ["mp3", "flac"], quick=1)
def test_an_analysis_codes_the_key_it_finds(
    suffix: str, coded: Beet, in_a: Path, make_audio: MakeAudio
) -> None:
    """The key, its code and the tempo are written in one step."""
    path = in_a
    if suffix == "mp3":
        from tests.audio import chord_song, write_audio

        path = write_audio(in_a.parent / "b.mp3", chord_song(9, False, 16, 22050), 22050)
        in_a.unlink()
    coded.configure(tempo={"tasks": ["tempo", "pace", "key"]})
    coded.add(path)
    assert "1 Camelot code brought up to date" in run(coded)
    assert coded.item().initial_key == "A"
    assert MediaFile(path).comments == coded.item().comments == "11B"
    check_still(coded, path)


@pytest.mark.parametrize("write", [True, False])
def test_imports(write: bool, coded: Beet, make_audio: MakeAudio) -> None:
    """As is, the original stays as it is; the copy gets the code unless tags are not written."""
    path = make_audio("new/a.flac", duration=8, title="A", artist="B", album="L", comments="mine")
    update_tags(path, {"bpm": 126, "initial_key": "Em"})
    content = path.read_bytes()
    coded.configure(**{"import": {"write": write}})
    assert coded("import", "-A", path.parent).code == 0
    item = coded.item()
    assert path.read_bytes() == content
    assert item.comments == "9A - mine"
    assert "tempo_pending" not in item
    assert MediaFile(item.filepath).comments == ("9A - mine" if write else "mine")
    assert coded("update").out == ""
    assert coded.item().comments == "9A - mine"


def test_a_run_killed_between_library_and_file(
    coded: Beet, put: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put("a.mp3", comments="mine")

    def killed(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(keeping, "finish", killed)
        coded("tempo")
    assert (MediaFile(path).comments, coded.item().comments) == ("mine", "8A - mine")
    assert coded.item().tempo_pending == f"comments {CODE_MARKER}"
    run(coded)
    assert MediaFile(path).comments == "8A - mine"
    assert "tempo_pending" not in coded.item()
    check_still(coded, path)


def test_a_file_that_cannot_be_written_is_one_line(coded: Beet, put: Any) -> None:
    good, bad = put("a.mp3", comments="mine"), None
    bad = put("b.mp3", comments="mine")
    bad.unlink()
    done = coded("tempo")
    assert done.code == 1
    assert "b.mp3: cannot write the tag: No such file" in done.err
    assert "1 failed" in done.err
    assert MediaFile(good).comments == "8A - mine"


@pytest.mark.parametrize("value", ["comments", 5, ["comment"], True])
def test_a_bad_setting_is_one_line(value: Any, coded: Beet) -> None:
    coded.configure(tempo={"camelot_in": value})
    done = coded("tempo")
    told = "tempo.camelot_in: must be comment, grouping or off, or be left empty"
    assert (done.code, done.err) == (1, f"configuration error: {told}\n")


@pytest.mark.slow
def test_kill_9_at_any_moment(coded: Beet, make_audio: MakeAudio, rng: np.random.Generator) -> None:
    """After kill -9 the next run brings library and files together; nothing else is lost."""
    coded.configure(tempo={"decimals": True, "tasks": ["tempo", "pace", "key"]})
    paths = [
        make_audio(f"{k}.{suffix}", duration=8, bpm=118.37 + k, title=f"T{k}", comments="mine")
        for k, suffix in enumerate(("mp3", "flac", "m4a", "ogg", "wma", "aiff"))
    ]
    coded.add(*paths)
    for _ in range(12):
        process = coded.start("tempo", "-f")
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 1.5))
        process.kill()
        process.communicate()
        for path in paths:
            media = MediaFile(path)
            code = getattr(media, CODE_MARKER)
            assert media.comments == (f"{code.split()[0]} - mine" if code else "mine")
            assert (media.bpm is None) == (media.tempo_marker is None)
    assert coded("tempo").code == 0
    for item in coded.items():
        media = MediaFile(item.filepath)
        assert (media.bpm, media.comments) == (item.bpm, item.comments)
        assert precise_bpm(media) == item.tempo_bpm
        assert media.comments.endswith(" - mine")
        assert "tempo_pending" not in item
    assert coded("update").out == ""
    assert sorted(paths[0].parent.glob("*.*")) == sorted(paths)
