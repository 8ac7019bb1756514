"""Tests of fitting the whole network: reproducible batches, and runs that are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator
from safetensors.numpy import load_file

from tempo_core import checkpoint, methods
from tempo_core.background import Stopped
from tempo_core.console import explain
from tempo_core.errors import CheckpointError, ConfigError
from tempo_core.network import Network
from tempo_core.tasks.tempo.config import TempoConfig
from tests.audio import drum_pattern, write_audio
from trainer.evaluation.history import Row, read_history
from trainer.inputs.recordings import Recording
from trainer.learning import guard as guards
from trainer.learning import network
from trainer.learning.epochs import FitRun, check_accelerator, schedule_of
from trainer.learning.job import Failure, Job
from trainer.learning.network_fitting import Batches, FitData, finetune
from trainer.learning.options import LearnOptions
from trainer.learning.plain_checkpoint import PlainCheckpointIO
from trainer.learning.prior_fitting import adaptable
from trainer.learning.processes import Processes
from trainer.recipes.reading import fit_recipe
from trainer.recipes.recipe import FitRecipe

from ..finetuning import RECIPE, corpus, run

ROOT = Path(__file__).parents[3]


def process(folder: Path, devices: int = 1, *die_after: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.trainer.finetuning", str(folder), str(devices)]
    command += map(str, die_after)
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def assert_same(a: dict[str, Any], b: dict[str, Any], tolerance: float) -> None:
    assert a.keys() == b.keys()
    for name, value in a.items():
        np.testing.assert_allclose(value, b[name], atol=tolerance, rtol=0, err_msg=name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Network, list[Row]]:
    """A run that was not interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, *run(folder)


def test_a_batch_is_a_function_of_epoch_and_step(tmp_path: Path) -> None:
    guard = guards.load(checkpoint.load(checkpoint.resolve("shipped")))
    data = FitData(corpus(tmp_path, 5, "train"), corpus(tmp_path, 2, "validation"), guard)

    def make(rank: int, world: int) -> Batches:
        return Batches(data, TempoConfig(), RECIPE, rank, world)

    whole_, first, second = make(0, 1), make(0, 2), make(1, 2)
    for k in (7, 0, 7):
        for all_, even, odd in zip(whole_[k], first[k], second[k], strict=True):
            assert torch.equal(all_[0::2], even)
            assert torch.equal(all_[1::2], odd)
    assert not torch.equal(whole_[0][0], whole_[1][0])
    assert len(whole_) == whole_.steps * RECIPE.epochs


def test_replayed_clips_leave_the_octave_open(tmp_path: Path) -> None:
    guard = guards.load(checkpoint.load(checkpoint.resolve("shipped")))
    data = FitData(corpus(tmp_path, 2, "train"), corpus(tmp_path, 2, "validation"), guard)
    batches = Batches(data, TempoConfig(), RECIPE)
    targets = batches[0][2]
    readings = (targets.sum(dim=-1) > 0).sum(dim=-1)
    assert readings[: batches.n_own].tolist() == [1] * batches.n_own
    assert (readings[batches.n_own :] >= 2).all()


def test_it_learns_and_logs(whole: tuple[Path, Network, list[Row]]) -> None:
    folder, network, history = whole
    (run_folder,) = (folder / "runs").iterdir()
    before = adaptable(checkpoint.load(checkpoint.resolve("shipped"))).network.weights
    after = network.weights
    changed = [k for k, v in after.items() if not np.array_equal(v, before[k])]
    assert any(".blocks." in k for k in changed)
    assert any(".prior." in k for k in changed)
    assert not any("running_mean" in k for k in changed)
    (metrics,) = run_folder.rglob("metrics.csv")
    assert [row["epoch"] for row in history] == [0, 1, 2, 3]
    shares = [
        "validation_acc1", "validation_within_8_percent", "validation_acc2",
        "validation_within_10_bpm",
    ]  # fmt: skip
    errors = [f"validation_error_{p}" for p in (50, 75, 90, 95)]
    for row in history:
        assert {"loss", "validation_loss", *shares, *errors} <= set(row)
        assert all(0 <= row[name] <= 1 for name in shares)
        assert sorted(row[name] for name in errors) == [row[name] for name in errors]
    for logged, row in zip(read_history(metrics), history, strict=True):
        assert {name: logged[name] for name in row} == pytest.approx(row)
    assert list(run_folder.rglob("events.out.tfevents*"))
    assert (run_folder / "last.safetensors").exists()
    assert not list(run_folder.rglob("*.ckpt"))


@pytest.mark.slow
def test_killed_and_resumed_it_is_the_same(
    whole: tuple[Path, Network, list[Row]], tmp_path: Path
) -> None:
    started = process(tmp_path, 1, 2)
    _, told = started.communicate()
    assert started.returncode == -signal.SIGKILL, told.decode()
    (last,) = tmp_path.rglob("last.safetensors")
    resumed, history = run(tmp_path)
    logs = list(last.parent.rglob("metrics.csv"))
    assert len(logs) == 2  # both ran, neither all of it
    assert history == whole[2]
    assert [row["epoch"] for row in read_history(logs[0])] == [0, 1, 2, 3]
    assert read_history(logs[0]) == read_history(logs[1])
    assert_same(whole[1].weights, resumed.weights, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "steps",
    [
        6,
        pytest.param(4, marks=pytest.mark.slow, id="the last of an epoch"),
        pytest.param(1, marks=pytest.mark.slow, id="the first"),
        pytest.param(15, marks=pytest.mark.slow, id="the last but one"),
    ],
)
def test_asked_to_end_it_goes_on_after_the_same_step(
    steps: int, whole: tuple[Path, Network, list[Row]], tmp_path: Path
) -> None:
    """The steps are counted where Ctrl-C is looked for, after each of them."""
    processes, done = Processes(), 0

    def ask_after_some() -> bool:
        nonlocal done
        done += 1
        if done == steps:
            processes.asked.set()
        return False

    with pytest.raises(Stopped, match="ended as asked"):
        run(tmp_path, stop=ask_after_some, processes=processes)
    assert done == steps
    (folder,) = (tmp_path / "runs").iterdir()
    left = folder / ".last.safetensors.1.part"  # as a process leaves it that was killed
    left.write_bytes(b"half of it")
    assert PlainCheckpointIO().load_checkpoint(folder / "last.safetensors")["global_step"] == steps
    resumed, history = run(tmp_path)
    assert history == whole[2]
    assert_same(whole[1].weights, resumed.weights, 0.0)
    assert not left.exists()


def test_a_stopped_run_says_so_and_goes_on(tmp_path: Path) -> None:
    base = adaptable(checkpoint.load(checkpoint.resolve("shipped")))
    train, validation = corpus(tmp_path, 4, "train"), corpus(tmp_path, 1, "validation")
    stopped = FitRun(tmp_path, stop=lambda: True, quiet=True)
    with pytest.raises(Stopped, match="go on from the last epoch"):
        finetune(base, FitData(train, validation, None), RECIPE, stopped)


def test_inputs_are_computed_until_the_run_is_to_stop(tmp_path: Path) -> None:
    good, bad, gone = (tmp_path / name for name in ("good.wav", "bad.wav", "gone.wav"))
    write_audio(good, drum_pattern(120, 12, 22050, "house", np.random.default_rng(0)), 22050)
    bad.write_text("no audio")
    recordings = [
        Recording(path, "mine", ((120.0, 1.0),), "train", "A") for path in (good, bad, gone)
    ]
    model = checkpoint.load(checkpoint.resolve("shipped", "tempo"), "tempo")

    def cached(stop: bool) -> tuple[dict[int, Path], list[Failure]]:
        job = Job(methods.for_labels("tempo", 5000), LearnOptions(jobs=2, quiet=True), lambda: stop)
        return network._cached(recordings, tmp_path, model, job)

    with pytest.raises(Stopped, match="what was computed is kept"):
        cached(stop=True)
    before = {thread.name for thread in threading.enumerate()}
    kept, failed = cached(stop=False)
    assert kept.keys() == {0}
    assert kept[0].is_file()
    assert [(path, explain(error).startswith(str(path))) for path, error in failed] == [
        (bad, False), (gone, False),
    ]  # fmt: skip
    # No threads are left, such as those that wait for processes, for which the exit would wait.
    assert {thread.name for thread in threading.enumerate()} <= before


def test_a_damaged_checkpoint_is_one_error(
    whole: tuple[Path, Network, list[Row]], tmp_path: Path
) -> None:
    (source,) = (whole[0] / "runs").iterdir()
    target = tmp_path / "runs" / source.name
    target.mkdir(parents=True)
    (target / "last.safetensors").write_bytes((source / "last.safetensors").read_bytes()[:-50])
    with pytest.raises(CheckpointError, match=r"last\.safetensors: is not a checkpoint"):
        run(tmp_path)


@pytest.mark.parametrize(
    ("accelerator", "devices", "told"),
    [
        ("gpu", 1, "no gpu that can be used is in this computer"),
        ("cuda", 2, "no cuda that can be used"),
        ("magic", 1, "accelerator 'magic' is none of cpu, gpu"),
    ],
)
def test_an_accelerator_that_is_not_there(
    accelerator: str, devices: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(CUDAAccelerator, "is_available", lambda: False)
    monkeypatch.setattr(MPSAccelerator, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=told):
        check_accelerator(accelerator, devices)
    check_accelerator("cpu", 2)
    check_accelerator("auto", 1)


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "constant"])
def test_the_learning_rate_follows_the_schedule(schedule: str) -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    recipe = FitRecipe(learning_rate=1e-3, schedule=schedule)
    optimizer = torch.optim.AdamW([weight], recipe.learning_rate)
    schedules = schedule_of(optimizer, recipe, 40)
    rates = []
    for _ in range(40):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedules.step()
    assert max(rates) == pytest.approx(1e-3)
    if schedule == "constant":
        assert min(rates) == max(rates)
    else:
        assert rates[-1] < 1e-5
        assert (rates[0] < 1e-4) == (schedule == "one-cycle")


def test_a_run_has_its_recipe_beside_it(whole: tuple[Path, Network, list[Row]]) -> None:
    (path,) = (whole[0] / "runs").glob("fit-*/recipe.yaml")
    assert fit_recipe("fit", path) == RECIPE


def test_from_scratch_begins_elsewhere(tmp_path: Path) -> None:
    recipe = replace(fit_recipe("tempo", seed=1, epochs=1), batch=4, passes=1)
    network, _ = run(tmp_path, recipe)
    shipped = checkpoint.load(checkpoint.resolve("shipped")).network.weights
    weights = network.weights
    name = "members.0.rate.1.weight"
    correlation = np.corrcoef(weights[name].ravel(), shipped[name].ravel())[0, 1]
    assert abs(correlation) < 0.2


@pytest.mark.slow
def test_two_processes_share_the_batches(
    whole: tuple[Path, Network, list[Row]], tmp_path: Path
) -> None:
    started = process(tmp_path, devices=2)
    _, told = started.communicate(timeout=300)
    assert started.returncode == 0, told.decode()[-2000:]
    together = load_file(tmp_path / "weights.safetensors")
    # Dropout differs, so the weights agree as two runs do, not bit for bit.
    alone = whole[1].weights
    for name, value in together.items():
        if value.ndim > 1:
            distance = np.linalg.norm(value - alone[name]) / np.linalg.norm(alone[name])
            assert distance < 0.1, name
