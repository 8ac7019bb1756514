"""Tests that there are wheels of every requirement on systems without a compiler.

It resolves for another system and Python than its own, but takes the markers of requirements ("only
on Windows") as if they were for its own, and refuses what its own Python is too old for. So both
are judged here.
"""

from __future__ import annotations

import json
import sys
import zipfile
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from .conftest import pip

pytestmark = pytest.mark.install


@dataclass(frozen=True)
class System:
    """A system: platforms whose wheels it accepts, the best first, and its values in markers."""

    platforms: tuple[str, ...]
    platform_system: str
    sys_platform: str
    platform_machine: str

    def environment(self, python: str) -> dict[str, str]:
        """Values of all markers about the system and Python."""
        return {
            "platform_system": self.platform_system,
            "sys_platform": self.sys_platform,
            "platform_machine": self.platform_machine,
            "os_name": "nt" if self.sys_platform == "win32" else "posix",
            "platform_python_implementation": "CPython",
            "implementation_name": "cpython",
            "python_version": python,
            "python_full_version": f"{python}.0",
        }


def linux(machine: str, *libraries: str) -> System:
    return System(tuple(f"{name}_{machine}" for name in libraries), "Linux", "linux", machine)


MUSL = ("musllinux_1_2", "musllinux_1_1")  # Alpine
GLIBC = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_17", "manylinux2014")
SYSTEMS = {
    "musl x86-64": linux("x86_64", *MUSL),
    "musl ARM": linux("aarch64", *MUSL),
    "glibc x86-64": linux("x86_64", *GLIBC),
    "glibc ARM": linux("aarch64", *GLIBC),
    "Windows": System(("win_amd64",), "Windows", "win32", "AMD64"),
    "macOS ARM": System(("macosx_14_0_arm64",), "Darwin", "darwin", "arm64"),
    "macOS x86-64": System(("macosx_14_0_x86_64",), "Darwin", "darwin", "x86_64"),
}
PYTHON = "3.12"
OTHER_PYTHONS = ("3.10", "3.11", "3.13", "3.14")


@pytest.fixture(scope="module")
def _index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip the tests if pip has no index to ask."""
    folder = tmp_path_factory.mktemp("index")
    try:
        pip("download", "--retries", "1", "--no-deps", "--dest", folder, "click")
    except AssertionError as error:
        pytest.skip(f"no package index: {error}")


def resolve(wheel: Path, system: System, python: str) -> dict[str, dict[str, Any]]:
    """Items of pip's report on an installation from wheels only, by canonical name."""
    environment = system.environment(python)
    # Whatever Python the build ran in, the wheel says which requirements are for which.
    about = zipfile.Path(wheel, "-".join(wheel.name.split("-")[:2]) + ".dist-info/")
    lifted = ["--ignore-requires-python"] if version(python) > sys.version_info[:2] else []
    wanted = applying(PathDistribution(about).requires or [], environment, ("",))  # type: ignore[arg-type]
    while True:
        report = pip(
            "install", "--dry-run", "--ignore-installed", *lifted, "--report", "-",
            "--only-binary", ":all:", *(f"--platform={name}" for name in system.platforms),
            "--python-version", python, "--target", wheel.parent / "nowhere",
            *(str(requirement) for requirement in wanted),
        )  # fmt: skip
        found = {
            canonicalize_name(item["metadata"]["name"]): item
            for item in json.loads(report)["install"]
        }
        missing = [
            requirement
            for item in found.values()
            for requirement in applying(
                item["metadata"].get("requires_dist", []), environment,
                item.get("requested_extras") or ("",),
            )
            if canonicalize_name(requirement.name) not in found
        ]  # fmt: skip
        if not missing:
            return found
        wanted += missing


def version(python: str) -> tuple[int, ...]:
    return tuple(map(int, python.split(".")))


def applying(
    requirements: list[str], environment: dict[str, str], extras: tuple[str, ...]
) -> list[Requirement]:
    """The requirements of a package that apply in an environment, without their markers."""
    result = []
    for text in requirements:
        requirement = Requirement(text)
        marker, requirement.marker = requirement.marker, None
        if marker is None or any(marker.evaluate(environment | {"extra": e}) for e in extras):
            result.append(requirement)
    return result


@pytest.mark.usefixtures("_index")
@pytest.mark.parametrize(
    ("system", "python"),
    [(system, PYTHON) for system in SYSTEMS]
    + [("musl x86-64", python) for python in OTHER_PYTHONS],
)
def test_everything_has_a_wheel(system: str, python: str, wheel: Path) -> None:
    found = resolve(wheel, SYSTEMS[system], python)
    assert {"av", "beets", "lxml", "numpy", "rapidfuzz", "safetensors"} <= found.keys()
    assert ("colorama" in found) is (system == "Windows")  # a marker of click's
    assert ("backports-zstd" in found) is (python != "3.14")
    assert not {"torch", "scipy", "librosa", "numba"} & found.keys()
    for item in found.values():
        assert f"{python}.0" in SpecifierSet(item["metadata"].get("requires_python", ""))
    files = [item["download_info"]["url"].rpartition("/")[2] for item in found.values()]
    assert all(name.endswith(".whl") for name in files)
