"""What ends a command ends it in one line; what it finished before that is kept."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

from beets.exceptions import UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from optparse import Values

    from beets.library import Library

Plugin = TypeVar("Plugin")
KEPT = "what was finished is kept, and the next run carries on"


def guarded(
    command: Callable[[Plugin, Library, Values, list[str]], None],
) -> Callable[[Plugin, Library, Values, list[str]], None]:
    """A command that turns what ends it into beets' `UserError`: one line, exit status 1."""

    @wraps(command)
    def run(plugin: Plugin, lib: Library, opts: Values, args: list[str]) -> None:
        if sys.stdout is None and not getattr(opts, "quiet", None):
            raise UserError("standard output is closed; -q or >/dev/null does without it")
        try:
            command(plugin, lib, opts, args)
            if sys.stdout is not None:
                sys.stdout.flush()
        except KeyboardInterrupt:
            raise UserError("interrupted") from None
        except Exception as error:
            message = reason(error)
            if message is None:
                raise
            _abandon_stdout()
            raise UserError(message) from error

    return run


def reason(error: Exception) -> str | None:
    """Why a command cannot go on, in one line; None for what nobody foresaw."""
    from tempo_core.errors import TempoError

    if isinstance(error, TempoError):
        return str(error)
    if isinstance(error, BrokenPipeError) and error.filename is None:
        return f"standard output was closed; {KEPT}"
    if isinstance(error, OSError):
        where = "standard output" if error.filename is None else os.fsdecode(error.filename)
        return f"{where}: {error.strerror or error}; {KEPT}"
    if isinstance(error, (sqlite3.OperationalError, sqlite3.DatabaseError)):
        return f"the library cannot be used: {error}; {KEPT}"
    return None


def _abandon_stdout() -> None:
    """Where nothing more can be printed, see to it that Python does not try at its end either."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
