"""Tests of `tempo-core train --network`: runs on a small training set, killed ones included."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner, Result

from tempo_core import checkpoint, in_use
from tempo_core.background import Stopped
from tempo_core.cli import main
from tempo_core.config import FrontEnd, Windows
from tests.trainer.finetuning import die_after
from trainer.inputs.recordings import Recording
from trainer.learning.options import LearnOptions
from trainer.recipes.recipe import Augmenting, ReferenceRecipe
from trainer.reference.networks import n_frames, tempogram
from trainer.reference.train import TrainedNetwork, train
from trainer.reference.windows import HeldWindows, WindowBatches, WindowSet, starts

ROOT = Path(__file__).parents[3]
RECIPE = "epochs: 3\nbatch: 4\npasses: 2\nmost_steps: 3\nwindow: 6\nhop: 2\npatience: 9\n"


@pytest.fixture
def folder(training_set: Path, tmp_path: Path) -> Path:
    """A training set that may be changed, and a recipe for a short run beside it."""
    (tmp_path / "short.yaml").write_text(RECIPE)
    return Path(shutil.copytree(training_set, tmp_path / "set"))


def cli(*args: object) -> Result:
    return CliRunner().invoke(main, ["train", *map(str, args)])


def weights(path: Path) -> np.ndarray:
    return np.concatenate([w.ravel() for _, w in sorted(checkpoint.read(path).weights.items())])


def quickly(folder: Path, stop: object = None, name: str = "mobilenet") -> TrainedNetwork:
    options = LearnOptions(recipe=folder.parent / "short.yaml", jobs=1, quiet=True)
    return train(folder, name, options, stop or (lambda: False))  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_network_is_trained_compared_and_used(folder: Path) -> None:
    result = cli(
        "--network", "convblocks", "--recipe", folder.parent / "short.yaml", "--jobs", 1, folder
    )
    assert result.exit_code == 0, result.output
    (path,) = (folder / "runs").glob("convblocks-*.safetensors")
    (run,) = (p for p in (folder / "runs").iterdir() if p.is_dir())
    lines = result.stdout.splitlines()
    assert lines[0] == f"trained convblocks on 4 labels: {path}"
    table = (run / "comparison.txt").read_text().splitlines()
    assert table == lines[1:5]
    assert [row.split()[0] for row in table[1:]] == [
        "@".join(p.stem.rsplit("-", 1)) for p in (checkpoint.resolve("shipped"), path, path)
    ]
    assert " mode " in table[3]
    # Nothing was installed.
    assert in_use.active() is None
    assert not in_use.folder().exists()
    # What it was made by is beside it, and in it.
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    assert recipe["epochs"] == 3
    assert recipe["made"]["data"].keys() == {"train", "validation"}
    assert recipe["made"]["versions"]["torch"] == torch.__version__
    card = checkpoint.read(path).header["card"]
    assert card["data"] == recipe["made"]["data"]
    assert card["recipe"]["window"] == 6.0
    assert (run / "csv").is_dir()


@pytest.mark.slow
def test_a_run_is_repeated_with_its_recipe(folder: Path, tmp_path: Path) -> None:
    first = quickly(folder)
    other = Path(shutil.copytree(folder, tmp_path / "again", ignore=shutil.ignore_patterns("runs")))
    for args in ([], ["--seed", "1"]):
        out = tmp_path / f"out{len(args)}"
        result = cli(
            "--network", "mobilenet", "--recipe", first.run / "recipe.yaml", "--out", out, *args,
            "--quiet", "--jobs", 1, other,
        )  # fmt: skip
        assert (result.exit_code, result.output) == (0, "")
        (path,) = out.iterdir()
        assert np.array_equal(weights(path), weights(first.path)) == (not args)


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_result(folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "again"))
    whole = quickly(folder)

    def after_an_epoch() -> bool:
        return any((other / "runs").glob("*/last.safetensors"))

    with pytest.raises(Stopped, match="go on from the last epoch"):
        quickly(other, after_an_epoch)
    resumed = quickly(other)
    assert np.array_equal(weights(whole.path), weights(resumed.path))


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_result(folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "again"))
    whole = quickly(folder)
    command = [sys.executable, "-m", "tests.trainer.reference.test_train", str(other)]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not list((other / "runs").glob("*.safetensors"))
    assert np.array_equal(weights(whole.path), weights(quickly(other).path))


@pytest.mark.slow
def test_the_default_network_is_trained_from_scratch(folder: Path) -> None:
    recipe = folder.parent / "tempo.yaml"
    recipe.write_text("epochs: 1\nbatch: 4\nmost_steps: 2\nschedule: constant\n")
    result = cli("--network", "tempo", "--recipe", recipe, folder)
    assert result.exit_code == 0, result.output
    (path,) = (folder / "runs").glob("tempo-*.safetensors")
    model = checkpoint.load(path)
    assert model.card["method"] == "fit from scratch"
    (run,) = (p for p in (folder / "runs").iterdir() if p.is_dir())
    assert yaml.safe_load((run / "recipe.yaml").read_text())["for"] == "tempo"
    assert path.stem.rsplit("-", 1)[0] in (run / "comparison.txt").read_text()
    assert in_use.active() is None


@pytest.mark.slow
def test_a_file_that_is_gone_is_one_line(folder: Path) -> None:
    table = folder / "tracks.tsv"
    header, *rows = table.read_text().splitlines()
    k = next(k for k, row in enumerate(rows) if "\ttrain" in row)
    path = rows[k].split("\t")[header.split("\t").index("path")]
    rows[k] = rows[k].replace(path, f"{path}.gone")
    table.write_text("\n".join([header, *rows]) + "\n")
    result = cli(
        "--network", "mobilenet", "--recipe", folder.parent / "short.yaml", "--jobs", 1, folder
    )
    assert result.exit_code == 1
    assert result.stdout.startswith("trained mobilenet on 3 labels")
    assert [line for line in result.stderr.splitlines() if "epoch" not in line] == [
        f"{path}.gone: no such file"
    ]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--network", "convblocks", "--method", "fit"], "--method: not for --network"),
        (["--network", "convblocks", "--from-scratch"], "--from-scratch: not for --network"),
        (["--network", "convblocks", "--install-anyway"], "--install-anyway: not for --network"),
        (["--network", "resnet"], "'resnet' is not one of"),
        (["--task", "key", "--network", "tempo"], "--network: not for --task key"),
        (["--task", "pace", "--recipe", "r.yaml"], "--recipe: not for --task pace"),
        (["--method", "adapt", "--recipe", "{short}"], "not for adapt; say --method fit"),
        (["--recipe", "{short}"], "not for shift, which auto means here; say --method fit"),
        (["--method", "fit", "--recipe", "{short}"], "there is no key 'window'"),
        (["--network", "tempo", "--recipe", "{short}"], "there is no key 'window'"),
        (["--network", "convblocks", "--recipe", "none.yaml"], "no recipe none.yaml"),
    ],
)
def test_what_does_not_go_together_is_refused(args: list[str], message: str, folder: Path) -> None:
    short = str(folder.parent / "short.yaml")
    result = cli(*(arg.replace("{short}", short) for arg in args), folder)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert not (folder / "runs").exists()


def windows_of(tmp_path: Path, lengths: list[int], rng: np.random.Generator) -> WindowSet:
    recordings, paths = [], []
    for k, n in enumerate(lengths):
        path = tmp_path / f"{k}.npy"
        np.save(path, rng.random((40, n)).astype(np.float16))
        recordings.append(Recording(path, "collection", ((100.0 + k, 1.0),), "train", str(k)))
        paths.append(path)
    return WindowSet.of(recordings, paths, FrontEnd(), Windows(10.0, 5.0))


def test_windows_are_ten_seconds_every_five(tmp_path: Path, rng: np.random.Generator) -> None:
    fps = FrontEnd().fps
    length, hop = n_frames(FrontEnd(), Windows(10.0, 5.0)), round(5 * fps)
    assert starts(round(41 * fps), FrontEnd(), Windows(10.0, 5.0)).tolist() == [
        k * hop for k in range(7)
    ]
    windows = windows_of(tmp_path, [round(41 * fps), 100], rng)
    assert [len(own) for own in windows.starts] == [7, 1]
    cut = windows.cut(0, windows.starts[0].tolist(), length)
    whole = windows.features(0).astype(np.float32)
    np.testing.assert_array_equal(cut[6], whole[:, 6 * hop : 6 * hop + length])
    held = HeldWindows(windows, tempogram, length)
    seen, tempi = held[0]
    assert len(seen) == len(tempi) == 6
    np.testing.assert_array_equal(seen[0].numpy(), tempogram(cut[:1])[0])
    seen, tempi = held[1]
    assert (len(seen), tempi.tolist()) == (1, [101.0])


def test_a_batch_is_a_function_of_epoch_and_step(tmp_path: Path, rng: np.random.Generator) -> None:
    windows = windows_of(tmp_path, [2000, 900, 100], rng)
    recipe = ReferenceRecipe(epochs=2, batch=4, passes=3)

    def make(rank: int, world: int) -> WindowBatches:
        return WindowBatches(windows, tempogram, recipe, rank, world)

    whole, first, second = make(0, 1), make(0, 2), make(1, 2)
    assert (whole.steps, len(whole)) == (2, 4)
    for k in (3, 0, 3):
        for all_, even, odd in zip(whole[k], first[k], second[k], strict=True):
            assert torch.equal(all_[0::2], even)
            assert torch.equal(all_[1::2], odd)
    assert not torch.equal(whole[0][0], whole[2][0])


def test_a_stretched_window_has_a_stretched_label(tmp_path: Path) -> None:
    fps = FrontEnd().fps
    tempo = 120.0
    frames = np.arange(round(30 * fps))
    pulses = (np.modf(frames / fps * tempo / 60)[0] < 0.1).astype(np.float16)
    np.save(tmp_path / "0.npy", np.tile(pulses, (40, 1)))
    recording = Recording(tmp_path / "0.npy", "collection", ((tempo, 1.0),), "train", "0")
    windows = WindowSet.of([recording], [tmp_path / "0.npy"], FrontEnd(), Windows(10.0, 5.0))
    recipe = ReferenceRecipe(augmentation=Augmenting(12, 0.0, 0.0))
    found = set()
    for seed in range(12):
        batches = WindowBatches(windows, tempogram, recipe)
        window, bpm = batches.draw(0, np.random.default_rng(seed))
        onsets = np.flatnonzero(np.diff(window[0]) > 0.5)
        period = np.diff(onsets[onsets > 0]).mean() / fps
        assert 60 / period == pytest.approx(bpm, rel=0.02)
        found.add(round(bpm))
    assert min(found) < 115 < 125 < max(found)


if __name__ == "__main__":
    die_after(2)
    quickly(Path(sys.argv[1]))
