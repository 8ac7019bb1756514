"""Tests that a task is added with a folder and a line in the table."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from tempo_core import CheckpointError, ConfigError, Estimator, checkpoint, in_use
from tempo_core.cli import main
from tempo_core.config import FrontEnd
from tempo_core.spectrum import Mel
from tests import toys
from tests.audio import Audio, drum_pattern
from tests.models import filterbank
from tests.rows import mostly_slow
from trainer.torch_ops import learnable

from ..conftest import MakeAudio

SR = 11025


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    toys.register(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return toys.save(tmp_path / "models")


def tones(*frequencies: float) -> Audio:
    """Music with added tones of these frequencies [Hz]."""
    audio = 0.3 * drum_pattern(126, 15, SR, "house", np.random.default_rng(0))
    t = np.arange(audio.size) / SR
    for frequency in frequencies:
        audio = audio + 0.5 * np.sin(2 * np.pi * frequency * t).astype(np.float32)
    return audio.astype(np.float32)


def test_its_model_is_written_and_read(path: Path) -> None:
    model = checkpoint.load(path, "toy")
    assert path.name.startswith("toy-")
    assert (model.task, checkpoint.task_of(path)) == ("toy", "toy")
    assert model.config == toys.model().config
    inputs = np.random.default_rng(0).random((3, 40), np.float32)
    np.testing.assert_array_equal(model.network(inputs), toys.model().network(inputs))


def test_its_network_learns_in_torch() -> None:
    import torch

    network = toys.model().network
    inputs = np.random.default_rng(0).random((3, 40), np.float32)
    again = learnable(network).requires_grad_()
    logits = again(torch.from_numpy(inputs))
    np.testing.assert_allclose(logits.detach().numpy(), network(inputs), atol=1e-5)
    logits.sum().backward()
    gradients = {name: p.grad for name, p in again.named_parameters()}
    assert set(gradients) == {
        f"{layer}.{part}" for layer in ("norm", "hidden", "out") for part in ("weight", "bias")
    }
    assert all(gradient is not None for gradient in gradients.values())


def rewritten(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
    """A model file with another header or tensors, under a name with the right hash."""
    data = path.read_bytes()
    header, tensors = json.loads(checkpoint.metadata(data)["header"]), load_tensors(data)
    change(header, tensors)
    data = save_tensors(tensors, {"header": json.dumps(header)})
    target = path.with_name(f"{path.stem[:-8]}{hashlib.sha256(data).hexdigest()[:8]}.safetensors")
    target.write_bytes(data)
    return target


def test_a_tampered_model_is_refused(path: Path, tmp_path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-7] ^= 1
    damaged = tmp_path / path.name
    damaged.write_bytes(bytes(data))
    renamed = tmp_path / "toy-20260102-01234567.safetensors"
    renamed.write_bytes(path.read_bytes())
    for wrong in (damaged, renamed):
        with pytest.raises(CheckpointError, match="does not match its name"):
            Estimator(tasks=("toy",), models={"toy": wrong})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, t: t.update({"network.out.bias": np.zeros(2, np.float32)}), "out.bias is"),
        (lambda h, t: t.pop("network.out.bias"), "another network"),
        (lambda h, t: t.update({"network.more": np.zeros(2, np.float32)}), "another network"),
        (lambda h, t: h["model"].update(n_hidden=0), "n_hidden is 0"),
        (lambda h, t: h["model"].update(n_hidden=65), "n_hidden is 65"),
        (lambda h, t: h["model"].update(n_hidden=5), "by the configuration"),
        (lambda h, t: h["model"].update(colour=1), "colour"),
        (lambda h, t: h.pop("model"), "model"),
        (lambda h, t: h.update(task="pace"), "missing are"),
        (lambda h, t: h.update(task="weather"), "is a model for 'weather'"),
    ],
)
def test_a_model_that_makes_no_sense_is_refused(
    path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(rewritten(path, change))


def test_a_model_of_another_task_is_none_of_it(path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a model for 'tempo'; give one for 'toy'"):
        Estimator(tasks=("toy",), models={"toy": checkpoint.resolve("shipped")})
    with pytest.raises(CheckpointError, match="is a model for 'toy'; give one for 'tempo'"):
        Estimator(model=path)


def test_it_answers_beside_the_others(path: Path, make_audio: MakeAudio) -> None:
    file = make_audio("a.flac", bpm=126)
    plain = Estimator(tasks=("tempo", "pace"))
    both = Estimator(tasks=("tempo", "pace", "toy"), models={"toy": path})
    assert both.sources["toy"] == f"model:{path.stem[:-9]}@{path.stem[-8:]}"
    results, estimate = both.results(file), both.estimate(file)
    assert list(results) == list(both.tasks) == ["tempo", "pace", "toy"]
    assert 0 < results["toy"] < 1
    assert both.columns(results)["brightness"] == round(results["toy"], 4)
    assert estimate.columns["brightness"] == round(results["toy"], 4)
    assert estimate == plain.estimate(file)  # the others say what they say without it
    assert "brightness" not in plain.estimate(file).columns


def test_it_answers_what_its_network_says(path: Path) -> None:
    """Expected is the result for one window by hand: mean spectrum, matrix products, a sigmoid."""
    model = checkpoint.load(path)
    audio = drum_pattern(126, 11.9, SR, "house", np.random.default_rng(0))
    features = model.spectrum.features(audio)
    means = features.mean(axis=1) / features.mean(axis=1).sum()
    hidden = (means / np.sqrt(1 + 1e-5)) @ np.linspace(-1, 1, 40)
    hidden = hidden if hidden > 0 else np.exp(hidden) - 1
    found = Estimator(tasks=("tempo", "toy"), models={"toy": path}).from_features(features)
    assert found.columns["brightness"] == pytest.approx(1 / (1 + np.exp(-4 * hidden)), abs=1e-3)


def test_it_hears_what_is_there(path: Path) -> None:
    estimator = Estimator(tasks=("tempo", "pace", "toy"), models={"toy": path})
    found = [
        estimator.from_audio(tones(*f), SR).columns["brightness"]
        for f in ((100.0, 200.0), (1000.0,), (5000.0,))
    ]
    assert found == sorted(found)
    assert found[2] > found[0] + 0.2


def test_alone_it_has_results_but_no_estimate(path: Path, make_audio: MakeAudio) -> None:
    file = make_audio("a.flac", bpm=126)
    alone = Estimator(tasks=("toy",), models={"toy": path})
    beside = Estimator(tasks=("tempo", "toy"), models={"toy": path})
    assert list(alone.results(file)) == ["toy"]
    assert alone.results(file)["toy"] == pytest.approx(beside.results(file)["toy"])
    assert alone.source == alone.sources["toy"]
    for call in (lambda: alone.estimate(file), lambda: alone.from_audio(tones(100.0), SR)):
        with pytest.raises(ConfigError, match="the tempo was not asked for"):
            call()
    short = make_audio("b.wav", bpm=120, duration=2)  # a loop, if there were a tempo
    assert 0 < alone.results(short)["toy"] < 1


def test_one_that_needs_the_tempo_comes_after_it(tmp_path: Path, make_audio: MakeAudio) -> None:
    models = {name: toys.save(tmp_path, name) for name in toys.TOYS}
    estimator = Estimator(tasks=("toyoftempo", "toy"), models=models)
    assert estimator.tasks == ("tempo", "toyoftempo", "toy")
    for bpm, duration, speed in ((126, 20, "fast"), (72, 100, "slow")):
        style = "house" if bpm > 100 else "ballad"
        file = make_audio(f"{bpm}.flac", bpm=bpm, duration=duration, sr=22050, style=style)
        estimate = estimator.estimate(file)
        assert estimate.columns["speed"] == speed
        assert estimate.columns["brightness_for_tempo"] == pytest.approx(
            estimate.columns["brightness"] * 100 / estimate.bpm, abs=2e-2
        )


@mostly_slow("duration", [2.0, 11.0, 100.0], quick=(1,))
def test_it_hears_as_much_whether_it_is_asked_early_or_late(
    tmp_path: Path, make_audio: MakeAudio, duration: float
) -> None:
    models = {name: toys.save(tmp_path, name) for name in toys.TOYS}
    file = make_audio("a.flac", bpm=126, duration=duration, sr=22050)
    alone = Estimator(tasks=("toyoftempo",), models=models).results(file)
    both = Estimator(tasks=("toy", "toyoftempo"), models=models).results(file)
    assert alone["toyoftempo"] == both["toyoftempo"]
    assert alone["toyoftempo"][0] * both["tempo"].bpm / 100 == pytest.approx(both["toy"], abs=1e-6)


def test_the_spectrum_is_shared_where_it_is_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    features = Mel.features

    def counted(self: Mel, audio: Audio) -> np.ndarray:
        calls.append(self.key)
        return features(self, audio)

    monkeypatch.setattr(Mel, "features", counted)
    estimator = Estimator(tasks=("tempo", "pace", "toy"), models={"toy": path})
    estimator.from_audio(tones(300.0), SR)
    assert len(calls) == 1


def test_a_front_end_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    front_end = FrontEnd(hop_length=256)
    spectrum = Mel(front_end, filterbank())
    path = toys.save(tmp_path, front_end=front_end, spectrum=spectrum)
    estimator = Estimator(tasks=("tempo", "pace", "toy"), models={"toy": path})
    plain = Estimator(tasks=("tempo", "pace")).from_audio(tones(300.0), SR)
    found = estimator.from_audio(tones(300.0), SR)
    assert found == plain
    assert 0 < found.columns["brightness"] < 1
    with pytest.raises(ConfigError, match="take different features"):
        estimator.from_features(spectrum.features(tones(300.0)))


def test_another_sample_rate_is_refused(tmp_path: Path) -> None:
    front_end = dataclasses.replace(FrontEnd(), sr=16000)
    path = toys.save(tmp_path, front_end=front_end, spectrum=Mel(front_end, filterbank()))
    with pytest.raises(CheckpointError, match="different front ends"):
        Estimator(tasks=("tempo", "toy"), models={"toy": path})


def test_without_a_model_it_says_so() -> None:
    with pytest.raises(CheckpointError, match="no toy model"):
        Estimator(tasks=("tempo", "toy"))


def test_a_learned_model_is_the_default_of_its_task(path: Path, make_audio: MakeAudio) -> None:
    learned = in_use.add(path)
    assert in_use.active("toy") is None
    in_use.activate(learned.name, "toy")
    assert checkpoint.resolve("default", "toy") == learned
    assert checkpoint.resolve("default") == checkpoint.resolve("shipped")
    file = make_audio("a.flac", bpm=126)
    given = Estimator(tasks=("tempo", "toy"), models={"toy": path})
    default = Estimator(tasks=("tempo", "toy"))
    assert default.sources == given.sources
    assert default.estimate(file).columns == given.estimate(file).columns
    in_use.rollback("toy")
    assert in_use.active("toy") is None


def estimate(*args: str) -> Result:
    return CliRunner().invoke(main, ["estimate", *args])


@pytest.fixture
def in_use_now(path: Path) -> Path:
    learned = in_use.add(path)
    in_use.activate(learned.name, "toy")
    return learned


@pytest.mark.usefixtures("in_use_now")
def test_its_column_is_in_tables_and_objects(make_audio: MakeAudio, tmp_path: Path) -> None:
    file = str(make_audio("a.flac", bpm=126))
    wanted = Estimator(tasks=("tempo", "pace", "toy")).estimate(file).columns["brightness"]
    run = estimate("--tasks", "tempo,pace,toy", "--format", "tsv", file, str(tmp_path / "no.mp3"))
    assert run.exit_code == 1
    header, row, failed = (line.split("\t") for line in run.stdout.splitlines())
    assert header == ["path", "bpm", "confidence", "paces", "key", "key_confidence", "brightness",
                      "error"]  # fmt: skip
    assert float(row[6]) == wanted
    assert failed[6] == ""
    run = estimate("--tasks", "tempo,pace,toy", "--format", "json", file)
    (found,) = json.loads(run.stdout)
    assert found["brightness"] == wanted
    assert found["bpm"] == pytest.approx(126, abs=0.1)
    run = estimate("--tasks", "toy", file)
    assert f"brightness {wanted:g}" in run.stdout
    assert "BPM" not in run.stdout
    (plain,) = json.loads(estimate("--format", "json", file).stdout)
    assert "brightness" not in plain


def test_a_column_that_is_in_objects_only(tmp_path: Path, make_audio: MakeAudio) -> None:
    learned = in_use.add(toys.save(tmp_path, "toyoftempo"))
    in_use.activate(learned.name, "toyoftempo")
    file = str(make_audio("a.flac", bpm=126))
    header = estimate("--tasks", "toyoftempo", "--format", "tsv", file).stdout.splitlines()[0]
    assert "brightness_for_tempo" in header
    assert "speed" not in header
    (found,) = json.loads(estimate("--tasks", "toyoftempo", "--format", "json", file).stdout)
    assert found["error"] is None
    assert found["speed"] == "fast"


def test_the_command_line_says_what_is_missing(make_audio: MakeAudio) -> None:
    file = str(make_audio("a.flac", bpm=126))
    run = estimate("--tasks", "tempo,toy", file)
    assert run.exit_code == 1
    assert "no toy model" in run.stderr
    run = estimate("--tasks", "tempo,weather", file)
    assert run.exit_code != 0
    assert "give some of tempo, pace, key, beats, tags, toy" in run.stderr


def test_learned_models_of_it_are_listed_used_and_left_again(path: Path) -> None:
    def models(*args: str) -> Result:
        return CliRunner().invoke(main, ["models", *args])

    run = models("use", str(path))
    assert (run.exit_code, run.stdout) == (0, f"{path.stem} is in use\n")
    assert in_use.active("toy") == in_use.folder() / path.name
    assert any(path.stem in line and line.startswith("*") for line in models().stdout.splitlines())
    assert "in use" in models("remove", path.stem).stderr
    in_use.rollback("toy")
    assert models("remove", path.stem).exit_code == 0
