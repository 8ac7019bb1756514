"""Tests of `beet tempo-train`, from a library to an installed model."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from pathlib import Path

import pytest

import trainer
from tempo_core import in_use
from trainer.learning import key_fitting, key_guard

from ..conftest import KeyedSong, MakeAudio
from .conftest import Beet

TEMPI = (84, 92, 100, 108, 116, 124, 132, 140)


@pytest.fixture
def counted(beet: Beet, make_audio: MakeAudio) -> Beet:
    """A library of eight songs by four artists, labelled with half their tempi."""
    for k, bpm in enumerate(TEMPI):
        path = make_audio(
            f"{k}.wav", bpm=bpm, style="rock", duration=13, sr=22050, seed=k,
            title=f"Song {k}", artist=f"Singer {k % 4}",
        )  # fmt: skip
        beet.add(path, bpm=bpm // 2)
    return beet


SUGGESTED_LABELS = (
    "tempo-train: 3 of the 4 tracks that tempo-eval suggested are labelled now, of which the "
    "analysis had 2 wrong; right with "
)


def remember(counted: Beet, home: Path) -> Path:
    """Path of a memory of suggestions: three tracks of the library, and one that has no label."""
    found = {str(counted.item(f"title:'Song {k}'").filepath): TEMPI[k] for k in (0, 1)}
    right = counted.item("title:'Song 2'")
    memory = home / "tempo-training" / "suggested.json"
    memory.parent.mkdir()
    memory.write_text(
        json.dumps({**found, str(right.filepath): right.bpm, "/unlabelled.wav": 80.0})
    )
    return memory


def test_it_learns_compares_and_uses(counted: Beet, home: Path) -> None:
    suggested = remember(counted, home)
    run = counted("tempo-train")
    assert run.code == 0, run.err
    assert "tempo-train: kept 8:" in run.out
    assert "learned (shift)" in run.out
    assert "tempo-train: installed: it is better on your own tracks" in run.out
    assert "`beet tempo -f tempo_source::^model:`" in run.out
    path = in_use.active()
    assert path is not None
    assert counted("tempo", "-f", "artist:Singer 1").code == 0
    sources = {item.tempo_source for item in counted.items("artist:'Singer 1'")}
    assert sources == {f"model:{path.stem.rpartition('-')[0]}@{path.stem[-8:]}"}
    assert SUGGESTED_LABELS in run.out
    # What a model in use has learned is not told again.
    assert json.loads(suggested.read_text()) == {"/unlabelled.wav": 80.0}


def test_pretend_says_what_it_would_learn_from(counted: Beet, home: Path) -> None:
    run = counted("tempo-train", "-p", "title:Song")
    assert run.code == 0
    assert "Singer 0 - Song 0: 42 BPM (field)" in run.out
    *_, unheard, judged, learned = run.out.splitlines()
    assert unheard.startswith("tempo-train: 8 were not listened to yet; that decides which of them")
    assert judged == "tempo-train: would judge the result by 2 others"
    assert learned == "tempo-train: would learn from up to 6 labels: field 6"
    assert in_use.active() is None
    assert not (home / "tempo-training").exists()


@pytest.mark.slow
def test_the_plan_is_what_happens(counted: Beet, make_audio: MakeAudio) -> None:
    """--pretend names the tracks that a run leaves out, and after a run all of them."""
    short = make_audio("short.wav", duration=3, sr=22050, title="Short", artist="Brief")
    gone = short.with_name("gone.wav")
    gone.write_bytes(short.read_bytes())
    counted.add(short, bpm=100)
    counted.add(gone, bpm=100, title="Gone")
    gone.unlink()
    library = counted.library
    for item, path in zip(library.items("title:'Song 0'"), ["copy.wav"], strict=True):
        copy = item.filepath.with_name(path)
        copy.write_bytes(item.filepath.read_bytes())
        for one, name in ((item.filepath, item.title), (copy, "Copy")):
            counted.add(one, bpm=42, mb_trackid="one", title=name, artist="Singer 0")
        item.remove()
    plan = counted("tempo-train", "-p").out
    assert "Gone: 100 BPM (field); left out: missing file" in plan
    assert "Short: 100 BPM (field)\n" in plan
    assert "tempo-train: would leave out 2: " in plan
    assert "missing file 1" in plan
    assert "duplicate 1" in plan
    run = counted("tempo-train", "--no-install")
    assert "tempo-train: kept 8:" in run.out
    (said,) = re.findall(r"learned \(shift\) from (\d+) labels", run.out)
    plan = counted("tempo-train", "-p").out
    assert "Short: 100 BPM (field); left out: too short" in plan
    assert "were not listened to" not in plan
    assert plan.endswith(f"would learn from {said} labels: field {said}\n")


def test_a_plan_that_leads_nowhere_says_so(counted: Beet) -> None:
    plan = counted("tempo-train", "-p", "artist:Singer 0").out
    assert "tempo-train: would learn from nothing: 2 tracks by one artist" in plan
    assert counted("tempo-train", "artist:Singer 0").code == 1
    plan = counted("tempo-train", "-p", "title:nowhere").out
    assert plan == "tempo-train: would learn from nothing: no label is left\n"


@pytest.mark.slow
def test_quiet_and_without_installing(counted: Beet, home: Path, tmp_path: Path) -> None:
    out, suggested = tmp_path / "out", remember(counted, home)
    run = counted("tempo-train", "-q", "--no-install", "--out", out)
    assert (run.code, run.out) == (0, "")
    assert len(list(out.iterdir())) == 1
    assert in_use.active() is None
    assert len(json.loads(suggested.read_text())) == 4


@pytest.fixture
def moved(beet: Beet, clicks: list[tuple[Path, float]]) -> Beet:
    """A library of clicks whose stated pace is half the tempo."""
    for k, (path, bpm) in enumerate(clicks[::4]):
        beet.add(path, title=f"Clicks {k}", tempo_paces_manual=f"{bpm / 2:g}")
    return beet


@pytest.mark.slow
def test_paces_that_were_stated_are_learned(moved: Beet) -> None:
    run = moved("tempo-train", "--task", "pace", "-p", "title:Clicks")
    assert run.out.splitlines()[0].endswith("Clicks 0: 50")
    assert run.out.endswith("would learn from the paces of 10 tracks\n")
    run = moved("tempo-train", "--task", "pace")
    assert run.code == 0, run.err
    assert "tempo-train: learned paces of 10 tracks: pace-" in run.out
    assert "tempo-train: installed: it is better on your tracks" in run.out
    path = in_use.active("pace")
    assert path is not None
    assert path.stem in run.out
    assert in_use.active() is None


@pytest.mark.parametrize(
    "n_heard",
    [pytest.param(1, id="listening"), pytest.param(40, id="fitting", marks=pytest.mark.slow)],
)
@pytest.mark.slow
def test_ctrl_c_while_paces_are_learned(
    beet: Beet, home: Path, clicks: list[tuple[Path, float]], n_heard: int
) -> None:
    """Ctrl-C ends the training of paces soon, keeps what was computed, and installs nothing."""
    for path, bpm in clicks:
        beet.add(path, title=f"Clicks {bpm:g}", tempo_paces_manual=f"{bpm / 2:g}")
    process = beet.start("tempo-train", "--task", "pace")
    kept = home / "tempo-training" / "paces"
    while len(list(kept.glob("*.safetensors"))) < n_heard:
        assert process.poll() is None
        time.sleep(0.02)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 2
    assert process.returncode == 1
    assert out == ""
    assert err.startswith("error: interrupted")
    assert len(err.splitlines()) == 1
    assert len(list(kept.glob("*.safetensors"))) >= n_heard
    assert in_use.active("pace") is None


def test_too_few_paces_to_learn_from(moved: Beet) -> None:
    run = moved("tempo-train", "--task", "pace", "title:Clicks 1")
    assert run.code == 1
    assert "at least 10 are needed" in run.err
    assert in_use.active("pace") is None


def test_nothing_to_learn_from(beet: Beet) -> None:
    run = beet("tempo-train")
    assert run.code == 1
    assert len(run.err.splitlines()) == 1


@pytest.mark.parametrize(
    "train",
    [{"method": "magic"}, {"cache_size": 0}, {"cache_size": "big"}, {"folder": 3}],
)
def test_bad_settings(beet: Beet, train: dict[str, object]) -> None:
    beet.configure(tempo={"train": train})
    run = beet("tempo-train")
    assert run.code == 1
    assert f"tempo.train.{next(iter(train))}" in run.err


@pytest.mark.parametrize("option", ["--threads", "--epochs", "--devices"])
def test_bad_numbers(beet: Beet, option: str) -> None:
    run = beet("tempo-train", option, "0")
    assert run.code == 1
    assert f"{option} must be a whole number from 1" in run.err


@pytest.mark.slow
def test_a_missing_package_says_what_to_install(
    counted: Beet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("network", "network_fitting", "epochs"):
        name = f"trainer.learning.{module}"
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.delattr(trainer, name.partition(".")[2], raising=False)
    monkeypatch.setitem(sys.modules, "lightning", None)
    run = counted("tempo-train", "--method", "fit")
    assert run.code == 1
    assert "pip install 'beets-tempo[train]'" in run.err


@pytest.fixture
def keyed(beet: Beet, aeolian: list[KeyedSong]) -> Beet:
    """A library of twenty songs by five artists whose key a person gave."""
    for k, song in enumerate(aeolian):
        beet.add(song.path, title=f"Song {k}", artist=song.artist, initial_key=str(song.key))
    return beet


def test_keys_of_people_and_sites_are_learned_from_and_none_of_our_own(keyed: Beet) -> None:
    """Estimated keys are no labels, nor are those of sites that may not be trained on."""
    for title, fields in {
        "Song 1": {"tempo_key": "C#m", "tempo_key_source": "model:key-20261128@00000000"},
        "Song 2": {"tempo_label_key": "Dm", "tempo_label_source": "musicstax"},
        "Song 3": {"tempo_label_key": "D#m", "tempo_label_source": "acousticbrainz"},
    }.items():
        item = keyed.item(f"title:='{title}'")
        item.update(fields)
        item.store()
    run = keyed("tempo-train", "--task", "key", "-p")
    assert run.code == 0, run.err
    lines = run.out.splitlines()
    assert "Band 0 - Song 0: Cm (tag)" in lines
    assert "Band 3 - Song 3: D#m (label:acousticbrainz)" in lines
    assert not [line for line in lines if "Song 1:" in line or "Song 2:" in line]
    assert lines[-1] == "tempo-train: would learn from the keys of 18 tracks"
    assert not in_use.folder().exists()


def test_too_few_keys_to_learn_from(keyed: Beet) -> None:
    run = keyed("tempo-train", "--task", "key", "artist:Band 1")
    assert run.code == 1
    (line,) = run.err.splitlines()
    assert "4 usable tracks by 1 artist" in line
    assert "at least 20 by 5 are needed" in line
    run = keyed("tempo-train", "--task", "key", "--epochs", "3")
    assert "--epochs is not for --task key" in run.err


@pytest.mark.slow
def test_a_library_s_keys_are_learned(keyed: Beet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_fitting, "STEPS", 2)
    monkeypatch.setattr(key_guard, "N_COMPARED", 6)
    run = keyed("tempo-train", "--task", "key", "--install-anyway")
    assert run.code == 0, run.err
    assert "tempo-train: learned (keys) from 20 keys: key-" in run.out
    assert "`beet tempo -f tempo_key_source::^model:`" in run.out
    path = in_use.active("key")
    assert path is not None
    assert path.stem in run.out
    assert in_use.active() is None
