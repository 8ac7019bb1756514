"""Tests of the reference networks: they learn, work as models, and one leaks as intended."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from trainer.research.evaluate import main as evaluate_with_references
from trainer.research.reference.__main__ import main as compare
from trainer.research.reference.__main__ import save_reference
from trainer.research.reference.estimator import (
    Answers,
    ReferenceEstimator,
    open_reference,
    padded,
)
from trainer.research.reference.networks import (
    FOLD_MAX,
    FOLD_MIN,
    N_CLASSES,
    REFERENCES,
    band_autocorrelation,
    fold,
    n_frames,
    tempogram,
)
from trainer.research.reference.training import (
    ListedWindows,
    RandomWindows,
    ReferenceSettings,
    cut,
    measure_leak,
    train,
)

from tempo_core import checkpoint
from tempo_core.cli import main
from tempo_core.config import FrontEnd, Windows
from tempo_core.errors import AudioError, CheckpointError, ConfigError
from tempo_core.spectrum import mel_spectrogram
from tests.audio import click_track
from trainer.evaluation import baselines
from trainer.files import kept
from trainer.inputs.recordings import Recording
from trainer.inputs.views import filterbank

FRONT_END, WINDOWS = FrontEnd(), Windows()
LENGTH = n_frames(FRONT_END, WINDOWS)
MakeAudio = Callable[..., Path]


def features_of(bpm: float, duration: float = 14) -> np.ndarray:
    audio = click_track(bpm, duration, FRONT_END.sr)
    return mel_spectrogram(audio, FRONT_END, filterbank(FRONT_END))


@pytest.mark.parametrize("bpm", [30.0, 85.0, 85.01, 100.0, 170.0, 170.01, 340.0, 41.3])
def test_folding_changes_the_octave_only(bpm: float) -> None:
    folded = float(fold(torch.tensor(bpm)))
    assert FOLD_MIN - 1e-3 < folded <= FOLD_MAX + 1e-3
    assert np.log2(folded / bpm) == pytest.approx(round(np.log2(folded / bpm)), abs=1e-5)


def test_every_tempo_of_the_octave_has_its_class() -> None:
    reference = REFERENCES["convblocks"]
    for bpm in np.linspace(85.01, 170, 40):
        logits = torch.full((1, N_CLASSES), -30.0)
        for k in range(N_CLASSES):
            logits[0, k] = 30.0
            if float(reference.loss(logits, torch.tensor([bpm]))) < 1e-3:
                break
            logits[0, k] = -30.0
        assert float(reference.decode(logits)[0]) == pytest.approx(bpm, abs=0.5 + 1e-6)


@pytest.mark.parametrize("bpm", [70.0, 100.0, 140.0])
def test_the_views_peak_at_the_beat(bpm: float) -> None:
    window = features_of(bpm)[None, :, :LENGTH]
    lag = 60 * FRONT_END.fps / bpm
    acf = band_autocorrelation(window)[0, 0].mean(axis=0)
    local = tempogram(window)[0, 0].mean(axis=-1)
    for curve in (acf, local):
        lags = np.arange(1, curve.size + 1)
        near = curve[np.abs(lags - lag) <= 1.5].max()
        between = curve[(lags > 0.3 * lag) & (lags < 0.8 * lag)].max()
        assert near > 0.5
        assert near > 2 * between


@pytest.mark.slow
@pytest.mark.parametrize("name", REFERENCES)
def test_one_batch_can_be_learned(name: str) -> None:
    tempi = [90.0, 105.0, 120.0, 135.0, 150.0, 165.0]
    windows = np.stack([features_of(bpm)[:, :LENGTH] for bpm in tempi])
    settings = ReferenceSettings(steps=200, batch=12)
    source = ListedWindows(windows, torch.tensor(tempi), settings)
    network = train(REFERENCES[name], source, FRONT_END, WINDOWS, settings)
    with torch.inference_mode():
        output = network(torch.from_numpy(REFERENCES[name].view(windows)))
    found = REFERENCES[name].decode(output).numpy()
    np.testing.assert_allclose(found, tempi, rtol=0.06)


def test_training_is_repeatable(rng: np.random.Generator) -> None:
    features = [rng.random((40, 1100)).astype(np.float16) for _ in range(3)]
    recordings = [
        Recording(Path(str(k)), source, ((120.0, 1.0),), "train", "g")
        for k, source in enumerate(("songs", "rhythm", "synthesis:house"))
    ]
    settings = ReferenceSettings(steps=2, batch=4)
    weights = []
    for _ in range(2):
        source = RandomWindows(recordings, features, FRONT_END, WINDOWS, settings)
        network = train(REFERENCES["mobilenet"], source, FRONT_END, WINDOWS, settings)
        weights.append(torch.cat([w.flatten() for w in network.parameters()]))
    assert torch.equal(*weights)


def test_answers_are_pooled() -> None:
    answers = Answers(np.array([120.0, 120.0, 90.0, 119.0, 91.0]))
    assert (answers.median(), answers.mode()) == (119.0, 120.0)
    assert answers.agreeing(120.0) == pytest.approx(0.6)
    assert Answers(np.array([90.0, 100.0, 130.0])).mode() == 100.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = REFERENCES["convblocks"].make(FRONT_END, WINDOWS)
    return save_reference(tmp_path_factory.mktemp("models"), "convblocks", network, {})


def test_a_model_file_is_used_like_any_other(
    model: Path,
    make_audio: MakeAudio,
    tmp_path: Path,
    bad_files: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = make_audio("a.wav", duration=20, sr=22050, channels=1)
    estimator = open_reference(model, 6)
    assert estimator.source.startswith("model:convblocks-")
    estimate = estimator.estimate(path)
    assert FOLD_MIN <= estimate.bpm <= FOLD_MAX
    assert 0 < estimate.confidence <= 1
    assert estimator.estimate(path) == estimate
    assert ReferenceEstimator(model, "all", "mode").estimate(path).bpm >= FOLD_MIN
    for bad in bad_files.values():
        with pytest.raises(AudioError):
            estimator.estimate(bad)
    table = tmp_path / "t.tsv"
    table.write_text("path\tbpm\na.wav\t126\n")
    args = ["evaluate", str(table), "--out", str(tmp_path / "out"), "--model", str(model)]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 1
    assert "is a model for 'convblocks'" in result.output
    monkeypatch.setattr(baselines, "OTHER_DESIGNS", {})
    with pytest.raises(SystemExit) as done:
        evaluate_with_references(args[1:])
    assert done.value.code == 0
    assert estimator.source.removeprefix("model:") in capsys.readouterr().out


def test_a_short_file_is_filled_up(model: Path, make_audio: MakeAudio) -> None:
    estimate = open_reference(model, 6).estimate(
        make_audio("a.wav", duration=3, sr=22050, channels=1)
    )
    assert FOLD_MIN <= estimate.bpm <= FOLD_MAX
    assert padded(np.ones((40, 10), np.float32), 30).shape == (40, 30)


def test_wrong_models_and_settings_are_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a model for 'convblocks'; give one for 'tempo'"):
        checkpoint.load(model)
    with pytest.raises(CheckpointError, match="is a model for 'tempo'; give one for convblocks"):
        ReferenceEstimator(checkpoint.resolve("default"))
    with pytest.raises(ConfigError, match="windows"):
        ReferenceEstimator(model, 0)
    with pytest.raises(ConfigError, match="pool"):
        ReferenceEstimator(model, pool="mean")
    altered = tmp_path / model.name
    altered.write_bytes(model.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match="does not match its name"):
        open_reference(altered, 6)


@pytest.mark.slow
def test_windows_of_known_recordings_look_better_than_they_are(rng: np.random.Generator) -> None:
    """Labels that the sound cannot tell can only be remembered: that is what the leak measures."""

    def noise(n: int, seed: int) -> tuple[list[Recording], list[np.ndarray]]:
        rng = np.random.default_rng(seed)
        recordings, features = [], []
        for k in range(n):
            bpm = float(rng.choice([90.0, 110.0, 130.0, 150.0]))
            recordings.append(Recording(Path(str(k)), "songs", ((bpm, 1.0),), "train", str(k)))
            # Every recording pulses at a rate of its own that says nothing about its label.
            features.append(features_of(float(rng.uniform(60, 200)), 40))
        return recordings, features

    known, unknown = (cut(*noise(8, seed), FRONT_END, WINDOWS) for seed in (0, 1))
    assert known[0].shape[1:] == (40, LENGTH)
    settings = dataclasses.replace(ReferenceSettings(), steps=60, batch=16, augment=False)
    leak = measure_leak(REFERENCES["convblocks"], known, unknown, FRONT_END, WINDOWS, settings)
    assert leak.n_training_windows + leak.known.n == len(known[1])
    assert leak.known.acc1 > leak.unknown.acc1 + 0.3
    assert leak.known.mean < leak.unknown.mean


def labelled_folder(make_audio: MakeAudio, tmp_path: Path) -> Path:
    """A folder with four labelled songs in every table that the comparison reads."""
    data = tmp_path / "data"
    names = [f"data/{k}.wav" for k in range(4)]
    for k, name in enumerate(names):
        make_audio(name, bpm=100 + 10 * k, duration=26, sr=22050, channels=1)
    split = ["train", "train", "validation", "validation"]
    songs = ["file\tsplit\tartist\ttitle\tgenre\tbpm\tbpm_published\talt\talt_kind\tkey"]
    rhythm, clips = ["file\tsplit\tsong\tbpm\tdoubtful"], ["file\tstyle\tbpm\tsplit"]
    for k in range(4):
        songs.append(f"{k}.wav\t{split[k]}\tA{k}\tT\tpop\t{100 + 10 * k}\t\t\t\t")
        rhythm.append(f"{k}.wav\t{split[k]}\tS{k}\t{100 + 10 * k}\t")
        clips.append(f"{k}.wav\thouse\t{100 + 10 * k}\ttrain")
    for table, lines in (("songs", songs), ("rhythm", rhythm), ("clips", clips)):
        (data / f"{table}.tsv").write_text("\n".join(lines) + "\n")
    return data


@pytest.mark.slow
def test_the_comparison_runs_and_goes_on(make_audio: MakeAudio, tmp_path: Path) -> None:
    data = labelled_folder(make_audio, tmp_path)
    out = tmp_path / "out"
    args = ["--data", data, "--clips", data, "--cache", tmp_path / "cache", "--out", out]
    runs = []
    for _ in range(2):
        result = CliRunner().invoke(compare, [*map(str, args), "--steps", "2"])
        assert result.exit_code == 0, result.output
        runs.append(result.stdout)
    assert runs[0] == runs[1]
    assert len(list(out.glob("*.safetensors"))) == 3
    for name in ("tempo", *REFERENCES):
        (path,) = out.glob(f"{name}-0-*.json")
        kept = json.loads(path.read_text())
        assert kept["parameters"] > 50_000
    assert kept["mode"]["songs"]["n"] == 2
    (path,) = out.glob("leak-0-*.json")
    leak = json.loads(path.read_text())
    assert leak["n_training_windows"] + leak["known"]["n"] == 2 * 2 * 3


def test_figures_are_those_of_the_arguments(tmp_path: Path) -> None:
    def figures(arguments: object) -> dict[str, object]:
        return kept(tmp_path, "tempo-0", arguments, lambda: {"made with": arguments})

    assert figures([0, 900]) == figures([0, 900]) == {"made with": [0, 900]}
    assert figures([0, 2]) == {"made with": [0, 2]}
    (path,) = [p for p in tmp_path.iterdir() if "900" in p.read_text()]
    path.write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        figures([0, 900])


def test_other_steps_are_not_an_earlier_runs_figures(make_audio: MakeAudio, tmp_path: Path) -> None:
    data = labelled_folder(make_audio, tmp_path)
    out = tmp_path / "out"
    args = ["--data", data, "--clips", data, "--cache", tmp_path / "cache", "--out", out]
    told = [
        CliRunner().invoke(compare, [*map(str, args), "--only", "leak", "--steps", steps]).stdout
        for steps in ("1", "2", "1")
    ]
    assert told[0] == told[2] != told[1]
    assert len(list(out.glob("leak-*.json"))) == 2
