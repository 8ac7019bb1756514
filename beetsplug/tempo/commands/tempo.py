"""`beet tempo`: estimate tempo and key of tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from .. import options
from ..settings import check_tasks

if TYPE_CHECKING:
    from optparse import Values

    from beets import ui
    from beets.library import Library

    from . import Plugin

OF_CADENCE = ("format", "m3u", "relative_to")  # options that only `--cadence` has


def subcommand() -> ui.Subcommand:
    """Declare the command and its options."""
    command = options.command(
        "tempo",
        "estimate tempo and key of tracks and write them to them",
        "Listens to the tracks that match and have no tempo or no key yet, and fills in bpm, "
        "initial_key, the tempo_* fields and the files' tags. Without a query it does so for the "
        "whole library.",
    )
    options.add_common_options(
        command, force="analyse tracks that have tempo and key already, and overwrite these"
    )
    options.add_threads(command, "tracks to analyse at a time")
    add = command.parser.add_option
    add(
        "--tasks", metavar="NAMES",
        help="what to find out, with commas between: tempo and more, or key alone",
    )  # fmt: skip
    add("--retry", action="store_true", help="try again what failed before")
    add(
        "--cadence", metavar="A..B",
        help="instead list the tracks one can move to at A to B steps a minute",
    )  # fmt: skip
    add("--format", metavar="FORMAT", help="print the tracks of --cadence like this")
    options.add_playlist(command)
    return command


def check(opts: Values, settings: Any) -> None:
    """Check the options, each for itself and together.

    Raises
    ------
    UserError
        If an option makes no sense; the message names it.
    """
    options.require_whole(opts, ("threads",))
    if opts.tasks is not None:
        opts.tasks = [name.strip() for name in opts.tasks.split(",")]
        if problem := check_tasks(opts.tasks):
            raise UserError(f"--tasks {problem}")
    if opts.cadence is None:
        options.refuse(opts, OF_CADENCE, "is for --cadence")
    else:
        options.check_playlist(opts)
        others = [name for name in vars(opts) if name not in ("cadence", *OF_CADENCE)]
        options.refuse(opts, others, "does nothing with --cadence, which only lists what is known")


def run(plugin: Plugin, lib: Library, settings: Any, query: list[str]) -> None:
    """Analyse the tracks that match the query, or list those for `--cadence`."""
    if settings.cadence is not None:
        from ..moving import list_cadence

        list_cadence(
            lib, query, settings.cadence, settings.format, settings.m3u, settings.relative_to
        )
        return
    from ..analysing import analyse_library

    plugin.require_types()
    analyse_library(lib, query, settings, plugin._log)
