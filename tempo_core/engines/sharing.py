"""Names of files and models as they mean the same in another process, on this machine or not."""

from __future__ import annotations

import os
from pathlib import Path

from ..addresses import shared_address


def shared_path(path: str) -> str:
    """The path of a file, absolute; an address, see `shared_address`."""
    return shared_address(path) if "://" in path else os.path.abspath(path)  # noqa: PTH100  # resolve() follows links


def shared_model(model: str) -> str:
    """The name of a model as it is, or the path of its file, absolute."""
    path = Path(model).expanduser()
    return os.path.abspath(path) if path.is_file() else model  # noqa: PTH100
