"""`beet tempo-similar`: find tracks that sound alike."""

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
        "tempo-similar",
        "find what sounds like a track",
        "Lists what sounds like the tracks that match, the most similar first: timbre, instruments "
        "and voices count, tempo and key do not. `beet tempo-tags` listens to the tracks before. "
        "Only reads the library.",
    )
    add = command.parser.add_option
    add("--max", type="int", help="tracks to show [default: 20]")
    add("--bpm", metavar="A..B", help="only tracks at these tempi")
    add("--key", action="store_true", help="only tracks whose key fits")
    add(
        "--crate", action="append", metavar="QUERY",
        help="choose among the tracks that match this query; of several they match all",
    )  # fmt: skip
    add(
        "--duplicates", action="store_true",
        help="take other copies of the same recording as well",
    )  # fmt: skip
    options.add_playlist(command)
    command.parser.add_format_option(target="item")
    return command


def check(opts: Values, settings: Any) -> None:
    """Check the options.

    Raises
    ------
    UserError
        If an option makes no sense; the message names it.
    """
    options.require_whole(opts, ("max",))
    options.check_playlist(opts)


def run(plugin: Plugin, lib: Library, settings: Any, query: list[str]) -> None:
    """List what sounds like the tracks that match."""
    from ..crates import Crate
    from ..similar import MOST_LISTED, Wanted, list_similar

    if not query:
        raise UserError("give a query for the tracks that the others are to sound like")
    tempi = None if settings.bpm is None else _tempi(settings.bpm)
    list_similar(
        lib, query, Crate(tuple(settings.crate or ()), duplicates=bool(settings.duplicates)),
        Wanted(settings.max or MOST_LISTED, tempi, bool(settings.key)), plugin._log,
        format_=settings.format, playlist=settings.m3u, relative_to=settings.relative_to,
    )  # fmt: skip


def _tempi(text: str) -> Any:
    """The range of `--bpm`.

    Raises
    ------
    UserError
        If it is none.
    """
    from beets.dbcore.query import InvalidQueryArgumentValueError

    from ..queries import PaceQuery

    try:
        found = PaceQuery("bpm", text)
    except InvalidQueryArgumentValueError as error:
        raise UserError(f"--bpm {error}; give tempi such as 120..130") from None
    low, high = found.rangemin, found.rangemax
    if "@" in text or not found.limits or (low and high and low > high):
        raise UserError("--bpm needs tempi such as 120..130, the lower one first")
    return found
