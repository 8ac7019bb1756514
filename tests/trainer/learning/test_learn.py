"""Tests of learning from a training set to an installed model, on the command line."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner, Result
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator

from tempo_core import checkpoint, in_use, methods
from tempo_core.cli import main
from tempo_core.errors import ConfigError, TempoError
from tests.audio import drum_pattern, write_audio
from trainer.evaluation.history import unpack
from trainer.learning import compare
from trainer.learning.compare import ComparisonVerdict, Errors, Guarded, PairedShare
from trainer.learning.job import Job, Proposal
from trainer.learning.labels import TempoLabels, read_tempo_labels
from trainer.learning.learn import Learned, learn_from
from trainer.learning.network import RUNS
from trainer.learning.options import LearnOptions, choose_method
from trainer.learning.prior import N_FOLDS, folds_of
from trainer.trainingset import memory
from trainer.trainingset.tables import TRACKS, CollectedTrack, write_table

TEMPI = (84, 90, 96, 104, 112, 120, 126, 132, 140, 150)


def track(path: Path, bpm: float, artist: str, split: str) -> CollectedTrack:
    return CollectedTrack(
        path, bpm, "tag", artist, path.stem, id=path.stem, duration=13, group=artist, split=split
    )


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[CollectedTrack]:
    """Ten songs by five artists, labelled with half their tempi."""
    folder = tmp_path_factory.mktemp("music")
    found = []
    for k, bpm in enumerate(TEMPI):
        audio = drum_pattern(bpm, 13, 22050, "rock", np.random.default_rng(k))
        path = write_audio(folder / f"{k}.wav", audio, 22050)
        split = ("train", "train", "train", "validation", "test")[k % 5]
        found.append(track(path, bpm / 2, f"A{k % 5}", split))
    return found


@pytest.fixture
def folder(tracks: list[CollectedTrack], tmp_path: Path) -> Path:
    write_table(tmp_path / TRACKS, tracks, CollectedTrack)
    return tmp_path


def train(folder: Path, *args: object) -> Result:
    return CliRunner().invoke(main, ["train", str(folder), "--jobs", "1", *map(str, args)])


@pytest.mark.slow
def test_a_shift_is_learned_compared_and_used(tracks: list[CollectedTrack], tmp_path: Path) -> None:
    """Of somebody who counts at half from 100 BPM on."""
    slower = [t if t.bpm >= 50 else dataclasses.replace(t, bpm=2 * t.bpm) for t in tracks]
    write_table(tmp_path / TRACKS, slower, CollectedTrack)
    run = train(tmp_path)
    assert run.exit_code == 0, run.output
    lines = run.stdout.splitlines()
    assert lines[0].startswith("learned (shift) from 8 labels: tempo-")
    assert (
        "right on your own tracks, each by a model that did not learn from its artist" in lines[1]
    )
    assert "guard set" in lines[3]
    path = in_use.active()
    assert path is not None
    assert lines[-1].startswith("installed: it is better on your own tracks")
    card = checkpoint.load(path).card
    shipped = checkpoint.load(checkpoint.resolve("shipped"))
    assert card["base"] == shipped.source
    assert (card["method"], card["n_labels"], card["seed"]) == ("shift", 8, 0)
    assert card["data_digest"]
    assert card["figures"]["own"]["after"] > card["figures"]["own"]["before"]


@pytest.mark.slow
def test_what_no_longer_finds_the_rate_of_other_music_is_not_installed(folder: Path) -> None:
    """To count all music at half needs a shift that loses two clips of the guard set."""
    run = train(folder)
    assert run.exit_code == 0, run.output
    assert "not installed: it is better on your own tracks, but finds the rate" in run.stdout
    assert in_use.active() is None


@pytest.mark.slow
def test_adapt_and_what_is_not_installed_is_kept(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "models"
    run = train(folder, "--method", "adapt", "--epochs", 3, "--no-install", "--out", out)
    assert run.exit_code == 0, run.output
    assert "learned (adapt)" in run.stdout
    assert "not installed, as you said" in run.stdout
    assert in_use.active() is None
    (path,) = out.iterdir()
    assert checkpoint.load(path).config.model.separate_octave
    assert "--install-anyway" not in run.stdout


@pytest.mark.slow
def test_a_model_that_is_no_better_can_be_used_anyway(folder: Path) -> None:
    for _ in range(2):
        run = train(folder, "--install-anyway")
    # No better, or worse by chance: each track is answered by a model of four of the five artists.
    assert "installed because you said so, although it is" in run.stdout
    path = in_use.active()
    assert path is not None
    assert path.stem in run.stdout


@pytest.mark.slow
def test_fit_on_real_audio(folder: Path, tracks: list[CollectedTrack], tmp_path: Path) -> None:
    out = tmp_path / "models"
    run = train(folder, "--method", "fit", "--epochs", 1, "--out", out)
    assert run.exit_code == 0, run.output
    assert "learned (fit) from 6 labels" in run.stdout
    assert "of artists it never heard" in run.stdout
    assert list((folder / RUNS).rglob("last.safetensors"))
    (path,) = out.iterdir()
    card = checkpoint.load(path).card
    (epoch,) = unpack(card["history"])
    assert {"loss", "validation_loss", "validation_acc1", "validation_error_95"} <= set(epoch)
    # Learned from or selected on; the test tracks neither.
    known = memory.of_card(card)
    assert known is not None
    assert {t.split for t in tracks if known.knows(t.path)} == {"train", "validation"}
    assert not any(known.knows(t.path) for t in tracks if t.split == "test")


@pytest.mark.slow
def test_a_file_that_is_gone_is_named_and_the_rest_goes_on(
    tracks: list[CollectedTrack], tmp_path: Path
) -> None:
    gone = track(tmp_path / "gone.wav", 100, "A0", "train")
    write_table(tmp_path / TRACKS, [*tracks, gone], CollectedTrack)
    run = train(tmp_path)
    assert run.exit_code == 1
    assert f"{tmp_path / 'gone.wav'}: no such file" in run.stderr
    assert "learned (shift) from 8 labels" in run.stdout


@pytest.mark.slow
def test_a_guard_of_ones_own(folder: Path, tracks: list[CollectedTrack], tmp_path: Path) -> None:
    guard = tmp_path / "mine"
    guard.mkdir()
    write_table(guard / TRACKS, tracks[4:5], CollectedTrack)  # in the test split
    run = train(folder, "--guard", guard)
    assert run.exit_code == 0, run.output
    assert "other music (mine): rate" in run.stdout
    write_table(guard / TRACKS, tracks[:2], CollectedTrack)
    run = train(folder, "--guard", guard)
    assert run.exit_code == 1
    assert "no recording in it that is not learned from" in run.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: [], "no labelled track"),
        (lambda t: t[:1], "of one artist"),
        (lambda t: [dataclasses.replace(x, group="A") for x in t], "of one artist"),
        (lambda t: [dataclasses.replace(x, bpm=90.0) for x in t], "all 10 labels are 90 BPM"),
        (lambda t: [*t[1:], dataclasses.replace(t[0], bpm=float("nan"))], "not a tempo"),
    ],
)
def test_too_little_is_one_clear_message(
    change: object, message: str, tracks: list[CollectedTrack], tmp_path: Path
) -> None:
    write_table(tmp_path / TRACKS, change(tracks), CollectedTrack)  # type: ignore[operator]
    run = train(tmp_path)
    assert run.exit_code == 1
    assert message in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert in_use.active() is None


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--accelerator", "gpu"), "no gpu that can be used is in this computer"),
        (("--accelerator", "tpu"), "accelerator 'tpu' is none of cpu, gpu"),
        (("--no-install", "--install-anyway"), "contradict each other; leave one out"),
        (("--from-scratch", "--method", "adapt"), "leave one out"),
    ],
)
def test_what_can_never_be_done_is_refused_in_one_line_before_all_else(
    args: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in (CUDAAccelerator, MPSAccelerator):
        monkeypatch.setattr(kind, "is_available", lambda: False)
    run = train(tmp_path, *args)  # where there is not even a training set
    assert run.exit_code == 1
    assert told in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_no_training_set(tmp_path: Path) -> None:
    run = train(tmp_path)
    assert run.exit_code == 1
    assert "no table" in run.stderr


def test_nothing_can_be_read(tmp_path: Path) -> None:
    rows = [track(tmp_path / f"{k}.wav", 90 + k, f"A{k}", "train") for k in range(3)]
    write_table(tmp_path / TRACKS, rows, CollectedTrack)
    run = train(tmp_path)
    assert run.exit_code == 1
    assert "no recording can be read" in run.stderr


def test_the_method_goes_by_the_number_of_labels() -> None:
    options = LearnOptions()
    found = [choose_method(n, options).name for n in (1, 49, 50, 999, 1000)]
    assert found == ["shift", "shift", "adapt", "adapt", "fit"]
    assert choose_method(5000, LearnOptions(method="adapt")).name == "adapt"
    assert choose_method(5, LearnOptions(from_scratch=True)).name == "fit"
    with pytest.raises(ConfigError, match="leave one out"):
        choose_method(5, LearnOptions(method="shift", from_scratch=True))
    assert choose_method(5000, LearnOptions(task="pace")).name == "paces"
    with pytest.raises(ConfigError, match="task pace is fit, not one of auto, paces"):
        choose_method(5, LearnOptions(task="pace", method="fit"))


def test_a_method_is_a_row_and_a_module_with_one_function(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Job] = []

    def learn(labels: TempoLabels, job: Job) -> Proposal:
        jobs.append(job)
        model = dataclasses.replace(checkpoint.load(checkpoint.resolve("shipped")), card={})
        return Proposal(model, f"learned ({job.method.name})", ("as before",), False, "it is", ())

    module = ModuleType("trainer.learning.copying")
    module.learn = learn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    row = methods.Method("copy", "tempo", "copying", 5, "learns nothing")
    monkeypatch.setattr(methods, "METHODS", (methods.METHODS[0], row))
    learned = learn_from(read_tempo_labels(folder), LearnOptions(out=tmp_path / "models"))
    assert [job.method for job in jobs] == [row]
    assert learned.summary()[0] == f"learned (copy): {learned.path.stem}"
    assert not learned.installed
    assert learned.path.exists()


def test_folds_keep_artists_together() -> None:
    groups = ["a"] * 5 + ["b"] * 3 + list("cdefgh")
    folds = folds_of(groups, 0)
    assert len(set(folds)) == N_FOLDS
    for group in set(groups):
        assert len({f for f, g in zip(folds, groups, strict=True) if g == group}) == 1
    assert folds == folds_of(groups, 0)
    assert set(folds_of(["a", "b", "b"], 0)) == {0, 1}


def test_every_outcome_is_told(tmp_path: Path) -> None:
    pair = PairedShare(10, 0.8, 0.9, (0.0, 0.2), 0.97)
    guard = Guarded("guard set", PairedShare(10, 0.99, 0.9, (0, 0), 0), pair)
    verdict = ComparisonVerdict(pair, Errors(9, 0.8), Errors(4, 0.9), (guard,))
    path = tmp_path / "tempo-20260101-00000000.safetensors"
    model = checkpoint.load(checkpoint.resolve("shipped"))
    proposal = Proposal(
        model, "learned (adapt) from 9 labels", verdict.lines("how"), verdict.installable,
        verdict.reason(), (),
    )  # fmt: skip

    def last(installed_: bool, wanted: bool) -> str:
        return Learned(proposal, path, installed_, wanted).summary()[-1]

    assert last(True, True).startswith("installed because you said so, although it is better")
    assert last(False, False).startswith("not installed, as you said")
    assert f"`tempo-core models use {path}` uses it all the same" in last(False, True)
    json.dumps(dataclasses.asdict(verdict))
    assert issubclass(ConfigError, TempoError)
    assert compare.SURE_BETTER > 0.5
