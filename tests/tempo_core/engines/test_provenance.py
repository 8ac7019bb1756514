"""Tests of the comparison of two processes."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version

import pytest

from tempo_core.engines.provenance import Provenance, provenance
from tempo_core.errors import ConfigError

from .works import Squares

OWN = provenance(Squares("log"))


def test_it_names_package_models_and_versions() -> None:
    assert OWN.package.startswith(f"{version('beets-tempo')} (code ")
    assert OWN.models == (("squares", "model:squares@0"),)
    assert dict(OWN.beside)["numpy"] == version("numpy")


def test_the_same_is_accepted() -> None:
    OWN.check(replace(OWN), "worker")
    assert OWN.differences(replace(OWN)) == []


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (replace(OWN, package="0.0.9 (code 0)"), "node7 has beets-tempo 0.0.9"),
        (replace(OWN, models=(("squares", "model:squares@1"),)), "node7 has model:squares@1 for"),
        (replace(OWN, models=()), "node7 has no model for the task squares"),
    ],
)
def test_another_is_refused(other: Provenance, told: str) -> None:
    with pytest.raises(ConfigError, match=told.replace("(", r"\(")):
        OWN.check(other, "node7")


def test_other_packages_are_told_of() -> None:
    other = replace(OWN, beside=(("python", dict(OWN.beside)["python"]), ("numpy", "1.26.0")))
    assert f"numpy 1.26.0 and not {version('numpy')}" in OWN.differences(other)
