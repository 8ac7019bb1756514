"""Tests that commands need only their own extra, and name it if it is missing."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.metadata import requires
from pathlib import Path
from pkgutil import iter_modules

import click
import pytest
from click.testing import CliRunner

import trainer.commands
from tempo_core.cli.command import lacking
from tempo_core.extras import OF_PACKAGE, advice
from tests.audio import click_track, write_audio
from tests.extras import NOT_IN_TRAIN, REMOTE, without

ROOT = Path(__file__).parents[2]
COMMANDS = [f"trainer.commands.{module.name}" for module in iter_modules(trainer.commands.__path__)]
BEHIND = [
    f"trainer.{name}"
    for name in (
        "learning.learn",
        "trainingset.build",
        "evaluation.asking",
        "evaluation.plots",
        "learning.paces",
    )
]


def run(code: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *code], env=environment, cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.slow
def test_commands_load_with_nothing_but_their_extra(tmp_path: Path) -> None:
    modules = [*COMMANDS, *BEHIND]
    code = f"from importlib import import_module\nfor m in {modules}: import_module(m); print(m)"
    done = run(["-c", code], without(NOT_IN_TRAIN, tmp_path, ROOT))
    assert done.stdout.split() == modules, done.stderr


@pytest.mark.slow
def test_paces_are_learned_with_nothing_but_the_extra_train(tmp_path: Path) -> None:
    rows = ["path\tpaces"]
    for k in range(10):
        write_audio(tmp_path / f"{k}.wav", click_track(100 + 5 * k, 13, 11025), 11025)
        rows.append(f"{k}.wav\t{(100 + 5 * k) / 2:g}")
    table = tmp_path / "stated.tsv"
    table.write_text("\n".join(rows) + "\n")
    out = tmp_path / "out"
    done = run(
        ["-m", "tempo_core.cli", "train", "--task", "pace", str(table), "--out", str(out),
         "--no-install", "--jobs", "2"],
        without(NOT_IN_TRAIN, tmp_path, ROOT),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("learned paces of 10 tracks")
    assert [path.name.partition("-")[0] for path in out.iterdir()] == ["pace"]


@pytest.mark.parametrize(
    ("package", "extra"),
    [("torch", "train"), ("lightning", "train"), ("pretty_midi", "train"),
     ("soundfile", "synthesis"), ("mirdata", "datasets"), ("distributed", "cluster"),
     ("pyarrow", "cluster")],
)  # fmt: skip
def test_what_is_missing_is_named_with_its_extra(
    package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought = [need for need in requires("beets-tempo") or () if extra in need.partition(";")[2]]
    assert any(need.replace("-", "_").startswith(package) for need in brought)
    monkeypatch.setitem(sys.modules, package, None)

    @click.command()
    def fit() -> None:
        try:
            import_module(package)
        except ImportError as error:
            raise lacking(error) from error

    told = CliRunner().invoke(fit).stderr
    assert told.startswith(f"Error: fit needs more packages (import of {package} halted")
    assert told.endswith(f": pip install 'beets-tempo[{extra}]'\n")


def test_what_is_in_a_package_is_of_its_extra() -> None:
    assert "[synthesis]" in advice(ImportError("no", name="soundfile.utilities"))
    assert "[train]" in advice(ImportError("something is wrong"))
    assert "[remote]" in advice(ImportError("no", name="s3fs.core"))
    assert set(OF_PACKAGE) == {*NOT_IN_TRAIN, *REMOTE}
