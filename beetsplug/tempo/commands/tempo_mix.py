"""`beet tempo-mix`: find the tracks that mix with a track."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from .. import options

if TYPE_CHECKING:
    from optparse import Values

    from beets import ui
    from beets.library import Library

    from . import Plugin


def subcommand() -> ui.Subcommand:
    """Declare the command and its options."""
    command = options.command(
        "tempo-mix",
        "find what mixes with a track, by tempo and key",
        "Lists what mixes with the one track that matches, the best first: by tempo, half and "
        "double included, and by key. Only reads the library.",
    )
    add = command.parser.add_option
    add("--max", type="int", default=20, help="tracks to show [default: %default]")
    add(
        "--pitch", type="float", default=6.0, metavar="PERCENT",
        help="change of speed to accept at most [default: %default]",
    )  # fmt: skip
    command.parser.add_format_option(target="item")
    return command


def check(opts: Values, settings: Any) -> None:
    """Check the options.

    Raises
    ------
    UserError
        If an option makes no sense; the message names it.
    """
    if not 0 <= opts.pitch < 100:
        raise UserError("--pitch must be a percentage from 0 to 99")
    options.require_whole(opts, ("max",))


def run(plugin: Plugin, lib: Library, settings: Any, query: list[str]) -> None:
    """List what mixes with the track that matches."""
    from ..mixing import list_mix

    list_mix(lib, query, pitch=settings.pitch, most=settings.max, format_=settings.format)
