"""A temporary file for what cannot be read by ranges."""

from __future__ import annotations

import tempfile
from contextlib import suppress

from ..errors import AudioError, reason

LARGEST_WHOLE = 1 << 32  # [bytes] of an object that is fetched or unpacked as a whole


class Spool:
    """Bytes that come one after another and are read at any position; in no memory but the disk's.

    All methods raise `AudioError` if the disk is full or there would be more than `LARGEST_WHOLE`.
    """

    def __init__(self) -> None:
        self.size = 0
        try:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  # `close` is ours
        except OSError as error:
            raise _unusable(error) from error

    def expect(self, size: int | None) -> None:
        """Refuse a size [bytes] that is too large."""
        if size is not None and size > LARGEST_WHOLE:
            raise AudioError(
                f"cannot be read by ranges, and is larger than {LARGEST_WHOLE >> 30} GB"
            )

    def add(self, data: bytes) -> None:
        """Add bytes at the end."""
        self.expect(self.size + len(data))
        try:
            self._file.seek(self.size)
            self._file.write(data)
        except OSError as error:
            raise _unusable(error) from error
        self.size += len(data)

    def part(self, position: int, size: int) -> bytes:
        """Bytes from a position on, as many as there are."""
        try:
            self._file.seek(position)
            return self._file.read(size)
        except OSError as error:
            raise _unusable(error) from error

    def close(self) -> None:
        """Delete all of it."""
        with suppress(OSError):  # it may try to write what did not fit
            self._file.close()


def _unusable(error: OSError) -> AudioError:
    folder = tempfile.tempdir or "a temporary folder"
    told = f"a copy of it cannot be kept in {folder} ({reason(error)})"
    return AudioError(f"{told}; TMPDIR can name a folder with more room")
