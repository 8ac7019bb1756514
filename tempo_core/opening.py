"""Opening media files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av

from .errors import AudioError


class Music(io.FileIO):
    """A file as a decoder reads it."""

    def packet_came(self) -> None:
        """Note that the decoder has found something."""


@contextmanager
def open_container(file: Music) -> Iterator[Any]:
    """What a decoder finds in a file, for as long as the context lasts.

    Raises
    ------
    AudioError
        If it is no audio or video file.
    """
    try:
        container = av.open(file, "r", metadata_errors="ignore")
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise AudioError(f"cannot be opened as audio ({error})") from error
    with container:
        yield container
