"""Tests of model files of reference networks, in the commands that take them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from tempo_core import checkpoint
from tempo_core.cli import main
from tempo_core.config import FrontEnd, Windows
from tempo_core.errors import AudioError, CheckpointError, ConfigError
from trainer.reference.estimator import (
    Answers,
    Pooling,
    ReferenceEstimator,
    ReferenceModel,
    open_reference,
)
from trainer.reference.networks import FOLD_MAX, FOLD_MIN, REFERENCES

MakeAudio = Callable[..., Path]
FRONT_END, WINDOWS = FrontEnd(), Windows(10.0, 5.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of a network that has learned nothing."""
    torch.manual_seed(0)
    network = REFERENCES["convblocks"].make(FRONT_END, WINDOWS)
    made = ReferenceModel("convblocks", network, FRONT_END, WINDOWS, Pooling(), {})
    return made.save(tmp_path_factory.mktemp("models"))


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [*map(str, args)])


def test_answers_are_pooled() -> None:
    answers = Answers(np.array([120.0, 120.0, 90.0, 119.0, 91.0]))
    assert (answers.pooled("median"), answers.pooled("mode")) == (119.0, 120.0)
    assert answers.agreeing(120.0) == pytest.approx(0.6)
    assert Answers(np.array([90.0, 100.0, 130.0])).mode() == 100.0


def test_a_track_is_answered_by_some_of_its_windows(model: Path, make_audio: MakeAudio) -> None:
    path = make_audio("a.wav", duration=41, sr=22050, channels=1)
    few, again, whole = (ReferenceEstimator(model, n).estimate(path) for n in (3, 3, "all"))
    assert FOLD_MIN <= few.bpm <= FOLD_MAX
    assert 0 < few.confidence <= 1
    assert few == again
    # 10 s every 5 s of 41 s are seven windows, of which each agrees or does not.
    assert (7 * whole.confidence) == pytest.approx(round(7 * whole.confidence), abs=1e-3)
    assert (3 * few.confidence) == pytest.approx(round(3 * few.confidence), abs=1e-3)
    assert ReferenceEstimator(model, 7).estimate(path) == whole


def test_a_short_file_is_filled_up(model: Path, make_audio: MakeAudio) -> None:
    path = make_audio("a.wav", duration=3, sr=22050, channels=1)
    assert FOLD_MIN <= open_reference(model, 6).estimate(path).bpm <= FOLD_MAX


def test_what_is_no_music_is_refused(model: Path, bad_files: dict[str, Path]) -> None:
    estimator = open_reference(model, 6)
    for bad in bad_files.values():
        with pytest.raises(AudioError):
            estimator.estimate(bad)


def test_estimate_takes_the_file(model: Path, make_audio: MakeAudio, tmp_path: Path) -> None:
    path = make_audio("a.wav", duration=20, sr=22050, channels=1)
    result = run("estimate", "--model", model, "--format", "json", path, tmp_path / "no.wav")
    assert result.exit_code == 1
    answer, missing = json.loads(result.stdout)
    assert answer["bpm"] == open_reference(model, 10).estimate(path).bpm
    assert 0 < answer["confidence"] <= 1
    assert answer["paces"] is None
    assert answer["error"] is None
    assert missing["error"]
    alone = run("estimate", "--model", model, "--tasks", "tempo", path)
    assert alone.exit_code == 0
    assert f"{answer['bpm']:.2f} BPM" in alone.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--curve"], "gives no curve"),
        (["--tasks", "key"], "is a model of the tempo alone"),
    ],
)
def test_what_the_file_cannot_is_one_line(
    model: Path, options: list[str], message: str, make_audio: MakeAudio
) -> None:
    path = make_audio("a.wav", duration=20, sr=22050, channels=1)
    result = run("estimate", "--model", model, *options, path)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_evaluate_takes_the_file(model: Path, make_audio: MakeAudio, tmp_path: Path) -> None:
    make_audio("a.wav", duration=20, sr=22050, channels=1)
    table = tmp_path / "t.tsv"
    table.write_text("path\tbpm\na.wav\t126\n")
    result = run("evaluate", table, "--out", tmp_path / "out", "--model", model)
    assert result.exit_code == 0, result.output
    name = checkpoint.read(model)
    assert f"{name.name}@{name.hash}" in result.output


def test_without_torch_it_is_one_message(
    model: Path, make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_audio("a.wav", duration=20, sr=22050, channels=1)
    for name in [name for name in sys.modules if name.startswith("trainer.reference")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run("estimate", "--model", model, path)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: estimate needs more packages (")
    assert result.stderr.endswith("pip install 'beets-tempo[train]'\n")
    assert result.stderr.count("\n") == 1


def test_where_nothing_opens_the_design_it_is_a_model_for_something_else(
    model: Path, make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_audio("a.wav", duration=20, sr=22050, channels=1)
    monkeypatch.setattr("tempo_core.designs.ENTRY_POINT_GROUP", "nobody.has.this")
    result = run("estimate", "--model", model, path)
    assert result.exit_code == 1
    assert "is a model for 'convblocks'" in result.stderr


def test_a_file_that_is_no_such_model_is_refused(model: Path, tmp_path: Path) -> None:
    for windows in (0, "some", 1.5):
        with pytest.raises(ConfigError, match="windows"):
            ReferenceEstimator(model, windows)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"Pooling\.pool is 'mean'"):
        ReferenceEstimator(model, pool="mean")
    altered = tmp_path / model.name
    altered.write_bytes(model.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match="does not match its name"):
        open_reference(altered, 6)
    with pytest.raises(CheckpointError, match="give one for convblocks or mobilenet"):
        open_reference(checkpoint.resolve("shipped"), 6)


@pytest.mark.parametrize(
    "changes",
    [
        {"pooling": {"pool": "mean"}},
        {"pooling": {"pool": "median", "n": 3}},
        {"pooling": None},
        {"windows": {"duration": 1e9, "hop": 5.0}},
        {"windows": {"duration": 20.0, "hop": "x"}},
        {"front_end": {}},
    ],
)
def test_a_header_that_makes_no_sense_is_refused(
    model: Path, changes: dict[str, object], tmp_path: Path
) -> None:
    contents = checkpoint.read(model)
    header = {k: v for k, v in contents.header.items() if k != "layout"}
    path = checkpoint.write(tmp_path, {**header, **changes}, contents.filterbank, contents.weights)
    with pytest.raises(CheckpointError, match="is not a usable model file"):
        open_reference(path, 6)
