"""`beet tempo-export`: write tracks with tempo, grid and key for the programs of DJs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from tempo_core.exports.choices import FORMATS, MIXXX

from .. import options

if TYPE_CHECKING:
    from optparse import Values

    from beets import ui
    from beets.library import Library

    from . import Plugin

STDOUT = "-"


def subcommand() -> ui.Subcommand:
    """Declare the command and its options."""
    command = options.command(
        "tempo-export",
        "write tracks with tempo, beat grid and key for DJ programs",
        "Writes the tracks that match, by default all that have a tempo, into a file that another "
        "program imports. Only reads the library. A file that is there is replaced as a whole; of "
        "mixxx it is Mixxx's own library, in which the tracks that Mixxx knows are updated.",
    )
    add = command.parser.add_option
    add("--format", choices=FORMATS, default=None, help=", ".join(FORMATS))
    add("-o", "--output", metavar="FILE", help="file to write; - for standard output")
    add("--playlist", metavar="NAME", help="put the tracks into a playlist of this name too")
    add(
        "--relocate", action="append", metavar="FROM=TO",
        help="where the other program finds the files, if elsewhere; can be repeated",
    )  # fmt: skip
    options.add_quiet(command)
    command.parser.add_album_option()
    return command


def check(opts: Values, settings: Any) -> None:
    """Check the options, each for itself and together.

    Raises
    ------
    UserError
        If an option makes no sense; the message names it.
    """
    if not opts.format:
        raise UserError(f"--format says for which program: {', '.join(FORMATS)}")
    if not opts.output:
        raise UserError("-o says where to write")
    if opts.format == MIXXX:  # its own library, which the export itself looks at
        if opts.output == STDOUT:
            raise UserError("--format mixxx needs -o with the path of mixxxdb.sqlite")
    elif opts.output != STDOUT:
        options.require_writable(opts, "output")
    if opts.playlist is not None and not opts.playlist.strip():
        raise UserError("--playlist needs a name")
    for pair in opts.relocate or ():
        if not all(pair.partition("=")):
            raise UserError(f"--relocate {pair}: give FROM=TO, such as /music=D:/Music")


def run(plugin: Plugin, lib: Library, settings: Any, query: list[str]) -> None:
    """Export the tracks that match."""
    from ..exporting import export_library

    export_library(lib, query, settings)
