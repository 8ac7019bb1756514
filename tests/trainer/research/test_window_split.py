"""Tests of what a split by window is worth: the leak is measured, by the arguments of the run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tempo_core.config import FrontEnd, Windows
from tempo_core.errors import ConfigError
from tempo_core.spectrum import mel_spectrogram
from tests.audio import click_track
from trainer.files import kept
from trainer.inputs.recordings import Recording
from trainer.inputs.views import filterbank
from trainer.recipes.recipe import Augmenting, ReferenceRecipe
from trainer.reference.windows import WindowSet
from trainer.research.window_split import divided, main, measure_leak

FRONT_END, WINDOWS = FrontEnd(), Windows(10.0, 5.0)


def pulses(folder: Path, n: int, seed: int) -> WindowSet:
    """Recordings that pulse at rates of their own, which say nothing about their labels."""
    rng = np.random.default_rng(seed)
    recordings, paths = [], []
    for k in range(n):
        bpm = float(rng.choice([90.0, 110.0, 130.0, 150.0]))
        path = folder / f"{seed}-{k}.npy"
        audio = click_track(float(rng.uniform(60, 200)), 40, FRONT_END.sr)
        features = mel_spectrogram(audio, FRONT_END, filterbank(FRONT_END))
        np.save(path, features.astype(np.float16))
        recordings.append(Recording(path, "songs", ((bpm, 1.0),), "train", str(k)))
        paths.append(path)
    return WindowSet.of(recordings, paths, FRONT_END, WINDOWS)


def test_windows_are_divided(tmp_path: Path) -> None:
    windows = pulses(tmp_path, 3, 0)
    inside, outside = divided(windows, 0)
    both = [
        (path, first)
        for part in (inside, outside)
        for path, own in zip(part.paths, part.starts, strict=True)
        for first in own.tolist()
    ]
    assert sorted(both) == [
        (path, first)
        for path, own in zip(windows.paths, windows.starts, strict=True)
        for first in own.tolist()
    ]
    assert 0 < sum(map(len, outside.starts)) < sum(map(len, inside.starts))


@pytest.mark.slow
def test_windows_of_known_recordings_look_better_than_they_are(tmp_path: Path) -> None:
    """Labels that the sound cannot tell can only be remembered: that is what the leak measures."""
    recipe = ReferenceRecipe(
        epochs=4, batch=16, passes=100, most_steps=20, learning_rate=2e-3, patience=9,
        augmentation=Augmenting(0, 0.0, 0.0),
    )  # fmt: skip
    known, unknown = pulses(tmp_path, 8, 0), pulses(tmp_path, 8, 1)
    # The best epoch is chosen by what nobody could learn: the last one is as good as any.
    leak = measure_leak(known, known, recipe, tmp_path / "run")
    assert leak.n_training_windows + leak.known.n == sum(map(len, known.starts))
    other = measure_leak(known, unknown, dataclasses.replace(recipe, epochs=5), tmp_path / "other")
    assert leak.known.acc1 > other.unknown.acc1 + 0.3
    assert leak.known.mean < other.unknown.mean


def test_figures_are_those_of_the_arguments(tmp_path: Path) -> None:
    def figures(arguments: object) -> dict[str, object]:
        return kept(tmp_path, "leak-0", arguments, lambda: {"made with": arguments})

    assert figures([0, 900]) == figures([0, 900]) == {"made with": [0, 900]}
    assert figures([0, 2]) == {"made with": [0, 2]}
    (path,) = [p for p in tmp_path.iterdir() if "900" in p.read_text()]
    path.write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        figures([0, 900])


@pytest.mark.slow
def test_other_epochs_are_not_an_earlier_runs_figures(
    make_audio: Callable[..., Path], tmp_path: Path
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    split = ["train", "train", "validation", "validation"]
    songs = ["file\tsplit\tartist\ttitle\tgenre\tbpm\tbpm_published\talt\talt_kind\tkey"]
    rhythm = ["file\tsplit\tsong\tbpm\tdoubtful"]
    for k in range(4):
        make_audio(f"data/{k}.wav", bpm=100 + 10 * k, duration=26, sr=22050, channels=1)
        songs.append(f"{k}.wav\t{split[k]}\tA{k}\tT\tpop\t{100 + 10 * k}\t\t\t\t")
        rhythm.append(f"{k}.wav\t{split[k]}\tS{k}\t{100 + 10 * k}\t")
    (data / "songs.tsv").write_text("\n".join(songs) + "\n")
    (data / "rhythm.tsv").write_text("\n".join(rhythm) + "\n")
    args = ["--data", data, "--cache", tmp_path / "cache", "--out", out]
    told = []
    for epochs in ("1", "2", "1"):
        result = CliRunner().invoke(main, [*map(str, args), "--epochs", epochs])
        assert result.exit_code == 0, result.output
        told.append(result.stdout)
    assert told[0] == told[2] != told[1]
    assert len(list(out.glob("leak-*.json"))) == 2
    leak = json.loads(told[0])
    assert leak["n_training_windows"] + leak["known"]["n"] == 2 * 2 * 4
