"""Options of the commands: declaring them, checking them, merging them with the configuration."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets import ui
from beets.exceptions import UserError

from tempo_core.sound_tags import is_field

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from optparse import Values

# Options whose spelling does not follow from the name of the value they set.
SPELLINGS = {
    "write": "-w/-W", "force": "-f", "pretend": "-p", "quiet": "-q", "album": "-a",
    "import_": "--import", "sources": "--source", "trainable_only": "--trainable", "output": "-o",
}  # fmt: skip
_SQLITE = b"SQLite format 3\0"  # what a database begins with
N_SEEDS = 2**32  # number of seeds that numpy's and Lightning's random generators accept, from 0


def command(name: str, summary: str, about: str) -> ui.Subcommand:
    """A command that takes a query.

    Parameters
    ----------
    summary
        Line for the command in the output of `beet help`.
    about
        Description in the help of the command itself.
    """
    parser = ui.CommonOptionsParser(usage="%prog [options] [QUERY...]", description=about)
    return ui.Subcommand(name, parser=parser, help=summary)


def add_quiet(command: ui.Subcommand, text: str = "show only failures") -> None:
    """Add the option -q to a command."""
    command.parser.add_option("-q", "--quiet", action="store_true", default=None, help=text)


def add_threads(command: ui.Subcommand, text: str) -> None:
    """Add the option -t, the number of threads, to a command that decodes audio."""
    command.parser.add_option("-t", "--threads", type="int", default=None, help=text)


def add_common_options(
    command: ui.Subcommand, *, force: str, write: str = "write to the files' tags"
) -> None:
    """Add the options of a command that changes the library, under the names that beets uses.

    Parameters
    ----------
    force, write
        Help texts of -f and -w.
    """
    add = command.parser.add_option
    add("-f", "--force", action="store_true", default=None, help=force)
    add(
        "-p", "--pretend", action="store_true", default=False,
        help="show what would be done, write nothing",
    )  # fmt: skip
    add_quiet(command, "show nothing but failures")
    # Collected in a list, so that `settle` can see whether both -w and -W were given.
    add("-w", "--write", action="append_const", const=True, help=write)
    add(
        "-W", "--nowrite", dest="write", action="append_const", const=False,
        help="change the library only, not the files' tags",
    )  # fmt: skip
    command.parser.add_album_option()


def add_playlist(command: ui.Subcommand) -> None:
    """Add the options of a command that can write the tracks that it lists to a playlist."""
    add = command.parser.add_option
    add("-o", "--m3u", metavar="FILE", help="write the tracks to a playlist as well (M3U, UTF-8)")
    add(
        "--relative-to", metavar="DIR",
        help="with --m3u: make the paths in it relative to this folder",
    )  # fmt: skip


def check_playlist(opts: Values) -> None:
    """Check the options of `add_playlist`.

    Raises
    ------
    UserError
        If the file cannot be created, or `--relative-to` is there without it.
    """
    require_writable(opts, "m3u")
    if opts.m3u is None:
        refuse(opts, ("relative_to",), "is for --m3u")


def merged(
    settings: Any, opts: Values, section: str | None = None, own: Collection[str] = ()
) -> Any:
    """The settings, overridden by the options of the command line.

    An option that was not given leaves the setting of the same name as it is. If there is no such
    setting, the value is None.

    Parameters
    ----------
    settings
        Result of `settings.load`; changed in place and returned.
    section
        Name of the section that belongs to the command; an option goes there if the section has a
        setting of its name. None means that there is no such section.
    own
        Options that always replace the setting of the same name, also when they were not given.
    """
    part = settings[section] if section is not None else {}
    for name, value in vars(opts).items():
        where = part if name in part else settings
        if value is not None or name in own or name not in where:
            where[name] = value
    return settings


def settle(opts: Values) -> None:
    """Replace the list of all -w and -W in `opts.write` by one value; no option leaves None.

    Raises
    ------
    UserError
        If both were given.
    """
    given: list[bool] | None = getattr(opts, "write", None)
    if given is None:
        return
    if len(set(given)) > 1:
        raise UserError("-w and -W contradict each other; leave one out")
    opts.write = given[0]


def require_whole(opts: Values, names: Collection[str], least: int = 1) -> None:
    """Check that the numbers in those options that were given are at least `least`.

    Raises
    ------
    UserError
        If a number is smaller.
    """
    for name in names:
        value = getattr(opts, name)
        if value is not None and value < least:
            raise UserError(f"{called(name)} must be a whole number from {least}")


def refuse(opts: Values, names: Iterable[str], why: str) -> None:
    """Check that none of some options was given; `why` ends the message about one that was.

    Raises
    ------
    UserError
        If one of them was given.
    """
    for name in names:
        value: Any = getattr(opts, name)
        if value is not None and value is not False:
            raise UserError(f"{called(name)} {why}")


def require_writable(opts: Values, name: str) -> None:
    """Check that the file named by an option can be created, long before it is written.

    Raises
    ------
    UserError
        If the name is empty or that of a folder, its parent folder does not exist, or what would be
        replaced is music or a database.
    """
    value = getattr(opts, name)
    if value is None:
        return
    path = Path(value).expanduser()
    if value == "-":
        raise UserError(f"{called(name)} - cannot be printed; give the name of a file")
    if not value or path.is_dir():
        raise UserError(f"{called(name)} needs the name of a file")
    if not path.parent.is_dir():
        raise UserError(f"{called(name)} {value}: there is no folder {path.parent}")
    if kind := _irreplaceable(path):
        raise UserError(f"{called(name)} {value} is {kind}, which is not overwritten")


def _irreplaceable(path: Path) -> str:
    """What a file is that no text may replace; empty if it may, or if there is no file."""
    from tempo_core.files import EXTENSIONS

    if not path.is_file():
        return ""
    if path.suffix.lower() in EXTENSIONS:
        return "music"
    with suppress(OSError), path.open("rb") as file:
        if file.read(len(_SQLITE)) == _SQLITE:
            return "a database"
    return ""


def require_folder(opts: Values, name: str) -> None:
    """Check that the folder named by an option is not a file.

    Raises
    ------
    UserError
        If it is a file.
    """
    value = getattr(opts, name)
    if value and Path(value).expanduser().is_file():
        raise UserError(f"{called(name)} {value} is a file, not a folder")


def label_field(given: str | None, default: str) -> str:
    """The field with the labels, in small letters: `Mood` and `mood` are one field to beets.

    Raises
    ------
    UserError
        If it is no name of a field, or the analysis fills it.
    """
    field = (default if given is None else given).lower()
    if not is_field(field):
        raise UserError(
            f"--field {field or 'nothing'}: give the name of a field, such as genres or mood"
        )
    if field.startswith(("tempo_", "sound_")):
        raise UserError(f"--field {field}: what the analysis wrote itself is no label")
    return field


def called(name: str) -> str:
    """The spelling of an option on the command line, such as `--cache-size` for `cache_size`."""
    return SPELLINGS.get(name, f"--{name.replace('_', '-')}")
