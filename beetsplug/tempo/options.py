"""Options of the commands: how they are declared, checked, and merged with the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from optparse import Values

# What options are called where it is not the name of what they set.
CALLED = {
    "write": "-w/-W", "force": "-f", "pretend": "-p", "quiet": "-q", "album": "-a",
    "import_": "--import", "sources": "--source", "trainable_only": "--trainable",
}  # fmt: skip
MOST_SEEDS = 2**32  # what random generators take


def command(name: str, summary: str, about: str) -> ui.Subcommand:
    """A command that takes a query; `about` stands in its own help, `summary` in that of beets."""
    parser = ui.CommonOptionsParser(usage="%prog [options] [QUERY...]", description=about)
    return ui.Subcommand(name, parser=parser, help=summary)


def add_quiet(command: ui.Subcommand, text: str = "show only failures") -> None:
    """The option -q."""
    command.parser.add_option("-q", "--quiet", action="store_true", default=None, help=text)


def add_threads(command: ui.Subcommand, text: str) -> None:
    """The option -t, of commands that listen."""
    command.parser.add_option("-t", "--threads", type="int", default=None, help=text)


def add_common_options(
    command: ui.Subcommand, *, force: str, write: str = "write to the files' tags"
) -> None:
    """The options of commands that change the library, named as everywhere in beets."""
    add = command.parser.add_option
    add("-f", "--force", action="store_true", default=None, help=force)
    add(
        "-p", "--pretend", action="store_true", default=False,
        help="show what would be done, write nothing",
    )  # fmt: skip
    add_quiet(command, "show nothing but failures")
    # A list, so that -w and -W are both seen where somebody gives both: see `settle`.
    add("-w", "--write", action="append_const", const=True, help=write)
    add(
        "-W", "--nowrite", dest="write", action="append_const", const=False,
        help="change the library only, not the files' tags",
    )  # fmt: skip
    command.parser.add_album_option()


def merged(
    settings: Any, opts: Values, section: str | None = None, own: Collection[str] = ()
) -> Any:
    """The configuration with the options of the command line over it.

    An option that was not given leaves the setting of its name as the configuration or the default
    has it. Where there is no such setting it is None.

    Parameters
    ----------
    settings
        What `settings.load` returns; changed in place.
    section
        The part of the settings that belongs to the command: options of the same name go there.
    own
        Options that are never taken from the configuration, though there is a setting of the name.
    """
    part = settings[section] if section is not None else {}
    for name, value in vars(opts).items():
        where = part if name in part else settings
        if value is not None or name in own or name not in where:
            where[name] = value
    return settings


def settle(opts: Values) -> None:
    """Make one of all that was said with -w and -W.

    Raises
    ------
    UserError
        If both were given.
    """
    said: list[bool] | None = getattr(opts, "write", None)
    if said is None:
        return
    if len(set(said)) > 1:
        raise UserError("-w and -W contradict each other; leave one out")
    opts.write = said[0]


def require_whole(opts: Values, names: Collection[str], least: int = 1) -> None:
    """Refuse numbers below the least that makes sense.

    Raises
    ------
    UserError
        With what is needed.
    """
    for name in names:
        value = getattr(opts, name)
        if value is not None and value < least:
            raise UserError(f"{called(name)} must be a whole number from {least}")


def refuse(opts: Values, names: Iterable[str], why: str) -> None:
    """Refuse those of the options that were given.

    Raises
    ------
    UserError
        If one of them was.
    """
    for name in names:
        value: Any = getattr(opts, name)
        if value is not None and value is not False:
            raise UserError(f"{called(name)} {why}")


def require_writable(opts: Values, name: str) -> None:
    """Refuse a file that cannot be made, since it is written at the end of hours of work.

    Raises
    ------
    UserError
        If it is none, or its folder is not there.
    """
    value = getattr(opts, name)
    if value is None:
        return
    path = Path(value).expanduser()
    if not value or path.is_dir():
        raise UserError(f"{called(name)} needs the name of a file")
    if not path.parent.is_dir():
        raise UserError(f"{called(name)} {value}: there is no folder {path.parent}")


def require_folder(opts: Values, name: str) -> None:
    """Refuse a folder that is a file.

    Raises
    ------
    UserError
        If it is one.
    """
    value = getattr(opts, name)
    if value and Path(value).expanduser().is_file():
        raise UserError(f"{called(name)} {value} is a file, not a folder")


def called(name: str) -> str:
    """An option as people write it."""
    return CALLED.get(name, f"--{name.replace('_', '-')}")
