"""Writing an export: first beside its place, proven there, and then put there in one step."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import StorageError, reason
from ..files import is_channel, replace_file
from .formats import Format, prove
from .track import ExportTrack


def write(path: Path, tracks: Sequence[ExportTrack], playlist: str | None, form: Format) -> None:
    """Write tracks to a file; one that is there is replaced as a whole.

    Raises
    ------
    StorageError
        If it cannot be written, or does not read back as it was written; the old file stays then.
    """
    try:
        if is_channel(path):
            replace_file(path, proven(tracks, playlist, form))
        else:
            content = form.encode(tracks, playlist)
            replace_file(path, content, lambda part: prove(part, tracks, form))
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {reason(error)}") from error


def proven(tracks: Sequence[ExportTrack], playlist: str | None, form: Format) -> bytes:
    """The content of a file, read back from a file for the proof.

    Raises
    ------
    StorageError
        See `write`.
    """
    data = form.encode(tracks, playlist)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export"
        path.write_bytes(data)
        prove(path, tracks, form)
    return data
