"""Works for tests: what a real one does, with accidents on purpose."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tempo_core.errors import AudioError, CheckpointError


@dataclass(frozen=True)
class Squares:
    """Squares of numbers; each that is begun is a line `number pid` in `log`.

    Numbers in `deadly` kill the process, those in `bad` are errors, those in `slow` take a minute.
    """

    log: str
    deadly: tuple[int, ...] = ()
    bad: tuple[int, ...] = ()
    slow: tuple[int, ...] = ()
    seconds: float = 0.0

    def load(self) -> Callable[[int], int]:
        return self._square

    def uses(self) -> Mapping[str, str]:
        return {"squares": "model:squares@0"}

    def _square(self, number: int) -> int:
        with Path(self.log).open("a") as file:
            file.write(f"{number} {os.getpid()}\n")
        time.sleep(60 if number in self.slow else self.seconds)
        if number in self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if number in self.bad:
            raise AudioError(f"{number} is bad")
        if number < 0:
            raise ValueError("negative")
        return number * number


def begun(log: str) -> list[tuple[int, int]]:
    """(number, pid) of everything that was begun, in order."""
    lines = Path(log).read_text().splitlines() if Path(log).exists() else []
    return [(int(number), int(pid)) for number, pid in (line.split() for line in lines)]


@dataclass(frozen=True)
class OtherModels:
    """A work whose model is another one in every process."""

    def load(self) -> Callable[[int], int]:
        return abs

    def uses(self) -> Mapping[str, str]:
        return {"tempo": f"model:tempo@{os.getpid()}"}


@dataclass(frozen=True)
class OnlyHere:
    """A work whose model only one process has."""

    pid: int

    def load(self) -> Callable[[int], int]:
        if os.getpid() != self.pid:
            raise CheckpointError("tempo.safetensors: no such model file")
        return abs

    def uses(self) -> Mapping[str, str]:
        return {}


@dataclass(frozen=True)
class Whereabouts:
    """Address and pid of the worker that does it, with a space between."""

    def load(self) -> Callable[[int], str]:
        return self._where

    def uses(self) -> Mapping[str, str]:
        return {}

    def _where(self, _number: int) -> str:
        from distributed import get_worker

        return f"{get_worker().address} {os.getpid()}"
