"""The group of all commands. The module of a command is imported when the command is called."""

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

# Commands of this package. The value is the name of the module and of the function in it.
OWN_COMMANDS = {
    "acousticbrainz-index": "acousticbrainz_index",
    "beats": "beats",
    "demo-site": "demo_site",
    "estimate": "estimate",
    "labels": "labels",
    "models": "models",
    "notes": "notes",
}
# Entry points of commands in other packages, see pyproject.toml.
ENTRY_POINT_GROUP = "tempo_core.commands"


def offered_commands() -> EntryPoints:
    """Entry points of the commands in other installed packages."""
    from importlib.metadata import entry_points  # slow to import and rarely needed

    return entry_points(group=ENTRY_POINT_GROUP)


class Commands(click.Group):
    """A group with the commands of this package and those of other installed packages.

    Errors of a command are reported in a single line on stderr.
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
            # Without this, characters that the terminal's encoding lacks would raise an error.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt:  # before or after the work, which ends by itself
            raise click.ClickException("interrupted") from None
        except click.ClickException as error:
            error.message = shown(error.message)  # type: ignore[misc]
            raise
        except sqlite3.Error as error:
            raise click.ClickException(f"a database cannot be used ({explain(error)})") from error
        except OSError as error:
            if error.filename is None:
                give_up_stdout()
            if error.errno == errno.EPIPE:
                sys.exit(1)  # the reader of the pipe is gone; other programs say nothing, too
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
    """A command that cannot be used and only reports the reason."""

    @click.command(name, short_help=short_help, context_settings={"ignore_unknown_options": True})
    @click.argument("args", nargs=-1)
    def command(args: tuple[str, ...]) -> None:
        raise click.ClickException(reason)

    return command
