"""`beet tempo-mix`: find the tracks that mix with a track, or a whole set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from tempo_core.mixing import CURVES

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
        "double included, and by key. With --path N it lists a whole set that begins with this "
        "track, or, without a query, with the best one. Only reads the library.",
    )
    add = command.parser.add_option
    add("--max", type="int", help="tracks to show [default: 20]")
    add(
        "--pitch", type="float", default=6.0, metavar="PERCENT",
        help="change of speed to accept at most [default: %default]",
    )  # fmt: skip
    add(
        "--crate", action="append", metavar="QUERY",
        help="choose among the tracks that match this query; of several they match all",
    )  # fmt: skip
    add("--unsteady", action="store_true", help="take tracks whose tempo changes as well")
    add(
        "--duplicates", action="store_true",
        help="take other copies of the same recording as well",
    )  # fmt: skip
    add(
        "--sound", action="store_true",
        help="rank by how alike they sound as well; `beet tempo-tags` listens before",
    )  # fmt: skip
    add("--path", type="int", metavar="N", help="order a set of N tracks")
    add(
        "--curve", metavar="NAME",
        help=f"how energy goes in the set: {', '.join(CURVES)} [default: {CURVES[0]}]",
    )  # fmt: skip
    add("--sheet", metavar="FILE", help="write the set as a page to look at and to print (HTML)")
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
    if not 0 <= opts.pitch < 100:
        raise UserError("--pitch must be a percentage from 0 to 99")
    options.require_whole(opts, ("max",))
    options.require_whole(opts, ("path",), least=2)
    if opts.path is None:
        options.refuse(opts, ("curve", "sheet"), "is for --path")
    else:
        options.refuse(opts, ("max",), "does nothing with --path, which says how many")
    if opts.curve is not None and opts.curve not in CURVES:
        raise UserError(f"--curve must be one of {', '.join(CURVES)}")
    options.require_writable(opts, "sheet")
    options.check_playlist(opts)


def run(plugin: Plugin, lib: Library, settings: Any, query: list[str]) -> None:
    """List what mixes with the track that matches, or a set."""
    from ..crates import Crate

    crate = Crate(tuple(settings.crate or ()), bool(settings.unsteady), bool(settings.duplicates))
    sounds = None
    if settings.sound:
        from ..sounds import sounds_of

        sounds = sounds_of(lib, plugin._log)
        if not sounds.ids:
            raise UserError("no track was listened to for --sound yet; `beet tempo-tags` does")
    if settings.path is not None:
        from ..set_search import Wanted
        from ..sets import Output, list_set

        wanted = Wanted(settings.path, settings.curve or CURVES[0], settings.pitch, sounds)
        output = Output(settings.format, settings.m3u, settings.relative_to, settings.sheet)
        list_set(lib, query, crate, wanted, output, plugin._log)
        return
    from ..mixing import MOST_LISTED, list_mix

    list_mix(
        lib, query, crate, pitch=settings.pitch, sounds=sounds, most=settings.max or MOST_LISTED,
        format_=settings.format, playlist=settings.m3u, relative_to=settings.relative_to,
    )  # fmt: skip
