"""What version 0.1.0 has left on its user's disk works as before, with today's commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tempo_core import golden
from tests.written.make import HERE

FOLDER = Path(__file__).parent / "written" / "by_0_1_0"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A copy of the folder, at a place of its own."""
    copy = tmp_path / "user"
    shutil.copytree(FOLDER, copy)
    for path in [*copy.rglob("*.tsv"), copy / "said.json"]:
        path.write_text(path.read_text().replace(HERE, str(copy)))
    return copy


@pytest.fixture
def run(here: Path) -> Run:
    """A command as its user runs it."""

    def command(*args: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ, "BEETSDIR": str(here), "TEMPO_CORE_MODELS": str(here / "models"),
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, "-m", *args], env=environment, cwd=here, text=True,
            capture_output=True, check=False,
        )  # fmt: skip

    return command


def tempi(run: Run) -> dict[str, str]:
    """What the library says of every track."""
    form = "$title\t$bpm\t$tempo_bpm\t$tempo_source\t$tempo_verdict\t$tempo_paces_manual"
    lines = run("beets", "ls", "-f", form).stdout.splitlines()
    return dict(line.split("\t", 1) for line in lines)


def test_its_models_answer_as_they_did(here: Path, run: Run) -> None:
    done = run("tempo_core.cli", "estimate", "--format", "json", "music")
    assert done.returncode == 0, done.stderr
    expected = {row["path"]: row for row in json.loads((here / "said.json").read_text())}
    found = {row["path"]: row for row in json.loads(done.stdout)}
    assert found.keys() == expected.keys()
    for path, row in found.items():
        for answer in (row, expected[path]):
            answer["paces"] = [(pace["bpm"], pace["probability"]) for pace in answer["paces"]]
        golden.same(row, expected[path])


def test_its_models_are_listed_and_can_be_left(here: Path, run: Run) -> None:
    learned = sorted(path.stem for path in (here / "models").glob("*.safetensors"))
    assert len(learned) == 2
    listed = run("tempo_core.cli", "models").stdout.splitlines()
    assert [line.split()[1] for line in listed if line.startswith("*")] == sorted(
        learned, key=lambda name: name.startswith("pace")
    )
    for task in ("tempo", "pace"):
        assert run("tempo_core.cli", "models", "rollback", "--task", task).returncode == 0
    listed = run("tempo_core.cli", "models").stdout.splitlines()
    assert not [line for line in listed if line.startswith("*") and line.split()[1] in learned]


def test_its_library_is_done_and_stays_so(run: Run) -> None:
    before = tempi(run)
    assert len(before) == 14
    sources = [line.split("\t")[2].partition(":")[0] for line in before.values()]
    assert {source: sources.count(source) for source in set(sources)} == {
        "tag": 11, "manual": 1, "label": 1, "model": 1,
    }  # fmt: skip
    done = run("beets", "tempo", "-W")
    assert done.returncode == 0, done.stderr
    assert "0 tracks analysed" in done.stdout
    assert tempi(run) == before
    # Nobody's word is overwritten by an analysis that is asked to do it again.
    done = run("beets", "tempo", "-W", "-f", "tempo_source:model")
    assert "1 track analysed" in done.stdout
    after = tempi(run)
    assert {t: v for t, v in after.items() if t != "Song 13"} == {
        t: v for t, v in before.items() if t != "Song 13"
    }


def test_its_labels_are_known(run: Run) -> None:
    """The site that was asked is gone, and need not be asked again."""
    done = run("beets", "tempo-labels", "--source", "musicstax", "title:Song 1")
    assert done.returncode == 0, done.stderr
    assert "0 requests, 5 known before" in done.stdout
    listed = run("beets", "ls", "-f", "$title", "tempo_label_status:not_found").stdout.split("\n")
    assert "Song 12" in listed


def test_its_training_set_is_learned_from(here: Path, run: Run) -> None:
    shutil.rmtree(here / "models")
    done = run(
        "tempo_core.cli", "train", "--method", "shift", "--install-anyway", "--jobs", "2",
        "tempo-training",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "learned (shift) from" in done.stdout
    assert len(list((here / "models").glob("tempo-*.safetensors"))) == 1


def test_its_training_set_is_built_on(here: Path, run: Run) -> None:
    before = (here / "set" / "tracks.tsv").read_text()
    done = run(
        "tempo_core.cli", "build", "--out", "set", *(f"music/{k:02d}.opus" for k in range(4))
    )
    assert done.returncode == 0, done.stderr
    assert (here / "set" / "tracks.tsv").read_text() == before
