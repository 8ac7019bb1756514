"""Tests that Ctrl-C ends the training of paces soon, and keeps what was computed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tempo_core import in_use
from tempo_core.background import Stopped
from trainer.learning import pace_fitting
from trainer.learning.labels import PaceLabels
from trainer.learning.learn import learn_from
from trainer.learning.options import LearnOptions
from trainer.learning.paces import N_FOLDS

ROOT = Path(__file__).parents[3]
LATE = 4.0  # [s] two on a machine that has nothing else to do
N_TRACKS = 40  # all of the clicks, so many that fitting takes seconds
TOLD = "interrupted; what was listened to is kept, run the same again to go on"
PROGRAMS = (
    ["-m", "tempo_core.cli", "train", "--task", "pace", "--jobs", "2"],
    ["-m", "trainer.learning.paces", "--jobs", "2"],
)


@pytest.mark.parametrize(
    ("program", "n_heard"),
    [
        pytest.param(PROGRAMS[0], N_TRACKS, id="tempo-core, fitting", marks=pytest.mark.slow),
        pytest.param(PROGRAMS[1], 1, id="module, listening", marks=pytest.mark.slow),
        pytest.param(PROGRAMS[0], 1, id="tempo-core, listening", marks=pytest.mark.slow),
        pytest.param(PROGRAMS[1], N_TRACKS, id="module, fitting", marks=pytest.mark.slow),
    ],
)
def test_ctrl_c_stops_soon_and_keeps_what_was_heard(
    program: list[str], n_heard: int, clicks: list[tuple[Path, float]], tmp_path: Path
) -> None:
    """Ctrl-C ends the training of paces from a table soon, and what was computed is kept."""
    table = tmp_path / "stated.tsv"
    rows = [f"{path}\t{bpm / 2:g}" for path, bpm in clicks]
    table.write_text("\n".join(["path\tpaces", *rows, ""]))
    kept = tmp_path / "paces"
    process = subprocess.Popen(
        [sys.executable, *program, str(table)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    while len(list(kept.glob("*.safetensors"))) < n_heard:
        assert process.poll() is None
        time.sleep(0.02)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - began < LATE
    assert process.returncode == 1
    assert out == ""
    # Without the rest where it was loading something just then.
    assert err in (f"Error: {TOLD}\n", "Error: interrupted\n")
    assert len(list(kept.glob("*.safetensors"))) >= n_heard
    assert in_use.active("pace") is None
    assert not list(in_use.folder().glob("*"))


@pytest.mark.slow
def test_every_step_of_fitting_can_be_the_last(
    clicks: list[tuple[Path, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = PaceLabels([(path, (bpm / 2,)) for path, bpm in clicks[:10]], tmp_path / "kept")
    of_one_model = 25
    monkeypatch.setattr(pace_fitting, "STEPS", of_one_model)
    asked = 0
    limit = 10**9

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > limit

    learn_from(labels, LearnOptions("pace", out=tmp_path / "out", install=False, jobs=1), stop)
    n_asked, n_steps = asked, (N_FOLDS + 1) * of_one_model
    assert n_asked > n_steps
    asked, limit = 0, n_steps  # in the last of the fits, however often it is asked before
    with pytest.raises(Stopped, match=TOLD):
        learn_from(labels, LearnOptions("pace", out=tmp_path / "none", jobs=1), stop)
    assert asked == limit + 1
    assert not (tmp_path / "none").exists()
