"""Tests that `pyproject.toml` names exactly the distributions that the packages import."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OURS = {"tempo_core", "trainer", "beetsplug"}
# Names of distributions that differ from the names of their packages.
INSTALLED_AS = {"backports": "backports-zstd", "bs4": "beautifulsoup4", "PIL": "pillow",
                "sklearn": "scikit-learn", "yaml": "pyyaml"}  # fmt: skip
# Distributions that need not be named because beets or matplotlib requires them.
OF_BEETS = {"confuse", "mediafile", "pyyaml", "typing-extensions"}
OF_MATPLOTLIB = {"pillow"}
# That of aiobotocore, which needs it in one exact version.
OF_AIOBOTOCORE = {"botocore"}
# Distributions that only Beautiful Soup, Dask and Lightning import.
UNSEEN = {"cryptography", "lxml", "tensorboardx"}


def imported(*packages: str) -> set[str]:
    """Distributions of other projects that some of our packages import anywhere."""
    names: set[str] = set()
    for path in (path for package in packages for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.partition(".")[0])
    others = names - OURS - sys.stdlib_module_names - {"compression"}  # that of Python 3.14
    return {canonicalize_name(INSTALLED_AS.get(name, name)) for name in others}


def named(requirements: Iterable[str]) -> set[str]:
    """Distributions in a list of requirements, without our own."""
    names = {canonicalize_name(Requirement(text).name) for text in requirements}
    return names - {"beets-tempo"}


@pytest.fixture(scope="module")
def project() -> dict[str, set[str]]:
    """Distributions that `pyproject.toml` names, by extra; the base has the key ""."""
    tomllib = pytest.importorskip("tomllib", reason="of Python 3.11")
    with (ROOT / "pyproject.toml").open("rb") as f:
        data = tomllib.load(f)["project"]
    lists = {"": data["dependencies"], **data["optional-dependencies"]}
    return {extra: named(requirements) for extra, requirements in lists.items()}


def test_the_base_is_what_the_core_and_the_plugin_import(project: dict[str, set[str]]) -> None:
    optional = project["cluster"] | project["remote"] | OF_AIOBOTOCORE
    assert imported("tempo_core", "beetsplug") - OF_BEETS - optional == project[""] - UNSEEN


def test_the_core_imports_what_its_extras_name(project: dict[str, set[str]]) -> None:
    optional = project["cluster"] | project["remote"]
    assert optional - UNSEEN <= imported("tempo_core")


def test_the_extras_are_what_the_trainer_imports_beside_it(project: dict[str, set[str]]) -> None:
    extras = project["train"] | project["synthesis"] | project["datasets"]
    assert imported("trainer") - OF_MATPLOTLIB - project[""] == extras - UNSEEN


def test_constraints_pin_what_is_named(project: dict[str, set[str]]) -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = named(line for line in lines if line and not line.startswith("#"))
    assert set().union(*project.values()) <= pinned
