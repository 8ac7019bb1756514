"""beetsplug -> trainer -> tempo_core, and never back; and what importing costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "tempo_core": {"tempo_core"},
    "trainer": {"trainer", "tempo_core"},
    "beetsplug": {"beetsplug", "trainer", "tempo_core"},
}


def _imported(path: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_nothing_points_back(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        ours = _imported(path) & set(MAY_IMPORT)
        assert ours <= MAY_IMPORT[package], path


def test_beetsplug_stays_a_namespace() -> None:
    """An `__init__.py` there would hide all of beets' own plugins."""
    assert not (ROOT / "beetsplug" / "__init__.py").exists()
    assert [p for p in (ROOT / "beetsplug").iterdir() if p.is_file()] == []


def test_estimating_imports_no_training_library() -> None:
    code = "import sys, tempo_core.estimate; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"librosa", "scipy", "matplotlib", "lightning", "trainer"} & set(run.stdout.split())


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, tempo_core; print('torch' in sys.modules, 'av' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]
