"""PLACEHOLDER until the module of this name is merged: opens a media file for PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av

from .errors import AudioError


@contextmanager
def open_container(path: Path) -> Iterator[Any]:
    """Open a media file.

    Raises
    ------
    AudioError
        If it cannot be opened.
    """
    try:
        container = av.open(f"file:{path.resolve()}", metadata_errors="ignore")
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise AudioError(f"cannot be opened as audio ({error})") from error
    with container:
        yield container
