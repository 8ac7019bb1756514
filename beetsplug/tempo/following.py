"""What becomes of files that beets moves and removes, noted in the store of sounds many at a time.

A transaction of its own for each takes longer than moving the file. What a killed process has not
noted is a file that `beet tempo-tags` knows by its content.
"""

from __future__ import annotations

import atexit
import threading
import time
from typing import TYPE_CHECKING

from tempo_core.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from beets.logging import BeetsLogger

    from tempo_core.embeddings import Change

MAX_SIZE = 1000  # changes in one transaction
MAX_AGE = 2.0  # [s] after which the next change brings those before it into the store


class Following:
    """Changes that are still to be noted, in their order; may be used from any threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._changes: list[Change] = []
        self._since = 0.0  # when the first of them was added
        self._file: Path | None = None
        self._log: BeetsLogger | None = None

    def add(self, file: Path, change: Change, log: BeetsLogger) -> None:
        """Add a change, and note all of them if they are many or have waited for long.

        Parameters
        ----------
        file
            The store.
        """
        with self._lock:
            if file != self._file:
                self.settle()
            if not self._changes:
                self._since = time.monotonic()
            self._file, self._log = file, log
            self._changes.append(change)
            if len(self._changes) >= MAX_SIZE or time.monotonic() - self._since > MAX_AGE:
                self.settle()

    def settle(self) -> None:
        """Note all changes; no problem with the store ends what beets does."""
        with self._lock:
            changes, self._changes = self._changes, []
            if not changes or self._file is None or not self._file.exists():
                return
            from tempo_core.embeddings import Embeddings

            try:
                with Embeddings(self._file, "", self._report) as store:
                    store.follow(changes)
            except StorageError as error:
                if self._log:
                    self._log.debug("{}", error)  # the content of the file tells it apart

    def _report(self, text: str) -> None:
        from tempo_core.console import shown

        if self._log:
            self._log.warning("{}", shown(text))


FOLLOWING = Following()  # of this process
atexit.register(FOLLOWING.settle)  # a command that ends with an error tells no plugin of its end
