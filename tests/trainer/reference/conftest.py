"""The entry points of designs as `pyproject.toml` has them, whenever the package was installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def designs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "pyproject.toml").read_text()
    entries = text.split('[project.entry-points."tempo_core.designs"]')[1].split("\n[")[0]
    lines = re.findall(r'^(\w+) = "(.*)"$', entries, re.MULTILINE)
    folder = tmp_path / "site" / "designs-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: designs\nVersion: 1.0\n")
    declared = "".join(f"{name} = {entry}\n" for name, entry in lines)
    (folder / "entry_points.txt").write_text(f"[tempo_core.designs]\n{declared}")
    monkeypatch.syspath_prepend(folder.parent)
