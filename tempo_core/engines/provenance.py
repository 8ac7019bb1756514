"""Whether two processes would compute the same: versions, code and models."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .work import Work

PACKAGE = "beets-tempo"
PACKAGES = ("tempo_core", "trainer", "beetsplug/tempo")
# So that a checkout and an installed wheel of the same code are the same.
NOT_IN_THE_WHEEL = (
    "trainer/making",
    "trainer/research",
    "trainer/synthesis/__main__.py",
    "trainer/synthesis/composition.py",
    "trainer/synthesis/paces.py",
    "trainer/synthesis/rendering",
    "trainer/synthesis/styles.py",
)
# Others that a result depends on in the last digits, or in how damaged a file may be.
BESIDE = ("numpy", "av")


@dataclass(frozen=True)
class Provenance:
    """What the results of a process depend on.

    Attributes
    ----------
    package
        Version of this package, and a digest of its code.
    models
        (task, `model:<name>@<hash>`) of each model.
    beside
        (name, version) of Python and other packages: where these differ, results are close, but
        need not be equal.
    """

    package: str
    models: tuple[tuple[str, str], ...]
    beside: tuple[tuple[str, str], ...]

    def check(self, other: Provenance, where: str) -> None:
        """Refuse another process that would compute something else.

        Parameters
        ----------
        where
            Name of the other process, for the message.

        Raises
        ------
        ConfigError
            If it has another version of the package, or other models.
        """
        if self.package != other.package:
            raise ConfigError(
                f"{where} has {PACKAGE} {other.package}, here it is {self.package}; install the "
                "same version there"
            )
        theirs = dict(other.models)
        for task, model in self.models:
            if theirs.get(task) != model:
                raise ConfigError(
                    f"{where} has {theirs.get(task, 'no model')} for the task {task}, here it is "
                    f"{model}; use the same model there"
                )

    def differences(self, other: Provenance) -> list[str]:
        """What differs of Python and other packages: `av 18.0 and not 18.1`."""
        theirs = dict(other.beside)
        return [
            f"{name} {theirs.get(name)} and not {own}"
            for name, own in self.beside
            if theirs.get(name) != own
        ]


def provenance(work: Work[Any, Any]) -> Provenance:
    """What the results of a work depend on in this process.

    Raises
    ------
    TempoError
        If a model is not there.
    """
    uses: Mapping[str, str] = work.uses()
    beside = [("python", platform.python_version()), *((name, version(name)) for name in BESIDE)]
    return Provenance(_package(), tuple(sorted(uses.items())), tuple(beside))


@cache
def _package() -> str:
    """Version of this package with a digest of its code: `0.1.0 (code 1f2e3d4c)`."""
    try:
        own = version(PACKAGE)
    except PackageNotFoundError:  # used from a folder
        own = "of unknown version"
    digest = hashlib.sha256()
    root = Path(__file__).parents[2]
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            name = path.relative_to(root)
            if not any(name.is_relative_to(left_out) for left_out in NOT_IN_THE_WHEEL):
                digest.update(name.as_posix().encode() + b"\0" + path.read_bytes())
    return f"{own} (code {digest.hexdigest()[:8]})"
