"""Tests of imports: packages and rooms only import downwards, no circles, and a cheap start."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from tempo_core.engines.provenance import NOT_IN_THE_WHEEL
from tests.audio import click_track, write_audio

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "tempo_core": {"tempo_core"},
    "trainer": {"trainer", "tempo_core"},
    "beetsplug": {"beetsplug", "trainer", "tempo_core"},
}
# Rooms of the trainer from the lowest to the highest; each may only import rooms below it.
ROOMS = ("synthesis", "inputs", "trainingset", "evaluation", "learning", "reference", "making",
         "commands", "research")  # fmt: skip
GROUND = {"files", "options", "recipes", "torch_ops", "tasks"}  # modules that all rooms may import
# Packages that are large or for training only; nothing but the trainer may import them.
FOR_TRAINING = {"torch", "lightning", "scipy", "librosa", "matplotlib", "tensorboardX", "mir_eval"}


def _files(package: str) -> dict[str, Path]:
    """Python files of a package, by the names they are imported by."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def _imports(name: str, path: Path) -> list[tuple[str, str | None]]:
    """The imports in a file, also inside functions: (module, name imported from it or None)."""
    found: list[tuple[str, str | None]] = []
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*above, *(node.module or "").split(".")]).rstrip(".")
            found += ((module, alias.name) for alias in node.names)
    return found


def _graph(files: Mapping[str, Path]) -> dict[str, set[str]]:
    """The files that each file imports.

    A name imported from a package that is not a file is taken from the package's `__init__`.
    """
    graph = {}
    for name, path in files.items():
        targets = {
            whole if (whole := f"{module}.{part}") in files else module
            for module, part in _imports(name, path)
        }
        graph[name] = (targets & files.keys()) - {name}
    return graph


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    """The files that a file imports, directly or through others."""
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += graph[name]
    return seen


def _circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Largest sets of files that all import each other, directly or through others."""
    reach = {name: _reachable(graph, name) for name in graph}
    found: list[set[str]] = []
    for name in graph:
        circle = {other for other in reach[name] if name in reach[other]}
        if name in circle and circle not in found:
            found.append(circle)
    return found


def _imported(name: str, path: Path) -> set[str]:
    """Top-level packages that a file imports, also inside functions."""
    return {module.split(".")[0] for module, _ in _imports(name, path)}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_nothing_points_back(package: str) -> None:
    files = _files(package)
    assert files
    for name, path in files.items():
        ours = _imported(name, path) & set(MAY_IMPORT)
        assert ours <= MAY_IMPORT[package], path


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_no_files_import_each_other(package: str) -> None:
    """No circles of imports, not even for types only or inside functions."""
    assert _circles(_graph(_files(package))) == []


def test_no_room_of_the_trainer_imports_upwards() -> None:
    level = {**dict.fromkeys(GROUND, -1), **{room: k for k, room in enumerate(ROOMS)}}
    files = {name: path for name, path in _files("trainer").items() if name != "trainer"}
    assert {name.split(".")[1] for name in files} == level.keys()
    for name, targets in _graph(files).items():
        for target in targets:
            assert level[target.split(".")[1]] <= level[name.split(".")[1]], f"{name} -> {target}"


def test_nothing_in_the_wheel_imports_what_is_not() -> None:
    """What is left out of the wheel is what only experiments and the making of models use."""
    tomllib = pytest.importorskip("tomllib", reason="of Python 3.11")
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert tuple(wheel["targets"]["wheel"]["exclude"]) == NOT_IN_THE_WHEEL
    left_out = [ROOT / part for part in NOT_IN_THE_WHEEL]
    assert all(path.exists() for path in left_out)
    files = {name: path for package in MAY_IMPORT for name, path in _files(package).items()}
    outside = {n for n, path in files.items() if any(path.is_relative_to(p) for p in left_out)}
    for name, targets in _graph(files).items():
        assert name in outside or not targets & outside, name


def test_circles_are_found(tmp_path: Path) -> None:
    sources = {
        "p": "from . import a",
        "p.a": "from .sub import name",
        "p.sub": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .. import b",
        "p.b": "def f():\n    import p.a",
        "p.c": "from p import b\nfrom p.c import x",
    }
    files = {}
    for name, source in sources.items():
        is_package = name in ("p", "p.sub")
        path = tmp_path.joinpath(*name.split("."), *(["__init__.py"] if is_package else []))
        files[name] = path if is_package else path.with_suffix(".py")
        files[name].parent.mkdir(parents=True, exist_ok=True)
        files[name].write_text(source)
    assert _circles(_graph(files)) == [{"p.a", "p.sub", "p.b"}]


@pytest.mark.parametrize("package", ["tempo_core", "beetsplug"])
def test_what_is_for_training_is_imported_by_the_trainer_only(package: str) -> None:
    for name, path in _files(package).items():
        assert not _imported(name, path) & FOR_TRAINING, path


def test_beetsplug_stays_a_namespace() -> None:
    """`beetsplug` has no `__init__.py`, which would hide all plugins of beets itself."""
    assert not (ROOT / "beetsplug" / "__init__.py").exists()
    assert [p for p in (ROOT / "beetsplug").iterdir() if p.is_file()] == []


def _modules_after(code: str, *args: str) -> set[str]:
    """The modules that are loaded in a new interpreter after it has run some code."""
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)", *args],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(run.stdout.split())


def test_estimating_loads_no_training_library(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.flac", click_track(120, 15.0), 22050)
    code = "import tempo_core.estimate as e; assert e.estimate_file(sys.argv[1]).bpm"
    assert not (FOR_TRAINING | {"trainer"}) & _modules_after(code, str(path))


def test_the_plugin_loads_no_training_library() -> None:
    loaded = _modules_after("import beetsplug.tempo")
    assert not (FOR_TRAINING | {"trainer", "av"}) & loaded


def test_importing_the_package_does_not_import_numpy() -> None:
    assert not {"torch", "av", "numpy"} & _modules_after("import tempo_core")
