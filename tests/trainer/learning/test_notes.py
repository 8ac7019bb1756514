"""Tests of learning notes from a folder of recordings, with functions and on the command line."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import torch
from click.testing import CliRunner, Result

from tempo_core import Estimator, checkpoint, in_use
from tempo_core.background import Stopped
from tempo_core.cli import main as cli
from tempo_core.config import NotesFrontEnd
from tempo_core.errors import LabelError, StorageError
from tempo_core.tasks.notes.config import NotesConfig, NotesModel
from tempo_core.tasks.notes.network import build
from tests.audio import write_audio
from trainer.inputs.annotated import Annotated, annotated, batch, spectrum_of
from trainer.inputs.note_folders import Pair
from trainer.learning import notes as learning
from trainer.learning.compare import PairedShare
from trainer.learning.learn import learn
from trainer.learning.note_fitting import NoteRecipe, begin, fit
from trainer.learning.notes import MIN_RECORDINGS, NoteComparison, held_out
from trainer.learning.options import LearnOptions
from trainer.synthesis.studies import draw_study
from trainer.synthesis.tones import play
from trainer.tasks.notes import loss
from trainer.torch_ops import Learnable

ROOT = Path(__file__).parents[3]
SECONDS, SR = 8.0, 11025
OPTIONS = LearnOptions("notes", epochs=1, jobs=2, quiet=True)
FRONT_END = NotesFrontEnd()
TINY = NotesConfig(NotesModel(n_tones=4, n_harmonics=6, n_context=4))


def recordings(n: int) -> list[Annotated]:
    rng = np.random.default_rng(0)
    made = []
    for k in range(n):
        notes, _ = draw_study(4.0, rng)
        audio = play(notes, 4.0, FRONT_END.sr, rng)
        rows = np.array([(n.start, n.end, n.pitch, n.velocity) for n in notes], np.float32)
        made.append(annotated(str(k), audio, rows, spectrum_of(FRONT_END)))
    return made


def fresh() -> Learnable:
    torch.manual_seed(0)
    return begin(Learnable(build(FRONT_END, TINY)))


def on_the_same(network: Learnable) -> float:
    """The loss of a network on examples that do not change."""
    config = replace(TINY, n_frames=32)
    seen, target = batch(recordings(3), FRONT_END, config, 8, np.random.default_rng(9))
    with torch.inference_mode():
        return loss(network.eval()(torch.from_numpy(seen)), torch.from_numpy(target)).item()


def trained(steps: int, seed: int = 0, stop_at: int | None = None) -> tuple[Learnable, list[float]]:
    network = fresh()
    losses: list[float] = []

    def after_step(step: int, error: float) -> None:
        losses.append(error)
        if step == stop_at:
            raise Stopped("enough")

    recipe = NoteRecipe(steps, batch=2, n_frames=32, average=0.8, seed=seed)
    return fit(network, recordings(3), FRONT_END, TINY, recipe, after_step), losses


@pytest.mark.slow
def test_the_loss_falls_and_the_same_seed_gives_the_same() -> None:
    first, losses = trained(40)
    assert len(losses) == 40
    assert on_the_same(first) < 0.9 * on_the_same(fresh())
    again, repeated = trained(40)
    assert losses == repeated
    for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert trained(2, seed=1)[1] != losses[:2]


def test_a_run_can_be_stopped_after_any_step() -> None:
    with pytest.raises(Stopped):
        trained(40, stop_at=2)


def test_recordings_are_held_out_as_the_folder_says_or_by_lot() -> None:
    pairs = [Pair(Path(f"{k}.wav"), Path(f"{k}.mid")) for k in range(10)]
    held = held_out(pairs, 0)
    assert len(held) == 3
    assert held == held_out(pairs, 0) != held_out(pairs, 1)
    given = [replace(pair, held=pair.audio.stem == "4") for pair in pairs]
    assert held_out(given, 0) == [given[4]]


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of invented recordings with their notes as MIDI; tests must not change it."""
    folder = tmp_path_factory.mktemp("studies")
    rng = np.random.default_rng(1)
    for k in range(MIN_RECORDINGS + 2):
        notes, _ = draw_study(SECONDS, rng)
        write_audio(folder / f"{k}.wav", play(notes, SECONDS, SR, rng), SR)
        part = pretty_midi.Instrument(0)
        part.notes = [pretty_midi.Note(n.velocity, n.pitch, n.start, n.end) for n in notes]
        score = pretty_midi.PrettyMIDI()
        score.instruments.append(part)
        score.write(str(folder / f"{k}.midi"))
    return folder


@pytest.fixture
def folder(studies: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(studies, tmp_path / "folder"))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small guard set, and small steps."""
    monkeypatch.setattr(learning, "GUARD_CLIPS", 2)
    monkeypatch.setattr(learning, "GUARD_SECONDS", 3.0)
    recipe = learning.NoteRecipe
    monkeypatch.setattr(
        learning, "NoteRecipe", lambda *a, **given: recipe(*a, batch=2, n_frames=64, **given)
    )


def train(*args: object) -> Result:
    told = ["train", "--task", "notes", "--epochs", "1", "--jobs", "2", *map(str, args)]
    return CliRunner().invoke(cli, told)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_what_a_run_says_keeps_and_uses(studies: Path) -> None:
    """A run is told in four lines, its model is listed and used, and can be taken back."""
    run = train(studies, "--install-anyway")
    assert run.exit_code == 0, run.output
    learned, own, other, last = run.stdout.splitlines()
    assert learned.startswith("learned (notes) from 8 recordings: notes-")
    assert own.startswith("notes found (F-measure, ±50 ms) in recordings left out: ")
    assert "% of 4 (" in own
    assert other.startswith("in other music (guard set): ")
    assert last.startswith("installed")
    path = in_use.active("notes")
    assert path is not None
    card = checkpoint.load(path, "notes").card
    assert card["summary"].endswith("8 recordings, seed 0")
    assert 0.5 < card["figures"]["held"]["before"] < 1
    assert f"* {path.stem}" in CliRunner().invoke(cli, ["models"]).stdout
    found = Estimator(tasks=("notes",), windows="all").results(studies / "0.wav")["notes"]
    assert len(found.notes) > 5
    run = CliRunner().invoke(cli, ["models", "rollback", "--task", "notes"])
    assert run.exit_code == 0, run.output
    assert in_use.active("notes") is None


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_the_same_seed_learns_the_same(studies: Path, tmp_path: Path) -> None:
    models = []
    for number, seed in enumerate((3, 3, 4)):
        options = replace(OPTIONS, out=tmp_path / str(number), install=False, seed=seed)
        learned = learn(studies, options)
        assert learned.summary()[-1].startswith("not installed, as you said: ")
        models.append(checkpoint.load(learned.path, "notes"))
    weights, again, different = (model.network.weights for model in models)
    assert all(np.array_equal(weights[name], again[name]) for name in weights)
    assert not all(np.array_equal(weights[name], different[name]) for name in weights)
    assert models[0].card["figures"] == models[1].card["figures"]


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_files_that_cannot_be_used_are_told_and_the_others_are_learned_from(folder: Path) -> None:
    (folder / "0.wav").write_bytes(b"RIFF nothing")
    pretty_midi.PrettyMIDI().write(str(folder / "1.midi"))
    run = train(folder, "--no-install")
    assert run.exit_code == 1
    first, second = run.stderr.splitlines()
    assert first.startswith(f"{folder / '0.wav'}: ")
    assert second.startswith(f"{folder / '1.wav'}: ")
    assert second.endswith("1.midi: there are no notes in it")
    assert run.stdout.startswith("learned (notes) from 7 recordings: notes-")


@pytest.mark.slow
def test_too_few_recordings_are_one_line_that_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for k in range(3):
        (folder / f"{k}.midi").write_bytes(b"nothing")
    run = train(folder)
    assert run.exit_code == 1
    (line,) = run.stderr.splitlines()
    assert f"9 usable recordings with notes, at least {MIN_RECORDINGS} are needed" in line
    assert "(3 others could not be used; the first: " in line
    assert "no notes can be read" in line
    monkeypatch.setattr(learning, "annotate", lambda *args: pytest.fail("listened"))
    for k in range(3):
        (folder / f"{k}.midi").unlink()
    with pytest.raises(LabelError, match=r"9 usable recordings .* tested on$"):
        learn(folder, OPTIONS)


@pytest.mark.usefixtures("hasty")
@pytest.mark.slow
def test_musicnet_is_tested_on_as_it_says(studies: Path, tmp_path: Path) -> None:
    for k in range(MIN_RECORDINGS):
        split = "test" if k < 2 else "train"
        for part in ("data", "labels"):
            (tmp_path / f"{split}_{part}").mkdir(exist_ok=True)
        shutil.copy(studies / f"{k}.wav", tmp_path / f"{split}_data")
        rows = [
            f"{round(44100 * n.start)},{round(44100 * n.end)},1,{n.pitch}"
            for n in pretty_midi.PrettyMIDI(str(studies / f"{k}.midi")).instruments[0].notes
        ]
        table = tmp_path / f"{split}_labels" / f"{k}.csv"
        table.write_text("\n".join(["start_time,end_time,instrument,note", *rows]) + "\n")
    learned = learn(tmp_path, replace(OPTIONS, install=False))
    assert learned.summary()[0].startswith("learned (notes) from 8 recordings")
    assert "% of 2 (" in learned.summary()[1]
    assert learned.proposal.model.card["figures"]["held"]["before"] > 0.5


@pytest.mark.slow
def test_a_full_disk_is_one_clear_message(studies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError("405 requested and 0 written")

    monkeypatch.setattr(learning.np, "save", full)
    with pytest.raises(StorageError, match=r"0 written.*; TMPDIR names another folder"):
        learn(studies, OPTIONS)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_every_question_can_be_the_last(studies: Path, tmp_path: Path) -> None:
    asked, limit = 0, 10**9

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > limit

    options = replace(OPTIONS, jobs=1)
    learn(studies, replace(options, install=False, out=tmp_path / "out"), stop)
    for before_the_end in (1, 9, 10):  # the last recording held out, and the step of learning
        limit, asked = asked - before_the_end if limit == 10**9 else limit, 0
        with pytest.raises(Stopped):
            learn(studies, replace(options, install_anyway=True), stop)
    assert not in_use.folder().exists()


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_ends_early_leaves_nothing(
    studies: Path, tmp_path: Path, sent: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(studies.iterdir())
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, "-m", "tempo_core.cli", "train", "--task", "notes", str(studies)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(3)  # it learns for longer
    assert process.poll() is None
    process.send_signal(sent)
    out, err = process.communicate(timeout=20)
    assert process.returncode != 0
    assert out == ""
    assert "Traceback" not in err
    assert not list(in_use.folder().glob("*"))
    assert sorted(studies.iterdir()) == before
    if sys.platform != "win32":  # where open files keep their names
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_seed_that_is_none_is_refused(studies: Path) -> None:
    for seed in ("-1", str(2**32)):
        run = train(studies, "--seed", seed)
        assert run.exit_code == 2
        assert "is not in the range" in run.stderr


@pytest.mark.parametrize(
    ("own", "guard", "told"),
    [
        ((0.5, 0.7, 1.0), (0.8, 0.79), "it is better on the recordings left out and has unlearned"),
        ((0.5, 0.7, 1.0), (0.8, 0.7), "but worse on other music (guard set)"),
        ((0.5, 0.7, 0.8), (0.8, 0.8), "it is not surely better"),
        ((0.7, 0.5, 0.0), (0.8, 0.9), "it is not surely better"),
    ],
)
def test_what_is_installed(
    own: tuple[float, float, float], guard: tuple[float, float], told: str
) -> None:
    before, after, sure = own
    share = PairedShare(20, before, after, (0.0, 0.0), sure)
    comparison = NoteComparison(share, PairedShare(12, *guard, (0.0, 0.0), 0.5))
    assert told in comparison.reason()
    assert comparison.installable == told.endswith("unlearned")
