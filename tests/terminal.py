"""A program in a real terminal, whose screen a test reads and whose keys it presses."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from typing_extensions import Self

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0  # [s]


class Terminal:
    """A pseudo-terminal with a process in it; use as a context manager, which ends the process.

    Parameters
    ----------
    command
        Arguments for Python.
    env
        Variables of the environment that differ from those of this process.

    Attributes
    ----------
    process
        The process; its end closes nothing.
    before
        Modes of the terminal before the process began.
    """

    def __init__(self, command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
        self._ours, self._theirs = pty.openpty()
        self.before = termios.tcgetattr(self._theirs)
        self._seen = ""
        self.process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    @property
    def modes(self) -> list[object]:
        """The modes of the terminal now, as `termios` gives them."""
        return termios.tcgetattr(self._theirs)

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def until(self, text: str) -> str:
        """Read the screen up to a text; what came before it and since the last call, with it.

        Raises
        ------
        AssertionError
            If it does not come, or the process ends before.
        """
        deadline = time.monotonic() + PATIENCE
        while text not in self._seen:
            ended = self.process.poll() is not None
            if not self._more(0.1) and (ended or time.monotonic() > deadline):
                raise AssertionError(f"{text!r} is not on the screen: {self._seen!r}")
        found, _, self._seen = self._seen.partition(text)
        return found + text

    def end(self) -> tuple[int, str]:
        """Wait for the end of the process: its exit status, and the rest of the screen."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            self._more(0.05)
        while self._more(0.0):
            pass
        return self.process.wait(1), self._seen

    def _more(self, timeout: float) -> bool:
        """Read what is there; whether there was something."""
        if not select.select([self._ours], [], [], timeout)[0]:
            return False
        self._seen += os.read(self._ours, 4096).decode().replace("\r\n", "\n")
        return True
