"""Environments in which packages cannot be imported, as if some extras were not installed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

# Packages of the extras other than `train`. soundfile is installed with `train` too, because
# librosa needs it, but commands that need only `train` must not import it themselves.
NOT_IN_TRAIN = (
    "cryptography",
    "dask",
    "dask_jobqueue",
    "distributed",
    "mirdata",
    "pyarrow",
    "soundfile",
)
# Those of the extra `remote`. torch and lightning bring some of them along, and may import them.
REMOTE = ("aiobotocore", "aiohttp", "botocore", "fsspec", "s3fs", "yarl")
FINDER = """\
import sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Nowhere())
"""


def without(packages: Iterable[str], folder: Path, root: Path) -> dict[str, str]:
    """Environment variables for a process in which some packages cannot be imported.

    Parameters
    ----------
    packages
        Names of the packages.
    folder
        Folder for a module that hides them.
    root
        Folder of this repository.
    """
    (folder / "sitecustomize.py").write_text(FINDER.format(names=sorted(packages)))
    path = os.pathsep.join([str(folder), str(root)])
    return {**os.environ, "PYTHONPATH": path}
