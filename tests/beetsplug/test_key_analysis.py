"""`beet tempo` and the key: which tracks are asked, what is set, and what uses it."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
from mediafile import MediaFile

from tempo_core import Estimate, Estimator
from tests.audio import Audio, chord_song, click_track, write_audio
from tests.rows import mostly_slow

from .conftest import ROOT, Beet

SR = 22050
MakeSong = Callable[..., Path]


@cache
def chords_with_a_beat(pitch_class: int, minor: bool, seconds: float) -> Audio:
    """Chords in a key with a beat, (n_samples,), at `SR`."""
    chords = chord_song(pitch_class, minor, seconds, SR)
    return (0.8 * chords + 0.2 * click_track(120, seconds, SR)[: len(chords)]).astype(np.float32)


@pytest.fixture
def song(tmp_path: Path) -> MakeSong:
    """Function that writes chords in a key (pitch class, minor) with a beat."""

    def make(name: str, pitch_class: int, *, minor: bool = False, seconds: float = 14) -> Path:
        path = tmp_path / "songs" / name
        path.parent.mkdir(exist_ok=True)
        return write_audio(path, chords_with_a_beat(pitch_class, minor, seconds), SR)

    return make


@pytest.fixture
def noise(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Noise, which has no key."""
    return write_audio(tmp_path / "n.flac", 0.1 * rng.standard_normal(10 * SR).astype("f4"), SR)


def of_the_tempo(item: Any) -> dict[str, Any]:
    """The fields of an item that an analysis of the key alone must leave as they are."""
    return {
        name: item[name]
        for name in item.keys(with_album=False)
        if name == "bpm" or (name.startswith("tempo_") and "key" not in name)
    }


# By default.


def test_an_empty_key_is_filled_and_written(beet: Beet, in_a: Path) -> None:
    beet.add(in_a)
    run = beet("tempo")
    assert run.code == 0, run.err
    assert ", A (confidence " in run.out
    assert run.out.endswith("; keys: 1 set\n")
    item = beet.item()
    assert item.initial_key == "A"
    assert item.tempo_key_source == Estimator(tasks=("key",)).sources["key"]
    assert item.tempo_key_confidence > 0.3
    assert MediaFile(in_a).initial_key == "A"
    assert beet("update").out == ""  # nothing that the file does not say
    assert (
        "0 tracks analysed: 0 set, 0 kept, 0 failed; 1 had a tempo already\n" in beet("tempo").out
    )


def test_an_import_fills_it(beet: Beet, in_a: Path) -> None:
    assert beet("import", "-A", "-q", in_a.parent).code == 0
    item = beet.item()
    media = MediaFile(item.path)
    assert (media.initial_key, media.tempo_key_marker) == ("A", item.tempo_key_marker)
    assert item.initial_key == "A"
    assert MediaFile(in_a).initial_key is None  # the original
    assert beet("update").out == ""


@mostly_slow("suffix", [".flac", ".m4a"], quick=1)
def test_an_import_keeps_what_stands_under_another_name(
    suffix: str, beet: Beet, song: MakeSong
) -> None:
    """Tags that beets does not read, and other programs write."""
    path = song(f"s{suffix}", 9)
    names = ["----:com.apple.iTunes:KEY"] if suffix == ".m4a" else ["key", "tempo"]
    file = mutagen.File(path)
    for name, text in zip(names, ["Es-Dur", "121"], strict=False):
        file[name] = text.encode() if suffix == ".m4a" else text
    file.save()
    assert beet("import", "-A", "-q", path.parent).code == 0
    item = beet.item()
    assert (item.initial_key, item.tempo_key, item.tempo_key_source) == ("D#", "A", "tag")
    assert MediaFile(item.path).initial_key is None
    if suffix == ".flac":
        assert (item.bpm, item.tempo_source) == (121, "tag")
        assert MediaFile(item.path).bpm is None
    assert beet("update").out == ""
    assert beet.item().initial_key == "D#"


@mostly_slow("text", [" ", "-", "?"], quick=1)
def test_a_key_that_says_nothing_is_filled(text: str, beet: Beet, in_a: Path) -> None:
    file = mutagen.File(in_a)
    file["initialkey"] = text
    file.save()
    beet.add(in_a)
    assert beet("tempo", "--tasks", "key").code == 0
    assert beet.item().initial_key == "A"
    assert MediaFile(in_a).initial_key == "A"


def test_an_import_without_tags(beet: Beet, in_a: Path) -> None:
    assert beet("import", "-A", "-q", "-W", in_a.parent).code == 0
    assert beet.item().initial_key == "A"
    assert MediaFile(beet.item().path).initial_key is None
    assert beet("update").out == ""
    assert beet.item().initial_key == "A"


def test_somebodys_key_stays_without_force(beet: Beet, in_a: Path) -> None:
    beet.add(in_a, initial_key="F#m")
    run = beet("tempo")
    assert "kept F#m, analysed as A" in run.out
    assert run.out.endswith("; keys: 0 set, 1 kept\n")
    item = beet.item()
    assert (item.initial_key, item.tempo_key, item.tempo_key_source) == ("F#m", "A", "tag")
    beet("tempo", "-f")
    item = beet.item()
    assert (item.initial_key, item.tempo_key, MediaFile(in_a).initial_key) == ("A", "A", "A")
    assert item.tempo_key_source.startswith("model:")


def test_without_the_key_among_the_tasks(beet: Beet, in_a: Path) -> None:
    beet.configure(tempo={"tasks": ["tempo", "pace"]})
    beet.add(in_a)
    assert "keys" not in beet("tempo").out
    item = beet.item()
    assert not item.initial_key
    assert "tempo_key_source" not in item
    assert MediaFile(in_a).initial_key is None


# What is lacking.


@pytest.mark.slow
def test_a_library_analysed_before_there_were_keys(
    beet: Beet, song: MakeSong, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tracks that lack only the key get just that; their tempo is not decided anew."""
    beet.add(song("a.flac", 9), title="old")
    beet.add(song("b.flac", 2), title="corrected")
    beet.add(song("c.flac", 4), title="tagged", initial_key="Gm")
    assert beet("tempo", "--tasks", "tempo,pace").code == 0
    beet("modify", "-y", "title:corrected", "bpm=61", "tempo_paces_manual=61 122")
    beet("tempo", "--tasks", "tempo,pace")  # which settles what was corrected
    beet.add(song("d.flac", 7), title="new")
    before = {item.title: of_the_tempo(item) for item in beet.items()}
    asked: list[Any] = []
    estimate = Estimator.as_estimate

    def noted(self: Estimator, results: Any) -> Estimate:
        asked.append(results)
        return estimate(self, results)

    monkeypatch.setattr(Estimator, "as_estimate", noted)
    run = beet("tempo", "--tasks", "tempo,pace,key")
    assert run.code == 0, run.err
    assert run.out.splitlines()[-1] == (
        "tempo: 3 tracks analysed: 1 set, 0 kept, 0 failed; 1 had a tempo already; keys: 3 set"
    )
    assert len(asked) == 1
    keys = {item.title: item.initial_key for item in beet.items()}
    assert keys == {"old": "A", "corrected": "D", "tagged": "Gm", "new": "G"}
    for item in beet.items("^title:new"):
        assert of_the_tempo(item) == before[item.title]
    assert "0 tracks analysed" in beet("tempo", "--tasks", "tempo,pace,key").out


def test_the_key_alone_and_the_tempo_later(beet: Beet, in_a: Path) -> None:
    beet.add(in_a)
    run = beet("tempo", "--tasks", "key")
    assert run.out == (
        f"a.flac: A (confidence {beet.item().tempo_key_confidence:.2f})\n"
        "tempo: 1 track analysed: 1 set, 0 failed; 0 had a key already\n"
    )
    item = beet.item()
    assert (item.initial_key, MediaFile(in_a).initial_key) == ("A", "A")
    assert of_the_tempo(item) == {"bpm": 0}
    assert MediaFile(in_a).bpm is None
    key_before = {name: item[name] for name in item if "key" in name and "file" not in name}
    again = beet("tempo", "--tasks", "key")
    assert again.out == "tempo: 0 tracks analysed: 0 set, 0 failed; 1 had a key already\n"
    assert beet("tempo").out.endswith("1 set, 0 kept, 0 failed; 0 had a tempo already\n")
    item = beet.item()
    assert item.bpm
    assert {name: item[name] for name in key_before} == key_before


@pytest.mark.slow
def test_the_same_key_whichever_way(beet: Beet, song: MakeSong) -> None:
    beet.add(song("a.flac", 3, seconds=100))
    found = []
    for tasks in ("key", "tempo,pace,key"):
        assert beet("tempo", "-f", "--tasks", tasks).code == 0
        found.append((beet.item().initial_key, beet.item().tempo_key_confidence))
    assert found[0] == found[1]
    assert found[0][0] == "D#"


def test_an_unsure_key_is_not_asked_for_again(beet: Beet, noise: Path) -> None:
    beet.add(noise, title="N", artist="B")
    run = beet("tempo", "--tasks", "key")
    assert run.code == 0
    item = beet.item()
    assert run.out == (
        f"B - N: no key is likely (confidence {item.tempo_key_confidence:.2f})\n"
        "tempo: 1 track analysed: 0 set, 1 without a likely key, 0 failed; 0 had a key already\n"
    )
    assert not item.initial_key
    assert "tempo_key" not in item
    assert MediaFile(noise).initial_key is None
    assert "0 tracks analysed" in beet("tempo", "--tasks", "key").out
    assert beet("tempo").out.count("confidence") == 1  # its tempo
    assert "0 tracks analysed" in beet("tempo").out
    assert "1 track analysed" in beet("tempo", "-f", "--tasks", "key").out


def test_a_key_that_was_cleared_is_asked_for_again(beet: Beet, in_a: Path) -> None:
    beet.add(in_a)
    beet("tempo")
    beet("modify", "-y", "initial_key!")
    assert MediaFile(in_a).initial_key is None
    before = of_the_tempo(beet.item())
    assert beet("tempo").out.endswith("; keys: 1 set\n")
    assert (beet.item().initial_key, MediaFile(in_a).initial_key) == ("A", "A")
    assert of_the_tempo(beet.item()) == before


def test_force_overwrites_the_key_and_nothing_else(beet: Beet, in_a: Path) -> None:
    beet.add(in_a, bpm=61, initial_key="F#m")
    beet("tempo")
    before = of_the_tempo(beet.item())
    assert "0 tracks analysed" in beet("tempo", "--tasks", "key").out
    assert beet.item().initial_key == "F#m"
    assert beet("tempo", "-f", "--tasks", "key").code == 0
    assert beet.item().initial_key == MediaFile(in_a).initial_key == "A"
    assert of_the_tempo(beet.item()) == before


def test_the_query_and_albums(beet: Beet, song: MakeSong) -> None:
    beet.add(song("a.flac", 9), title="A", album="one")
    beet.add(song("b.flac", 2), title="D", album="two")
    assert "1 track analysed" in beet("tempo", "--tasks", "key", "title:D").out
    assert {item.title: item.initial_key or "" for item in beet.items()} == {"A": "", "D": "D"}


@mostly_slow("args", [["-p"], ["-p", "-f"]], quick=1)
def test_pretending_writes_nothing(args: list[str], beet: Beet, in_a: Path) -> None:
    beet.add(in_a)
    before, content = dict(beet.item()), in_a.read_bytes()
    run = beet("tempo", "--tasks", "key", *args)
    assert run.out.splitlines()[-1].startswith("tempo: would have: 1 track analysed: 1 set")
    assert dict(beet.item()) == before
    assert in_a.read_bytes() == content


def test_without_tags_first_and_with_them_later(beet: Beet, in_a: Path) -> None:
    beet.add(in_a)
    content = in_a.read_bytes()
    assert beet("tempo", "--tasks", "key", "-W").code == 0
    assert (beet.item().initial_key, in_a.read_bytes()) == ("A", content)
    assert beet("update").out == ""
    assert beet("tempo", "--tasks", "key", "-f", "-w").code == 0
    assert MediaFile(in_a).initial_key == "A"


def test_failures_are_one_line_and_the_work_goes_on(beet: Beet, song: MakeSong) -> None:
    paths = [song("a.flac", 9), song("b.flac", 2)]
    beet.add(*paths)
    paths[0].write_bytes(b"no audio")
    run = beet("tempo", "--tasks", "key")
    assert run.code == 1
    assert len(run.err.splitlines()) == 2
    assert run.err.splitlines()[1] == (
        "error: 2 tracks analysed: 1 set, 1 failed; 0 had a key already"
    )
    again = beet("tempo", "--tasks", "key")
    assert (again.code, again.err) == (0, "")
    assert "1 skipped that failed before and is unchanged" in again.out
    assert beet("tempo", "--tasks", "key", "--retry").code == 1


@pytest.mark.parametrize(
    "tasks", ["", "weather", "pace", "pace,key", "tempo,weather", "tempo,,key"]
)
def test_tasks_that_make_no_sense(tasks: str, beet: Beet) -> None:
    run = beet("tempo", "--tasks", tasks)
    assert run.code == 1
    said = "must be some of tempo, pace, key, beats, tags, tempo among them, or key alone"
    assert run.err == f"error: --tasks {said}\n"
    beet.configure(tempo={"tasks": tasks.split(",")})
    assert said in beet("tempo").err


def test_tasks_do_nothing_with_a_cadence(beet: Beet) -> None:
    run = beet("tempo", "--cadence", "170..180", "--tasks", "key")
    assert run.err == "error: --tasks does nothing with --cadence, which only lists what is known\n"


KILLED = """
import os, signal, sys
import beets.ui
from beetsplug.tempo import keeping
owner, calls = {where}, 0
function = getattr(owner, {name!r})
def fatal(*args, **kwargs):
    global calls
    calls += 1
    if calls < 2:
        return function(*args, **kwargs)
    os.kill(os.getpid(), signal.{how})
    return function(*args, **kwargs)
setattr(owner, {name!r}, fatal)
beets.ui.main(["tempo", "--tasks", "key", "-t", "1"])
"""


@pytest.mark.parametrize(
    ("where", "name"), [("keeping", "write_tags"), ("__import__('pathlib').Path", "replace")]
)
@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
@pytest.mark.slow
def test_interrupted_and_continued(
    where: str, name: str, how: str, beet: Beet, song: MakeSong
) -> None:
    """What was stored is written by the next run, without another analysis."""
    paths = [song(f"{n}.flac", n, seconds=6) for n in range(4)]
    beet.add(*paths)
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(where=where, name=name, how=how)],
        capture_output=True, text=True, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert done.returncode == (-signal.SIGKILL if how == "SIGKILL" else 1), done.stderr
    with sqlite3.connect(beet.database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    beet.load()
    n_known = 0
    for item in beet.items():
        media = MediaFile(item.path)
        if item.initial_key:
            n_known += 1
            in_file = media.initial_key == item.initial_key
            assert in_file or item.tempo_pending == "initial_key tempo_key_marker"
        else:
            assert media.initial_key is media.tempo_key_marker is None
    assert 0 < n_known < 4
    run = beet("tempo", "--tasks", "key")
    assert run.code == 0
    assert f"{4 - n_known} track" in run.out.splitlines()[-1]
    assert f"{n_known} had a key already" in run.out
    for item in beet.items():
        media = MediaFile(item.path)
        said = (media.initial_key, media.tempo_key_marker)
        assert said == (item.initial_key, item.tempo_key_marker)
        assert "tempo_pending" not in item
    assert beet("update").out == ""
    assert sorted(paths[0].parent.iterdir()) == sorted(paths)


# What uses it.


def test_queries_and_notations(beet: Beet, song: MakeSong, noise: Path) -> None:
    beet.add(song("a.flac", 9), title="in A")
    beet.add(song("f.flac", 6, minor=True), title="in F#m")
    beet.add(noise, title="noise")
    beet.library.add(type(beet.items()[0])(title="unknown", path=b"/unknown.mp3"))
    beet("tempo", "^title:unknown")

    def titles(*query: str) -> set[str]:
        return set(beet("ls", "-f", "$title", *query).out.splitlines())

    assert titles("initial_key:=A") == {"in A"}
    assert titles("initial_key:=F#m") == {"in F#m"}
    assert titles("initial_key:A..G") == set()
    assert titles("tempo_key_confidence:..0.3") == {"noise"}
    assert titles("tempo_key_confidence:0.3..") == {"in A", "in F#m"}
    assert titles("camelot:11B") == {"in A"}
    shown = beet("ls", "-f", "$title $initial_key $camelot $openkey", "title:in").out
    assert set(shown.splitlines()) == {"in A A 11B 4d", "in F#m F#m 11A 4m"}
    assert beet("ls", "-f", "<$camelot>", "title:noise").out == "<>\n"


@pytest.mark.slow
def test_what_mixes_goes_by_estimated_keys(beet: Beet, song: MakeSong, noise: Path) -> None:
    for title, pitch_class, minor in (
        ("chosen", 9, False), ("alike", 9, False), ("fifth", 4, False), ("relative", 6, True),
        ("clash", 3, False),
    ):  # fmt: skip
        beet.add(song(f"{title}.flac", pitch_class, minor=minor, seconds=16), title=title)
    beet.add(song("said.flac", 9, seconds=16), title="said", initial_key="D#")  # by a person
    beet("tempo")
    keys = {item.title: item.initial_key for item in beet.items()}
    assert keys["chosen"] == keys["alike"] == "A"
    run = beet("tempo-mix", "-f", "$title|$mix_key", "title:chosen")
    assert run.code == 0, run.err
    told = dict(line.split("|") for line in run.out.splitlines())
    assert told == {
        "alike": "11B same",
        "fifth": "12B neighbour",
        "relative": "11A relative",
        "clash": "5B  clash",
        "said": "5B  clash",
    }
    assert next(iter(told)) == "alike"
    beet("modify", "-y", "-W", "title:alike", "initial_key!")
    told = beet("tempo-mix", "-f", "$title|$mix_key", "title:chosen").out
    assert "alike|-   unknown" in told


# Kinds of input.


def columns_of(path: Path) -> dict[str, Any]:
    estimator = Estimator(tasks=("key",))
    return estimator.columns(estimator.results(path))


def test_silence_and_scraps_are_one_message_each(beet: Beet, tmp_path: Path, in_a: Path) -> None:
    silence = write_audio(tmp_path / "silence.wav", np.zeros(5 * SR, np.float32), SR)
    scrap = write_audio(tmp_path / "scrap.wav", chord_song(9, False, 0.5, SR), SR)
    beet.add(silence, scrap, in_a)
    for args in (["--tasks", "key"], []):
        run = beet("tempo", "--retry", *args)
        assert run.code == 1
        lines = run.err.splitlines()
        assert len(lines) == 3
        assert f"tempo: {silence}: silent (no sample above -80 dB)" in lines
        assert f"tempo: {scrap}: too short (0.50 s; at least 1 s are needed)" in lines
    keys = {item.filepath: item.initial_key or "" for item in beet.items()}
    assert keys == {silence: "", scrap: "", in_a: "A"}


def test_noise_and_dry_drums_have_no_key(noise: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    n = 12 * SR
    drums = np.zeros(n, np.float32)
    for beat in range(0, n, SR // 4):  # bursts of noise
        length = min(SR // 10, n - beat)
        fade = np.exp(-np.arange(length) / (0.02 * SR))
        drums[beat : beat + length] = 0.5 * fade * rng.standard_normal(length)
    for path in (noise, write_audio(tmp_path / "drums.flac", drums, SR)):
        found = columns_of(path)
        assert found["key"] is None
        assert 0 <= found["key_confidence"] < 0.3


@pytest.mark.slow
def test_music_that_modulates_has_the_key_of_most_of_it(tmp_path: Path) -> None:
    parts = [chord_song(9, False, 42, SR), chord_song(0, False, 16, SR)]
    found = columns_of(write_audio(tmp_path / "a.flac", np.concatenate(parts), SR))
    assert found["key"] == "A"
    assert found["key_confidence"] > 0.3


@pytest.mark.slow
def test_an_hour_is_listened_to_in_places(tmp_path: Path) -> None:
    hour = np.tile(chord_song(7, False, 60, 11025), 60)
    path = write_audio(tmp_path / "hour.flac", hour, 11025)
    found = columns_of(path)
    assert found["key"] == "G"
    assert Estimator().estimate(path).key == "G"
