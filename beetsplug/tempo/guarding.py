"""Errors that end a command, turned into one line for the user instead of a traceback."""

from __future__ import annotations

import os
import sqlite3
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

from beets import ui
from beets.exceptions import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from optparse import Values

    from beets.library import Library

    Command = Callable[[Library, Values, list[str]], None]

# End of a message about an error that ended a command.
NOTHING_LOST = "what was finished is kept, and the next run carries on"


def guarded(command: Command) -> Command:
    """A command whose foreseen errors become a `UserError` of beets: one line, exit status 1."""

    def run(lib: Library, opts: Values, query: list[str]) -> None:
        if sys.stdout is None and not getattr(opts, "quiet", None):
            raise UserError("standard output is closed; -q or >/dev/null does without it")
        try:
            command(lib, opts, query)
            if sys.stdout is not None:
                ui.print_(end="")  # flushes, so that an error of standard output is raised here
        except KeyboardInterrupt:
            raise UserError("interrupted") from None
        except Exception as error:
            message = reason(error)
            if message is None:
                raise
            from tempo_core.console import give_up_stdout

            give_up_stdout()
            raise UserError(message) from error

    return run


def reason(error: Exception) -> str | None:
    """Reason why a command cannot go on, in one line; None for an unforeseen exception."""
    from beets.dbcore.db import DBAccessError

    from tempo_core.errors import TempoError

    if isinstance(error, TempoError):
        return str(error)
    if isinstance(error, OSError):
        told = error.strerror or str(error)
        if error.filename is not None:
            told = f"{os.fsdecode(error.filename)}: {told}"
        elif _is_of_stdout(error):
            closed = isinstance(error, BrokenPipeError)
            told = "standard output was closed" if closed else f"standard output: {told}"
        return f"{told}; {NOTHING_LOST}"
    if isinstance(error, OverflowError) and "SQLite" in str(error):
        return "a number in the query is too large"
    if isinstance(error, (sqlite3.Error, DBAccessError)):
        return f"the library cannot be used: {error}; {NOTHING_LOST}"
    return None


def _is_of_stdout(error: OSError) -> bool:
    """Whether an error was raised by `ui.print_`; the error itself does not name the stream."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_code is ui.print_.__code__


@contextmanager
def library_errors(so_far: str | Callable[[], str]) -> Iterator[None]:
    """Turn errors of the database into a `UserError`, one line that ends the command.

    Parameters
    ----------
    so_far
        Words for what was done before the error, or a function that returns them.

    Raises
    ------
    UserError
        If the library cannot be read or written, also after waiting for a lock.
    """
    try:
        yield
    except sqlite3.Error as error:
        told = so_far if isinstance(so_far, str) else so_far()
        raise UserError(
            f"the library cannot be used ({error}): {told}; the next run continues from here"
        ) from error
