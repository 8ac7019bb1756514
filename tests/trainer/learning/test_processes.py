"""Tests of training that processes share which torchrun started."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tempo_core import checkpoint
from tempo_core.cli import main
from tempo_core.errors import ConfigError
from tests.audio import click_track, write_audio
from trainer.learning.processes import Started, check_started, started_by

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
TRAIN = ["train", "--method", "fit", "--epochs", "2", "--no-install"]


@pytest.mark.parametrize(
    ("variables", "started"),
    [
        ({}, None),
        # As a script has them that sbatch runs: it is no step of its job.
        ({"SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, None),
        (
            {"SLURM_STEP_ID": "0", "SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4",
             "SLURM_STEP_NUM_NODES": "2"},
            Started("srun", 3, 4, 2),
        ),
        (
            {"TORCHELASTIC_RUN_ID": "x", "RANK": "1", "WORLD_SIZE": "2", "GROUP_WORLD_SIZE": "1"},
            Started("torchrun", 1, 2, 1),
        ),
    ],
)  # fmt: skip
def test_how_a_process_was_started(variables: Mapping[str, str], started: Started | None) -> None:
    assert started_by(variables) == started


@pytest.mark.parametrize(
    ("started", "nodes", "devices", "told"),
    [
        (None, 2, 1, "start them with srun or torchrun"),
        (Started("srun", 0, 4, 2), 2, 1, "srun started 4 tasks on 2 nodes, but --nodes 2 --devic"),
        (Started("torchrun", 0, 2, 1), 1, 1, "torchrun started 2 tasks on 1 node"),
    ],
)
def test_numbers_that_contradict_each_other(
    started: Started | None, nodes: int, devices: int, told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        check_started(started, nodes, devices)


def test_numbers_that_agree() -> None:
    check_started(None, 1, 2)
    check_started(Started("srun", 0, 4, 2), 2, 2)


@pytest.fixture(scope="module")
def some_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training set of clicks, each by an artist of its own."""
    folder = tmp_path_factory.mktemp("shared")
    rows = []
    for bpm in range(90, 138, 2):
        path = write_audio(folder / f"{bpm}.wav", click_track(bpm, 20, 11025), 11025)
        rows.append(f"{path}\t{bpm}\tArtist {bpm}")
    labels = folder / "labels.tsv"
    labels.write_text("\n".join(["path\tbpm\tartist", *rows]) + "\n")
    done = CliRunner().invoke(
        main, ["build", "--cache", "--labels", str(labels), "--out", str(folder / "set"), "-q"]
    )
    assert done.exit_code == 0, done.stderr
    return folder / "set"


def trained(command: list[str], some_set: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """A training in processes of its own."""
    return subprocess.run(
        [*command, "--out", str(out), str(some_set)], capture_output=True, text=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.mark.slow
def test_processes_of_torchrun_learn_what_processes_of_ours_do(
    some_set: Path, tmp_path: Path
) -> None:
    shared = [*TORCHRUN, "--nproc-per-node", "2", "-m", "tempo_core.cli", *TRAIN]
    done = trained([*shared, "--devices", "2"], some_set, tmp_path / "shared")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("learned (fit) from") == 1  # the first process prints, and no other
    (some_set / "runs").rename(tmp_path / "runs")  # it would go on from there
    own = [sys.executable, "-m", "tempo_core.cli", *TRAIN, "--devices", "2"]
    done = trained(own, some_set, tmp_path / "own")
    assert done.returncode == 0, done.stderr
    models = [next((tmp_path / name).glob("tempo-*.safetensors")) for name in ("shared", "own")]
    one, other = (checkpoint.load(path).network.weights for path in models)
    assert one.keys() == other.keys()
    for name, weight in one.items():
        np.testing.assert_array_equal(weight, other[name], err_msg=name)


@pytest.mark.slow
def test_where_the_first_process_fails_all_do(some_set: Path, tmp_path: Path) -> None:
    shared = [*TORCHRUN, "--nproc-per-node", "2", "-m", "tempo_core.cli", *TRAIN]
    done = trained([*shared, "--devices", "2"], tmp_path / "no set", tmp_path / "out")
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert told
    assert all("no set" in line for line in told)
    assert (
        "tempo_core/cli" not in done.stderr
    )  # of torchrun itself there is a traceback, of us none
    assert not (tmp_path / "out").exists()
