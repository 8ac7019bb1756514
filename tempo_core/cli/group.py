"""The group of commands: a module for each, imported when it is called."""

from __future__ import annotations

import errno
import io
import os
import sqlite3
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from ..background import leave_with
from ..console import explain, give_up_stdout, shown
from ..errors import ConfigError
from ..extras import advice
from ..shadowing import check_trainer

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

# Commands of this package, with the module that each is in and its name there.
OWN_COMMANDS = {
    "acousticbrainz-index": "acousticbrainz_index",
    "demo-site": "demo_site",
    "estimate": "estimate",
    "labels": "labels",
    "models": "models",
}
ENTRY_POINT_GROUP = (
    "tempo_core.commands"  # entry points of those in other packages, see pyproject.toml
)


def offered_commands() -> EntryPoints:
    """What installed packages offer."""
    from importlib.metadata import entry_points  # slow, and most commands are our own

    return entry_points(group=ENTRY_POINT_GROUP)


class Commands(click.Group):
    """The commands of this package, and those that installed packages offer beside them.

    Whatever ends one of them is a single line on stderr.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """See `click.Group`."""
        try:
            return super().main(*args, **kwargs)
        except SystemExit as leaving:
            leave_with(leaving.code if isinstance(leaving.code, int) else 0)
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """See `click.Group`."""
        if sys.stdout is None:
            raise click.ClickException("standard output is closed")
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # what is not escaped need not be printable
                stream.reconfigure(errors="backslashreplace")
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except click.ClickException as error:
            error.message = shown(error.message)  # type: ignore[misc]
            raise
        except sqlite3.Error as error:
            raise click.ClickException(f"a database cannot be used ({explain(error)})") from error
        except OSError as error:
            if error.filename is None:
                give_up_stdout()
            if error.errno == errno.EPIPE:
                sys.exit(1)  # without a word, as others do whose reader has gone
            name = "standard output" if error.filename is None else os.fsdecode(error.filename)
            raise click.ClickException(shown(f"{name}: {error.strerror or error}")) from error
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*OWN_COMMANDS, *offered_commands().names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in OWN_COMMANDS:
            module = import_module(f"{__package__}.{OWN_COMMANDS[cmd_name]}")
            own: click.Command = getattr(module, OWN_COMMANDS[cmd_name])
            return own
        offered = offered_commands()
        if cmd_name not in offered.names:
            return None
        entry = offered[cmd_name]
        try:
            if entry.module.startswith("trainer."):
                check_trainer()
            command: click.Command = entry.load()
        except ConfigError as error:
            return _unavailable(cmd_name, "cannot be used: another `trainer`", str(error))
        except ImportError as error:
            told = advice(error)
            return _unavailable(
                cmd_name,
                f"needs more packages: {told}",
                f"{cmd_name} needs more packages ({error}): {told}",
            )
        return command


def _unavailable(name: str, short_help: str, reason: str) -> click.Command:
    """A command that only says why it cannot be used."""

    @click.command(name, short_help=short_help, context_settings={"ignore_unknown_options": True})
    @click.argument("args", nargs=-1)
    def command(args: tuple[str, ...]) -> None:
        raise click.ClickException(reason)

    return command
