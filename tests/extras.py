"""Environments in which packages cannot be imported, as if some extras were not installed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

# What the extras other than `train` bring. librosa, of `train`, needs soundfile, so that is there;
# but nothing that `train` is enough for may ask for it.
OF_OTHERS = ("pretty_midi", "soundfile", "mirdata")
FINDER = """\
import sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Nowhere())
"""


def without(packages: Iterable[str], folder: Path, root: Path) -> dict[str, str]:
    """The variables of an environment in which packages of these names cannot be imported."""
    (folder / "sitecustomize.py").write_text(FINDER.format(names=sorted(packages)))
    path = os.pathsep.join([str(folder), str(root)])
    return {**os.environ, "PYTHONPATH": path}
