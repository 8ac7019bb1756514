"""Check that the package `trainer` that Python finds is the one of this distribution.

Other distributions install a package of that name as well. Two of them in one folder overwrite each
other's files; in several folders, the one that is found first is imported.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

from .errors import ConfigError

DISTRIBUTION = "beets-tempo"
PACKAGE = "trainer"
RESTORE = f"pip install --force-reinstall --no-deps {DISTRIBUTION}"
APART = f"give {DISTRIBUTION} an environment of its own"


def check_trainer() -> None:
    """Check that `import trainer` imports the package beside this one, unmixed with another.

    It reads a file of every installed distribution, so it should be called only when `trainer` is
    about to be imported, not at every start.

    Raises
    ------
    ConfigError
        If another distribution's package hides ours or is mixed with it, or ours is incomplete.
    """
    ours = Path(__file__).resolve().parents[1]
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:  # without its __init__.py it is a namespace package
        raise ConfigError(f"the package `{PACKAGE}` of {DISTRIBUTION} is incomplete: {RESTORE}")
    origin = Path(spec.origin).resolve()
    if origin != ours / PACKAGE / "__init__.py":
        place = origin.parents[1] if origin.name == "__init__.py" else origin.parent
        names = " and ".join(_others(place))
        whose, how = (f" of {names}", f"uninstall {names}") if names else ("", "move it away")
        raise ConfigError(
            f"the package `{PACKAGE}`{whose} in {place} hides that of {DISTRIBUTION}; {how}, or "
            f"{APART}"
        )
    if names := " and ".join(_others(ours)):
        raise ConfigError(
            f"{names} installs a package `{PACKAGE}` as {DISTRIBUTION} does, and they overwrite "
            f"each other's files; uninstall {names} and then {RESTORE}, or {APART}"
        )


@cache
def _others(place: Path) -> tuple[str, ...]:
    """Names of the other distributions that have installed a `trainer` into a folder.

    `importlib.metadata.packages_distributions` cannot be used: in Python 3.10 it knows only
    distributions with a `top_level.txt`, which not all build tools write.
    """
    listed = re.compile(rf'^"?{PACKAGE}(/|\.py,)', re.MULTILINE)
    return tuple(
        sorted(
            distribution.metadata["Name"]
            for distribution in distributions()
            if listed.search(distribution.read_text("RECORD") or "")
            and distribution.metadata["Name"] != DISTRIBUTION
            and Path(str(distribution.locate_file(""))).resolve() == place
        )
    )
