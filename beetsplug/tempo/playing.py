"""A program that plays audio files, run beside a command."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from typing_extensions import Self

# Programs that are looked for, with the options that keep them from opening a window and from
# writing over the command's own lines.
PLAYERS = (
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("mpv", "--no-video", "--really-quiet"),
)
STARTING = 0.3  # [s] in which a player that cannot play says so


class Player:
    """Player of one file at a time; use as a context manager, which stops it at the end.

    Parameters
    ----------
    command
        The program with its options; None takes the first of `PLAYERS` that is there, and False
        plays nothing.

    Attributes
    ----------
    problem
        Why nothing can be played, in one line; empty if it can, or is not to be.
    """

    def __init__(self, command: Sequence[str] | bool | None = None) -> None:
        self.problem = ""
        self._command: Sequence[str] = ()
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None  # a file, because nobody empties a pipe while it plays
        candidates: Sequence[Sequence[str]] = PLAYERS
        if command is False:
            return
        if not isinstance(command, bool) and command is not None:
            candidates = [command]
        found = [known for known in candidates if shutil.which(known[0])]
        if found:
            self._command = found[0]
        else:
            names = " nor ".join(known[0] for known in candidates)
            self.problem = (
                f"{'neither ' * (len(candidates) > 1)}{names} found: going on without sound"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def can_play(self) -> bool:
        """Whether there is a program that has not failed yet."""
        return bool(self._command)

    def play(self, path: Path) -> None:
        """Begin to play a file, instead of the one before; sets `problem` if that fails."""
        self.stop()
        if not self._command:
            return
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed in `stop`
        try:
            # Its own standard input, because players read keys as well.
            self._process = subprocess.Popen(
                [*self._command, str(path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
            )
            self._process.wait(STARTING)
        except subprocess.TimeoutExpired:
            return  # it plays
        except OSError as error:
            self._give_up(error.strerror or str(error))
            return
        if self._process.returncode:
            self._said.seek(0)
            told = self._said.read().decode("utf-8", "replace").strip().splitlines()
            self._give_up(told[-1] if told else f"exit status {self._process.returncode}")

    def stop(self) -> None:
        """Stop what is playing."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._said is not None:
            self._said.close()
            self._said = None

    def _give_up(self, why: str) -> None:
        self.problem = f"{self._command[0]} cannot play ({why}): going on without sound"
        self._command = ()
