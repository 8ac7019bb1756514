"""Tests of learning keys, with functions and on the command line."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tempo_core import Estimator, checkpoint, in_use, methods
from tempo_core.background import Stopped
from tempo_core.cli import main as cli
from tempo_core.errors import ConfigError, LabelError
from tempo_core.keys import Key
from tests.conftest import KeyedSong
from trainer.learning import key_fitting, key_guard
from trainer.learning.compare import PairedShare
from trainer.learning.job import Job
from trainer.learning.key_fitting import answer_of, fit, fit_temperature, scores_of, see
from trainer.learning.keys import MIN_ARTISTS, MIN_TRACKS, KeyComparison
from trainer.learning.labels import KeyLabels, KeyTrack, read_key_labels
from trainer.learning.learn import learn, learn_from
from trainer.learning.options import LearnOptions
from trainer.trainingset import memory
from trainer.trainingset.tables import TRACKS, CollectedTrack, write_table

ROOT = Path(__file__).parents[3]
KEY = Key(0, minor=False)
OPTIONS = LearnOptions("key", jobs=2, quiet=True)
JOB = Job(methods.of_task("key")[0], OPTIONS, lambda: False)
SHIPPED = checkpoint.load(checkpoint.resolve("shipped", "key"), "key")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learning that is over at once: two steps, and few clips."""
    monkeypatch.setattr(key_fitting, "STEPS", 2)
    monkeypatch.setattr(key_guard, "N_COMPARED", 6)
    monkeypatch.setattr(key_guard, "N_REPLAYED", 4)


@pytest.fixture
def table(aeolian: list[KeyedSong], tmp_path: Path) -> Path:
    """A table with the keys of the songs, in several notations."""
    rows = ["path\tkey\tartist"]
    for k, song in enumerate(aeolian):
        key = song.key.camelot if k % 2 else str(song.key)
        rows.append(f"{song.path}\t{key}\t{song.artist}")
    path = tmp_path / "keys.tsv"
    path.write_text("\n".join(rows) + "\n")
    return path


def labels_of(songs: list[KeyedSong], folder: Path) -> KeyLabels:
    return KeyLabels(
        [KeyTrack(CollectedTrack(s.path, 0.0, "table", s.artist), s.key) for s in songs], folder
    )


def train(*args: object) -> Result:
    return CliRunner().invoke(cli, ["train", "--task", "key", "--jobs", "2", *map(str, args)])


def test_keys_are_read_from_a_table_in_any_notation(table: Path, aeolian: list[KeyedSong]) -> None:
    with table.open("a") as file:
        file.write("none.wav\t\tNobody\n")
    labels = read_key_labels(table)
    assert [track.key for track in labels.tracks] == [song.key for song in aeolian]
    assert {track.described.artist for track in labels.tracks} == {s.artist for s in aeolian}


def test_keys_are_read_from_a_training_set(tmp_path: Path) -> None:
    tracks = [
        CollectedTrack(tmp_path / "a.wav", 100.0, "field", "A", key="F#m", split="train"),
        CollectedTrack(tmp_path / "b.wav", 120.0, "field", "B", split="test"),
    ]
    write_table(tmp_path / TRACKS, tracks, CollectedTrack)
    (found,) = read_key_labels(tmp_path).tracks
    assert (found.key, found.split) == (Key(6, True), "train")


def test_a_table_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    for text, told in (("path\tbpm\na\t1\n", "no column key"),
                       ("path\tkey\na.wav\tX\n", "line 2: 'X' is no key")):  # fmt: skip
        path.write_text(text)
        with pytest.raises(ConfigError, match=told):
            read_key_labels(path)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_what_a_run_says_keeps_and_uses(table: Path) -> None:
    """A run is told in five lines, its model is listed and used, and can be taken back."""
    run = train(table, "--install-anyway")
    assert run.exit_code == 0, run.output
    learned, own, exact, other, last = run.stdout.splitlines()
    assert learned.startswith("learned (keys) from 20 keys: key-")
    assert own.startswith("weighted key score on your own tracks, each by a model that did not ")
    assert "% of 20 (" in exact
    assert other.startswith("other music (guard set): weighted key score ")
    assert last.startswith("installed")
    path = in_use.active("key")
    assert path is not None
    card = checkpoint.load(path, "key").card
    assert card["n_labels"] == 20
    known = memory.of_card(card)
    assert known is not None
    assert known.knows(Path(table.read_text().splitlines()[1].split("\t")[0]))
    assert f"* {path.stem}" in CliRunner().invoke(cli, ["models"]).stdout
    assert Estimator(tasks=("key",)).sources["key"].endswith(path.stem[-8:])
    run = CliRunner().invoke(cli, ["models", "rollback", "--task", "key"])
    assert run.exit_code == 0, run.output
    assert in_use.active("key") is None


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_the_same_seed_fits_the_same(aeolian: list[KeyedSong]) -> None:
    tracks = [see(song.path, song.key, SHIPPED) for song in aeolian[:2]]
    clips = key_guard.paint(SHIPPED.front_end, replay=True)
    one, same, other = (
        fit(tracks, clips, SHIPPED, replace(JOB, options=replace(OPTIONS, seed=seed)))
        for seed in (3, 3, 4)
    )
    weights, again, different = (model.network.weights for model in (one, same, other))
    assert all(np.array_equal(weights[name], again[name]) for name in weights)
    assert not all(np.array_equal(weights[name], different[name]) for name in weights)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_the_same_seed_learns_the_same(aeolian: list[KeyedSong], tmp_path: Path) -> None:
    files = []
    for number, seed in enumerate((3, 3, 4)):
        out = tmp_path / str(number)
        options = replace(OPTIONS, out=out, install=False, seed=seed)
        learned = learn_from(labels_of(aeolian, tmp_path), options)
        files.append(checkpoint.load(learned.path, "key").network.weights)
    same, different = (
        all(np.array_equal(files[0][name], other[name]) for name in files[0]) for other in files[1:]
    )
    assert same
    assert not different


@pytest.mark.slow
def test_a_few_steps_learn_what_a_key_is_called(aeolian: list[KeyedSong]) -> None:
    """Two tracks' keys change the answers to others; painted clips keep theirs."""
    tracks = [see(song.path, song.key, SHIPPED) for song in aeolian[:6]]
    clips = key_guard.paint(SHIPPED.front_end, replay=True)[:8]

    def right(model: checkpoint.Checkpoint) -> int:
        return sum(answer_of(scores_of(t, model)) == t.key for t in tracks[2:])

    assert right(SHIPPED) <= 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_fitting, "STEPS", 20)
        patch.setattr(key_fitting, "LEARNING_RATE", 2e-3)
        learned = fit(tracks[:2], clips, SHIPPED, JOB)
    assert right(learned) >= 3


@pytest.fixture
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learning in fewer and larger steps."""
    monkeypatch.setattr(key_fitting, "STEPS", 50)
    monkeypatch.setattr(key_fitting, "LEARNING_RATE", 1e-3)


@pytest.mark.slow
@pytest.mark.usefixtures("swift")
def test_labels_that_are_right_are_learned_and_used(table: Path) -> None:
    run = train(table)
    assert run.exit_code == 0, run.output
    assert (
        "installed: it is better on your own tracks (probability of being better 1.00)"
        in (run.stdout.splitlines()[-1])
    )
    path = in_use.active("key")
    assert path is not None
    assert path.stem in run.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("swift")
def test_labels_that_are_wrong_are_not_used(
    aeolian: list[KeyedSong], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys a whole tone off can be learned, but then all other music is a tone off as well.

    Nothing else is replayed meanwhile, which would keep these songs apart from other music.
    """
    monkeypatch.setattr("trainer.learning.key_fitting.N_REPLAYED", 0)
    odd = [replace(s, key=Key((s.key.pitch_class + 2) % 12, True)) for s in aeolian]
    learned = learn_from(labels_of(odd, tmp_path), OPTIONS)
    assert not learned.installed
    assert "but worse on other music (guard set: " in learned.proposal.reason
    assert in_use.active("key") is None


def test_too_few_labels_are_refused_before_anything_is_heard(
    aeolian: list[KeyedSong], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.learning.keys.see", lambda *args: pytest.fail("listened"))
    needed = f"at least {MIN_TRACKS} by {MIN_ARTISTS} are needed"
    with pytest.raises(LabelError, match=f"4 usable tracks by 4 artists .* {needed}"):
        learn_from(labels_of(aeolian[:4], tmp_path), OPTIONS)
    alone = [replace(song, artist="Solo") for song in aeolian]
    with pytest.raises(LabelError, match=f"20 usable tracks by 1 artist .* {needed}"):
        learn_from(labels_of(alone, tmp_path), OPTIONS)
    table = tmp_path / "t.tsv"
    table.write_text("path\tkey\n")
    run = train(table)
    assert run.exit_code == 1
    assert run.stderr.count("\n") == 1
    assert needed in run.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_a_file_that_is_gone_is_named(aeolian: list[KeyedSong], tmp_path: Path) -> None:
    gone = replace(aeolian[0], path=tmp_path / "gone.wav", artist="Gone")
    options = replace(OPTIONS, install=False, out=tmp_path / "out")
    learned = learn_from(labels_of([*aeolian, gone], tmp_path), options)
    assert [path for path, _ in learned.failed] == [gone.path]
    assert learned.summary()[0].startswith("learned (keys) from 20 keys")
    with pytest.raises(LabelError, match="19 usable tracks"):
        learn_from(labels_of([*aeolian[1:], gone], tmp_path), options)


def test_fitting_stops_when_it_is_to(aeolian: list[KeyedSong]) -> None:
    tracks = [see(aeolian[0].path, aeolian[0].key, SHIPPED)]
    clips = [key_guard.PaintedClip(np.zeros((2, SHIPPED.front_end.n_bands, 9), np.float32), KEY)]
    with pytest.raises(Stopped, match="run the same again to begin anew"):
        fit(tracks, clips, SHIPPED, replace(JOB, stop=lambda: True))


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_every_question_can_be_the_last(aeolian: list[KeyedSong], tmp_path: Path) -> None:
    asked, limit = 0, 10**9

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > limit

    labels = labels_of(aeolian, tmp_path)
    learn_from(labels, replace(OPTIONS, install=False, out=tmp_path / "out"), stop)
    limit, asked = asked, 0  # one question before the last step of the last fit
    limit -= 1
    with pytest.raises(Stopped):
        learn_from(labels, replace(OPTIONS, install_anyway=True, install=True), stop)
    assert not in_use.folder().exists()


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_ends_early_leaves_nothing(table: Path, sent: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tempo_core.cli", "train", "--task", "key", str(table)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    time.sleep(8)  # it learns for longer
    assert process.poll() is None
    process.send_signal(sent)
    out, err = process.communicate(timeout=20)
    assert process.returncode != 0
    assert out == ""
    assert "Traceback" not in err
    assert not list(in_use.folder().glob("*"))
    assert list(table.parent.iterdir()) == [table]


def test_the_temperature_is_the_one_that_fits() -> None:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((400, 24)) * 2
    shares = np.exp(logits / 2) / np.exp(logits / 2).sum(axis=1, keepdims=True)
    drawn = [int(rng.choice(24, p=row)) for row in shares]
    keys = [Key(k % 12, k >= 12) for k in drawn]
    assert fit_temperature(list(logits), keys) == pytest.approx(2.0, rel=0.25)


@pytest.mark.parametrize(
    ("own", "guard", "told"),
    [
        ((0.5, 0.7, 1.0), (0.8, 0.79), "it is better on your own tracks (probability"),
        ((0.5, 0.7, 1.0), (0.8, 0.7), "worse on other music (guard set: 80.0 → 70.0 %)"),
        ((0.5, 0.7, 0.8), (0.8, 0.8), "that may be chance (probability of being better 0.80)"),
        ((0.7, 0.7, 0.0), (0.8, 0.9), "no better than the current model"),
        ((0.7, 0.7 - 1e-15, 0.0), (0.8, 0.9), "no better than the current model"),
        ((0.7, 0.5, 0.0), (0.8, 0.9), "worse than the current model on your own tracks"),
    ],
)
def test_what_is_installed(
    own: tuple[float, float, float], guard: tuple[float, float], told: str
) -> None:
    before, after, sure = own
    share = PairedShare(20, before, after, (0.0, 0.0), sure)
    comparison = KeyComparison(share, share, PairedShare(64, *guard, (0.0, 0.0), 0.5))
    assert told in comparison.reason()
    assert comparison.installable == told.startswith("it is better")


def test_the_source_is_read_by_the_task(table: Path) -> None:
    with pytest.raises(ConfigError):
        learn(table.parent / "none", OPTIONS)
