"""Writing what was made of a track."""

from __future__ import annotations

from pathlib import Path

from ..errors import StorageError, reason
from ..files import Content, replace_file


def store(path: Path, data: Content) -> None:
    """Write a file in one step, and the folders that it is in; see `replace_file`.

    Raises
    ------
    StorageError
        If it cannot be written; what was there before stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {reason(error)}") from error
