"""Tests of learning stated paces, with functions and on the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tempo_core import Estimator, checkpoint, in_use
from tempo_core.cli import main as cli
from tempo_core.errors import LabelError
from tempo_core.paces import SAME_PACE
from trainer.learning import pace_fitting, paces
from trainer.learning.labels import PaceLabels
from trainer.learning.learn import learn_from
from trainer.learning.options import LearnOptions
from trainer.learning.paces import MIN_TRACKS


@pytest.fixture
def labelled(clicks: list[tuple[Path, float]]) -> list[tuple[Path, tuple[float, ...]]]:
    """Files of clicks with half the tempo as their stated pace."""
    return [(path, (bpm / 2,)) for path, bpm in clicks[::4][:MIN_TRACKS]]


@pytest.mark.slow
def test_statements_change_the_model(
    labelled: list[tuple[Path, tuple[float, ...]]], tmp_path: Path
) -> None:
    model = checkpoint.resolve("default", "pace")
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"")
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    songs = [*labelled, (broken, (80.0,)), (pipe, (80.0,))]
    options = LearnOptions("pace", out=tmp_path / "o", install=False, jobs=1, quiet=True)
    found = learn_from(PaceLabels(songs, tmp_path / "c"), options)
    assert found.summary()[0].startswith(f"learned paces of {MIN_TRACKS} tracks: pace-")
    assert [path for path, _ in found.failed] == [broken, pipe]
    assert "empty" in str(found.failed[0][1])
    assert found.proposal.installable
    path, (half,) = labelled[3]

    def probability(pace_model: Path) -> float:
        paces = Estimator(pace_model=pace_model).estimate(path).paces
        return next(p.probability for p in paces if abs(p.bpm / (2 * half) - 1) <= SAME_PACE)

    assert probability(found.path) < probability(model) - 0.2


def test_too_few_statements_are_refused(
    labelled: list[tuple[Path, tuple[float, ...]]], tmp_path: Path
) -> None:
    labels = PaceLabels(labelled[:2], tmp_path / "c")
    with pytest.raises(LabelError, match=f"2 usable tracks .* at least {MIN_TRACKS} are needed"):
        learn_from(labels, LearnOptions("pace", out=tmp_path / "o", jobs=1, quiet=True))
    assert not (tmp_path / "o").exists()


@pytest.fixture
def stated(labelled: list[tuple[Path, tuple[float, ...]]], tmp_path: Path) -> Path:
    """A table with the stated paces of the clicks."""
    rows = ["path\tpaces\ttitle"]
    for k, (path, (pace,)) in enumerate(labelled):
        rows.append(f"{path}\t{pace:g}\tClicks {k}")
    table = tmp_path / "stated.tsv"
    table.write_text("\n".join(rows) + "\n")
    return table


def train(*args: object) -> Result:
    return CliRunner().invoke(cli, ["train", "--task", "pace", "--jobs", "1", *map(str, args)])


@pytest.mark.slow
def test_paces_are_learned_from_a_table(stated: Path) -> None:
    run = train(stated, "--no-install")
    assert run.exit_code == 0, run.output
    told = run.stdout.splitlines()
    assert told[0].startswith(f"learned paces of {MIN_TRACKS} tracks: pace-")
    assert told[-1] == "not installed, as you said: it is better on your tracks"
    assert in_use.active("pace") is None
    run = train(stated)
    assert run.stdout.splitlines()[-1] == "installed: it is better on your tracks"
    path = in_use.active("pace")
    assert path is not None
    assert path.stem in run.stdout


@pytest.mark.slow
def test_the_same_as_a_module(
    stated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace_fitting, "STEPS", 10)
    out = tmp_path / "out"
    help_ = CliRunner().invoke(paces.main, ["--help"])
    assert help_.exit_code == 0
    assert "columns path and paces" in help_.stdout
    args = [str(stated), "--no-install", "--out", str(out), "--jobs", "2", "-q"]
    run = CliRunner().invoke(paces.main, args)
    assert (run.exit_code, run.output) == (0, "")
    assert [checkpoint.load(path).task for path in out.iterdir()] == ["pace"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("path\tbpm\na.wav\t3\n", "has no column paces"),
        ("path\tpaces\na.wav\tfast\n", "line 2: 'fast' is no pace"),
        ("path\tpaces\na.wav\t87 1e9\n", "line 2: '1e9' is no pace"),
        ("path\tpaces\na.wav\tnan\n", "line 2: 'nan' is no pace"),
        ("path\tpaces\na.wav\t\n", "0 usable tracks with stated paces"),
        (None, "cannot be read"),
    ],
)
def test_a_table_that_is_none(text: str | None, told: str, tmp_path: Path) -> None:
    table = tmp_path / "t.tsv"
    if text is not None:
        table.write_text(text)
    run = train(table)
    assert run.exit_code == 1
    assert told in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_options_of_the_tempo_are_refused(stated: Path) -> None:
    run = train(stated, "--method", "fit", "--epochs", 3)
    assert run.exit_code == 2
    assert "--method, --epochs: not for --task pace" in run.stderr


@pytest.mark.slow
def test_a_file_that_is_gone_is_named(stated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace_fitting, "STEPS", 10)
    with stated.open("a") as file:
        file.write("gone.wav\t87 174\tGone\n")
    run = train(stated, "--no-install")
    assert run.exit_code == 1
    assert run.stderr.startswith(f"{stated.parent / 'gone.wav'}: ")
    assert "learned paces of 10 tracks" in run.stdout
