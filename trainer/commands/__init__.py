"""What the trainer adds to `tempo-core`, one module a command; each loads next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from threading import Event
from typing import Any, TypeVar

import click

from tempo_core.background import GRACE, Stopped, call
from tempo_core.extras import advice

T = TypeVar("T")


def load(name: str, stop: Event) -> Any:
    """A module of the trainer; loading takes seconds, which Ctrl-C can cut short.

    Raises
    ------
    ClickException
        If it was to stop, or needs a package that is not installed.
    """
    try:
        return call(lambda: import_module(f"trainer.{name}"), stop.is_set)
    except Stopped as error:
        raise click.ClickException(str(error)) from error
    except ImportError as error:
        raise lacking(error) from error


def lacking(error: ImportError) -> click.ClickException:
    """What to raise where a package is not installed: which one brings it."""
    command = click.get_current_context().info_name
    return click.ClickException(f"{command} needs more packages ({error}): {advice(error)}")


def work(function: Callable[[], T], stop: Event) -> T:
    """Do what a command is there for, which Ctrl-C ends soon, whatever it is at.

    Raises
    ------
    Stopped
        If it was to stop.
    """
    return call(function, stop.is_set, patience=GRACE)
