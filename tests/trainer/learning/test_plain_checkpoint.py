"""Tests of training checkpoints: exact round trips, and no unpickling."""

from __future__ import annotations

import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tempo_core.errors import CheckpointError
from trainer.learning.plain_checkpoint import PlainCheckpointIO

IO = PlainCheckpointIO()
STATE: dict[str, Any] = {
    "state_dict": {"a": torch.arange(6).reshape(2, 3), "b": torch.tensor(1.5)},
    "optimizer_states": [{"state": {0: {"step": torch.tensor(3.0)}}, "betas": (0.9, 0.99)}],
    "loops": {"done": True, "n": 3, "none": None, "list": [1, 2.5, "x"], "nan": float("inf")},
    "path": Path("a/b"),
}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.safetensors"
    IO.save_checkpoint(STATE, path)
    found = IO.load_checkpoint(path)
    assert torch.equal(found["state_dict"]["a"], STATE["state_dict"]["a"])
    assert found["optimizer_states"][0]["betas"] == (0.9, 0.99)
    assert list(found["optimizer_states"][0]["state"]) == [0]
    assert found["loops"] == STATE["loops"]
    assert found["path"] == "a/b"
    assert [p.name for p in path.parent.iterdir()] == ["a.safetensors"]
    IO.remove_checkpoint(path)
    IO.remove_checkpoint(path)
    assert not path.exists()


def test_one_memory_under_two_names(tmp_path: Path) -> None:
    shared = torch.ones(3)
    IO.save_checkpoint({"a": shared, "b": shared}, tmp_path / "a")
    assert torch.equal(IO.load_checkpoint(tmp_path / "a")["b"], shared)


def test_what_is_not_plain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not function"):
        IO.save_checkpoint({"f": test_round_trip}, tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "sprung"),)

    for write in (
        lambda p: p.write_bytes(pickle.dumps(Trap())),
        lambda p: torch.save({"x": Trap()}, p),
    ):
        write(tmp_path / "evil")
        with pytest.raises(CheckpointError, match="is not a checkpoint of a training run"):
            IO.load_checkpoint(tmp_path / "evil")
    assert not (tmp_path / "sprung").exists()


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        IO.load_checkpoint(tmp_path / "none")


FULL = """
import resource, signal, sys, torch
from trainer.learning.plain_checkpoint import PlainCheckpointIO
from tempo_core.errors import CheckpointError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
try:
    PlainCheckpointIO().save_checkpoint({"a": torch.zeros(100000)}, sys.argv[1])
except CheckpointError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit to set")
@pytest.mark.slow
def test_no_room_leaves_the_previous_one(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    IO.save_checkpoint({"n": 1}, path)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True
    )
    assert "cannot be written (File too large); make room" in done.stdout
    assert IO.load_checkpoint(path) == {"n": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["last.safetensors"]
