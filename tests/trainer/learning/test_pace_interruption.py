"""Ctrl-C ends pace training soon, whatever it is at; what was listened to is kept."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tempo_core import in_use
from tempo_core.background import Stopped
from tests.audio import click_track, write_audio
from trainer.learning.labels import PaceLabels
from trainer.learning.learn import learn_from
from trainer.learning.options import LearnOptions
from trainer.learning.pace_fitting import STEPS
from trainer.learning.paces import N_FOLDS

ROOT = Path(__file__).parents[3]
LATE = 4.0  # [s] two on a machine that has nothing else to do
N_TRACKS = 40  # so many that fitting takes seconds
TOLD = "interrupted; what was listened to is kept, run the same again to go on"
PROGRAMS = (
    ["-m", "tempo_core.cli", "train", "--task", "pace", "--jobs", "2"],
    ["-m", "trainer.learning.paces", "--jobs", "2"],
)


@pytest.fixture(scope="module")
def stated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of clicks of somebody who moves at half of every tempo."""
    folder = tmp_path_factory.mktemp("stated")
    rows = ["path\tpaces"]
    for k in range(N_TRACKS):
        write_audio(folder / f"{k}.wav", click_track(100 + k, 14, 11025), 11025)
        rows.append(f"{k}.wav\t{(100 + k) / 2:g}")
    table = folder / "stated.tsv"
    table.write_text("\n".join(rows) + "\n")
    return table


@pytest.mark.parametrize("program", PROGRAMS, ids=["tempo-core", "module"])
@pytest.mark.parametrize("n_heard", [1, N_TRACKS], ids=["listening", "fitting"])
def test_ctrl_c_stops_soon_and_keeps_what_was_heard(
    program: list[str], n_heard: int, stated: Path, tmp_path: Path
) -> None:
    table = tmp_path / "stated.tsv"
    lines = stated.read_text().splitlines()
    paths = [f"{stated.parent}/{line}" for line in lines[1:]]
    table.write_text("\n".join([lines[0], *paths]) + "\n")
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


def test_every_step_of_fitting_can_be_the_last(stated: Path, tmp_path: Path) -> None:
    tracks = [(stated.parent / f"{k}.wav", ((100 + k) / 2,)) for k in range(10)]
    labels = PaceLabels(tracks, tmp_path / "kept")
    asked = 0
    limit = 10**9

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > limit

    learn_from(labels, LearnOptions("pace", out=tmp_path / "out", install=False, jobs=1), stop)
    n_asked, n_steps = asked, (N_FOLDS + 1) * STEPS
    assert n_asked > n_steps
    asked, limit = 0, n_steps  # in the last of the fits, however often it is asked before
    with pytest.raises(Stopped, match=TOLD):
        learn_from(labels, LearnOptions("pace", out=tmp_path / "none", jobs=1), stop)
    assert asked == limit + 1
    assert not (tmp_path / "none").exists()
