"""Tests of `pip install beets-tempo` without extras: its size, and the everyday commands.

The wheel is built from this clone and installed, beside beets, into an environment of its own.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from .conftest import NEW, OLD, Bare, Installed

pytestmark = pytest.mark.install

MOST = 150  # that it may add to beets [MB]
HEAVY = ("torch", "scipy", "librosa", "lightning", "matplotlib", "numba")
# What only `--storages` imports.
ON_REMOTE = tuple(
    f"tempo_core.remote.{name}"
    for name in ("connections", "http", "loop", "s3", "s3_session", "web")
)
ON_TRAINER = ("beetsplug.tempo.collecting",)  # what only tempo-train and tempo-eval import
TRAIN = "pip install 'beets-tempo[train]'"


def test_it_adds_little_to_beets(bare: Bare, capsys: pytest.CaptureFixture[str]) -> None:
    added = (bare.size - bare.size_of_beets) / 1e6
    with capsys.disabled():
        print(f" beets {bare.size_of_beets / 1e6:.1f} MB, beets-tempo adds {added:.2f} MB ", end="")
    assert added <= MOST


def test_nothing_of_training_is_there(env: Installed) -> None:
    code = (
        "import sys; from importlib import metadata, util\n"
        "names = {d.metadata['Name'].lower() for d in metadata.distributions()}\n"
        "print(*[n for n in sys.argv[1:] if n in names or util.find_spec(n)])"
    )
    assert env.out("python", "-c", code, *HEAVY).split() == []


@pytest.mark.parametrize("package", ["tempo_core", "beetsplug.tempo"])
def test_every_module_imports(package: str, env: Installed) -> None:
    code = f"""
import importlib, pkgutil, {package} as package
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except ImportError as error:
        print(f"{{module.name}}: {{error}}")
"""
    failed = dict(line.split(": ", 1) for line in env.out("python", "-c", code).splitlines())
    assert {
        name: told for name, told in failed.items() if name not in (*ON_TRAINER, *ON_REMOTE)
    } == {}


def test_estimate(env: Installed, music: Path) -> None:
    printed = env.out("tempo-core", "estimate", "--format", "tsv", music / "old", music / "new")
    rows = {
        Path(row["path"]).name: row for row in csv.DictReader(io.StringIO(printed), delimiter="\t")
    }
    assert len(rows) == len(OLD + NEW)
    for track in OLD + NEW:
        row = rows[track.name]
        assert row["error"] == ""
        assert float(row["bpm"]) == pytest.approx(track.bpm, abs=0.1), track.name


def test_models(env: Installed) -> None:
    lines = env.out("tempo-core", "models").splitlines()
    used = [line.split()[1] for line in lines if line.startswith("* ")]
    assert [name.partition("-")[0] for name in used] == [
        "tempo", "pace", "key", "beats", "notes", "tags",
    ]  # fmt: skip


def test_labels(env: Installed, music: Path, site: dict[str, str], tmp_path: Path) -> None:
    env.out(
        "tempo-core", "labels", "--source", "musicstax", "--url", f"musicstax={site['musicstax']}",
        "--interval", "0.05", "--database", tmp_path / "labels.db",
        "--export", tmp_path / "labels.tsv", "--report", tmp_path / "labels.html",
        music / "old",
    )  # fmt: skip
    with (tmp_path / "labels.tsv").open(newline="") as f:
        found = {row["title"]: row["tempo"] for row in csv.DictReader(f, delimiter="\t")}
    assert found == {track.title: str(round(track.bpm)) for track in OLD}
    assert (tmp_path / "labels.html").exists()


def test_beet_tempo_and_import(library: Installed) -> None:
    lines = library.out("beet", "ls", "-f", "$title\t$bpm\t$tempo_bpm", "bpm:100..160").splitlines()
    found = {title: (bpm, precise) for title, bpm, precise in (line.split("\t") for line in lines)}
    assert found.keys() == {track.title for track in OLD + NEW}
    for track in OLD + NEW:
        bpm, precise = found[track.title]
        assert float(precise) == pytest.approx(track.bpm, abs=0.1), track.title
        assert int(bpm) == int(float(precise) + 0.5)


def test_beet_ls(library: Installed) -> None:
    assert library.out("beet", "ls", "-f", "$title", "bpm:126..127").splitlines() == ["Mezzanine"]
    assert "Mezzanine" in library.out("beet", "ls", "-f", "$title", "pace:125..127").splitlines()


def test_beet_tempo_labels(library: Installed) -> None:
    library.out("beet", "tempo-labels")
    verdicts = library.out("beet", "ls", "-f", "$title $tempo_label_verdict").splitlines()
    assert sorted(verdicts) == sorted(f"{track.title} agree" for track in OLD + NEW)


def test_beet_tempo_mix(library: Installed) -> None:
    mixes = library.out("beet", "tempo-mix", "title:Mezzanine")
    assert "Basement" in mixes  # 128 to 126
    assert "Short Way Home" not in mixes  # 151.6


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        ("beet tempo-train", TRAIN),
        ("beet tempo-train --task pace", TRAIN),
        ("beet tempo-eval", TRAIN),
        ("beet tempo-eval --report report.html", TRAIN),
        ("beet tempo-eval --baseline", TRAIN),
        ("tempo-core build --out set .", TRAIN),
        ("tempo-core train set", TRAIN),
        ("tempo-core train --task pace paces.tsv", TRAIN),
        ("tempo-core evaluate --out figures .", TRAIN),
        ("tempo-core plot .", TRAIN),
    ],
)
def test_what_needs_more_says_what(command: str, advice: str, configured: Installed) -> None:
    done = configured.run(*command.split())
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.endswith(advice)
