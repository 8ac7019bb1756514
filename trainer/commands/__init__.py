"""The commands that the trainer adds to `tempo-core`, a module each; each loads next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from threading import Event
from typing import Any, TypeVar

from tempo_core.background import GRACE, call

T = TypeVar("T")


def load(name: str, stop: Event) -> Any:
    """A module of the trainer; loading takes seconds, which Ctrl-C can cut short.

    Raises
    ------
    Stopped
        If it was to stop.
    ImportError
        If it needs a package that is not installed.
    """
    return call(lambda: import_module(f"trainer.{name}"), stop.is_set)


def work(function: Callable[[], T], stop: Event) -> T:
    """The result of a command's work, which Ctrl-C ends soon, whatever it is doing.

    Raises
    ------
    Stopped
        If it was to stop.
    """
    return call(function, stop.is_set, patience=GRACE)
