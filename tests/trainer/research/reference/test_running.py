"""Tests of whole runs on made sounds: learning, going on, ending early, files, the command."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save

from tempo_core.background import Stopped, never
from tempo_core.errors import CheckpointError, ConfigError
from tests.trainer.finetuning import die_after
from tests.trainer.research.reference.conftest import SMALL
from trainer.learning.plain_checkpoint import PlainCheckpointIO
from trainer.research.reference.__main__ import main
from trainer.research.reference.inputs import InputConfig
from trainer.research.reference.model import KIND, TagModel
from trainer.research.reference.networks import FRONT_ENDS, TagNetwork
from trainer.research.reference.published import read_source
from trainer.research.reference.recipe import TagRecipe, read_recipe, write_recipe
from trainer.research.reference.running import RunOptions, TrainedTags, train_tags
from trainer.research.reference.training import Material, WindowBatches

ROOT = Path(__file__).parents[4]


def options(folder: Path, **given: object) -> RunOptions:
    return RunOptions(folder / "out", folder / "cache", never, 1, quiet=True, **given)  # type: ignore[arg-type]


def run(made: Path, folder: Path, recipe: TagRecipe = SMALL, **given: object) -> TrainedTags:
    return train_tags(read_source(made / "tags.tsv")[0], recipe, options(folder, **given))


def weights(folder: Path) -> np.ndarray:
    state = TagModel.read(folder / "model.safetensors").network.state_dict()
    return np.concatenate([w.numpy().ravel() for _, w in sorted(state.items())])


def cli(*args: object) -> Result:
    return CliRunner().invoke(main, list(map(str, args)))


@pytest.mark.parametrize("name", FRONT_ENDS)
@pytest.mark.parametrize("window", [1.0, 3.2])
def test_networks_answer_windows_of_any_length(name: str, window: float) -> None:
    inputs = InputConfig(name, 8000, 16, window)
    network = TagNetwork(dataclasses.replace(SMALL, inputs=inputs), 5)
    shape = (inputs.n_frames,) if name == "waveform" else (inputs.n_frames, 16)
    logits = network(torch.randn(2, *shape))
    assert logits.shape == (2, 5)
    logits.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.slow
def test_what_a_run_leaves_behind(made_sounds: Path, tmp_path: Path) -> None:
    found = run(made_sounds, tmp_path)
    assert not found.failed
    names = {path.name for path in found.folder.iterdir()}
    assert names >= {
        "recipe.json", "model.safetensors", "figures.json", "figures.txt", "csv", "tensorboard",
        "best.safetensors", "last.safetensors",
    }  # fmt: skip
    assert list((found.folder / "tensorboard").rglob("events.*"))
    figures = json.loads((found.folder / "figures.json").read_text())
    assert [tag["tag"] for tag in figures["tags"]] == ["all", "deep", "noisy"]
    assert len(figures["auc_pr_interval"]) == 2
    table = (found.folder / "figures.txt").read_text().splitlines()
    assert [line.split()[0] for line in table] == ["tag", "all", "deep", "noisy", "mean"]
    recipe = json.loads((found.folder / "recipe.json").read_text())
    assert recipe["made"]["tags"] == {"all": 11, "deep": 6, "noisy": 6}
    model = TagModel.read(found.folder / "model.safetensors")
    assert (model.recipe, model.tags) == (SMALL, ("all", "deep", "noisy"))
    assert len(model.card["history"]["rows"]) == 3
    # A finished run is not trained again, and its own recipe gives the same run.
    again = run(made_sounds, tmp_path, read_recipe(found.folder / "recipe.json"))
    assert again.folder == found.folder
    assert len(TagModel.read(again.folder / "model.safetensors").card["history"]["rows"]) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", FRONT_ENDS)
def test_a_network_learns_to_tell_tones_from_noise(
    made_sounds: Path, tmp_path: Path, name: str
) -> None:
    recipe = dataclasses.replace(
        SMALL, epochs=25, passes=8, learning_rate=1e-2, patience=25, schedule="constant",
        inputs=dataclasses.replace(SMALL.inputs, front_end=name),
        sizes=dataclasses.replace(SMALL.sizes, filters=8, units=8),
    )  # fmt: skip
    found = run(made_sounds, tmp_path, recipe)
    figures = {
        tag["tag"]: tag for tag in json.loads((found.folder / "figures.json").read_text())["tags"]
    }
    assert figures["deep"]["auc_roc"] == figures["noisy"]["auc_roc"] == 1.0
    files = [made_sounds / "2.wav", made_sounds / "3.wav"]
    result = cli("tag", found.folder / "model.safetensors", *files, "--most", 3)
    assert result.exit_code == 0
    deep, noisy = (
        {
            tag: float(score)
            for tag, score in (pair.split(":") for pair in line.split(": ")[1].split())
        }
        for line in result.stdout.splitlines()
    )
    assert noisy["noisy"] > deep["noisy"]
    assert noisy["deep"] < deep["deep"]


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_result(made_sounds: Path, tmp_path: Path) -> None:
    whole = run(made_sounds, tmp_path)
    other = tmp_path / "other"

    def after_an_epoch() -> bool:
        return any((other / "out").glob("*/last.safetensors"))

    stopping = dataclasses.replace(options(other), stop=after_an_epoch)
    with pytest.raises(Stopped, match="go on from the last epoch"):
        train_tags(read_source(made_sounds / "tags.tsv")[0], SMALL, stopping)
    assert not list(other.rglob("model.safetensors"))
    assert np.array_equal(weights(run(made_sounds, other).folder), weights(whole.folder))


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_result(made_sounds: Path, tmp_path: Path) -> None:
    whole, other = run(made_sounds, tmp_path), tmp_path / "other"
    command = [sys.executable, "-m", "tests.trainer.research.reference.test_running",
               str(made_sounds), str(other)]  # fmt: skip
    killed = subprocess.run(command, cwd=ROOT, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert np.array_equal(weights(run(made_sounds, other).folder), weights(whole.folder))


@pytest.mark.slow
def test_a_run_that_gets_no_better_ends_early(made_sounds: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(
        SMALL, epochs=50, patience=1, learning_rate=1e-8, monitor="loss", schedule="constant"
    )
    found = run(made_sounds, tmp_path, recipe)
    last = found.folder / "last.safetensors"
    assert PlainCheckpointIO().load_checkpoint(last)["epoch"] < 30
    before = last.read_bytes(), (found.folder / "model.safetensors").read_bytes()
    assert run(made_sounds, tmp_path, recipe).folder == found.folder  # it does not learn on
    assert (last.read_bytes(), (found.folder / "model.safetensors").read_bytes()) == before


def test_a_batch_is_a_function_of_epoch_and_step(tmp_path: Path) -> None:
    class Counted:
        """A track whose frames are numbered."""

        length = 40000

        def read(self, first: int, n_frames: int) -> np.ndarray:
            return np.arange(first, first + n_frames, dtype=np.float32)

    recipe = dataclasses.replace(SMALL, inputs=InputConfig("waveform", 8000, window=1.0))
    material = Material([Counted()] * 6, np.eye(6))  # type: ignore[list-item]
    whole, part = WindowBatches(material, recipe), WindowBatches(material, recipe, 1, 2)
    seen, truth = whole[4]
    assert torch.equal(seen, whole[4][0])
    assert torch.equal(seen[1::2], part[4][0])
    assert torch.equal(truth[1::2], part[4][1])
    assert not torch.equal(seen, whole[5][0])
    starts = torch.cat([whole[k][0][:, 0] for k in range(len(whole))])
    assert starts.min() < 8000
    assert starts.max() > 24000
    assert starts.max() <= 32000


@pytest.mark.parametrize("damage", ["cut", "other recipe", "junk", "missing"])
def test_a_model_file_that_is_damaged_is_one_message(
    made_sounds: Path, tmp_path: Path, damage: str
) -> None:
    network = TagNetwork(SMALL, 2)
    path = tmp_path / "m.safetensors"
    TagModel(network, SMALL, ("a", "b"), {}).save(path)
    assert TagModel.read(path).scores(made_sounds / "0.wav").shape == (2,)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-5])
    elif damage == "other recipe":
        TagModel(network, SMALL, ("a", "b", "c"), {}).save(path)
    elif damage == "junk":
        path.write_bytes(b"\x80\x04junk")
    else:
        path.unlink()
    with pytest.raises(CheckpointError, match="is no model of this pipeline") as raised:
        TagModel.read(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "change",
    [
        {"tags": "ab"}, {"tags": ["a", "a"]}, {"tags": ["a\nb", "c"]}, {"tags": [5, 6]},
        {"tags": None}, {"recipe": 5}, {"recipe": [1]}, {"card": 5}, {"kind": None}, None,
    ],
)  # fmt: skip
def test_a_header_that_makes_no_sense_is_one_message(
    tmp_path: Path, change: dict[str, object] | None
) -> None:
    header = {"kind": KIND, "recipe": SMALL.to_dict(), "tags": ["a", "b"], "card": {}}
    text = json.dumps(None if change is None else header | change)
    path = tmp_path / "m.safetensors"
    path.write_bytes(save(dict(TagNetwork(SMALL, 2).state_dict()), {"model": text}))
    with pytest.raises(CheckpointError, match="is no model of this pipeline"):
        TagModel.read(path)


def test_weights_that_are_no_numbers_and_pipes_are_refused(tmp_path: Path) -> None:
    network = TagNetwork(SMALL, 2)
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    TagModel(network, SMALL, ("a", "b"), {}).save(tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match="no finite numbers"):
        TagModel.read(tmp_path / "m.safetensors")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="not a regular file"):
        TagModel.read(tmp_path / "pipe")


def test_a_row_that_is_no_use_is_one_line(made_sounds: Path, tmp_path: Path) -> None:
    table = tmp_path / "tags.tsv"
    table.write_text((made_sounds / "tags.tsv").read_text() + "\tdeep\tArtist G\n")
    recipe = write_recipe(tmp_path, dataclasses.replace(SMALL, epochs=1), {})
    result = cli(
        "train", table, "--audio", made_sounds, "--recipe", recipe, "--out", tmp_path / "out",
        "--cache", tmp_path / "cache", "--jobs", 1, "--quiet",
    )  # fmt: skip
    assert result.exit_code == 1
    assert result.output == f"{table}, line 14: no path\n"
    assert list((tmp_path / "out").glob("*/figures.json"))


def test_nothing_that_can_be_measured_is_one_message(made_sounds: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(SMALL, cleaning=dataclasses.replace(SMALL.cleaning, most=1))
    with pytest.raises(ConfigError, match="no tag is on some tracks of the validation side"):
        run(made_sounds, tmp_path, recipe)


def test_the_command_trains_and_goes_on_without_a_bad_file(
    made_sounds: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(made_sounds, tmp_path / "sounds")
    (folder / "3.wav").write_bytes(b"no audio")
    recipe = write_recipe(tmp_path, dataclasses.replace(SMALL, epochs=1), {})
    result = cli(
        "train", folder / "tags.tsv", "--recipe", recipe, "--front-end", "waveform", "--out",
        tmp_path / "out", "--cache", tmp_path / "cache", "--jobs", 1,
    )  # fmt: skip
    assert result.exit_code == 1
    assert f"{folder / '3.wav'}: cannot be" in result.stderr
    assert "waveform: 3 tags; tracks: train" in result.stdout
    assert list((tmp_path / "out").glob("waveform-*/model.safetensors"))
    (model,) = (tmp_path / "out").glob("waveform-*/model.safetensors")
    tagged = cli("tag", model, folder / "1.wav", folder / "3.wav", folder / "2.wav")
    assert tagged.exit_code == 1
    assert len(tagged.stdout.splitlines()) == 2
    assert len(tagged.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ('{"epoch": 1}', "there is no key 'epoch'"),
        (None, "no tag is left of 3"),
        ("", "is no JSON"),
    ],
)
def test_the_command_refuses_in_one_line(
    made_sounds: Path, tmp_path: Path, recipe: str | None, message: str
) -> None:
    given: list[object] = []
    if recipe is not None:
        (tmp_path / "r.json").write_text(recipe)
        given = ["--recipe", tmp_path / "r.json"]
    places = ["--out", tmp_path / "out", "--cache", tmp_path / "cache"]
    result = cli("train", made_sounds / "tags.tsv", *places, *given)
    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


if __name__ == "__main__":
    die_after(2)
    run(Path(sys.argv[1]), Path(sys.argv[2]))
