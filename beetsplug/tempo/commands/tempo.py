"""`beet tempo`: estimate tempo and key of tracks."""

from __future__ import annotations

import math
from optparse import OptionGroup
from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from tempo_core.tempi import FASTEST_TEMPO, SLOWEST_TEMPO, is_tempo

from .. import options
from ..settings import check_tasks

# Options of which a run has at most one, and those that change a tempo.
CHANGES = ("half", "double", "set", "nudge")
ALTERNATIVES = (*CHANGES, "unlock", "tap", "review", "cadence")
# Options that are for nothing but an analysis, and for nothing that only lists.
OF_ANALYSIS = ("force", "threads", "scheduler", "cluster_config", "tasks", "retry")

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
        "--scheduler", metavar="NAME",
        help="analyse on a Dask cluster: local:N, slurm, tcp://HOST:PORT or FILE.json",
    )  # fmt: skip
    add("--cluster-config", metavar="FILE", help="YAML file with settings of the cluster")
    add(
        "--tasks", metavar="NAMES",
        help="what to find out, with commas between: tempo and more, or key alone",
    )  # fmt: skip
    add(
        "--retry", action="store_true",
        help="try again what failed before; with --review, ask again what was answered or skipped",
    )  # fmt: skip
    add(
        "--cadence", metavar="A..B",
        help="instead list the tracks one can move to at A to B steps a minute",
    )  # fmt: skip
    add("--format", metavar="FORMAT", help="print the tracks of --cadence like this")
    options.add_playlist(command)
    _add_by_hand(command)
    return command


def _add_by_hand(command: ui.Subcommand) -> None:
    """Add the options that set tempi by hand."""
    group = OptionGroup(
        command.parser,
        "By hand",
        "Nothing is analysed: bpm, tempo_bpm, paces and beat grid of the tracks that match are set "
        "together, and are yours (manual) from then on.",
    )
    add = group.add_option
    add("--half", action="store_true", help="halve the tempo")
    add("--double", action="store_true", help="double it")
    add("--set", type="float", metavar="BPM", help="set it")
    add("--nudge", type="float", metavar="RATIO", help="multiply it, by 1.01 for example")
    add(
        "--lock", action="store_true",
        help="lock it, as it is or as changed: nothing touches it any more",
    )  # fmt: skip
    add("--unlock", action="store_true", help="let go of it")
    add("--tap", action="store_true", help="tap it on the keyboard, of one track")
    add(
        "--review", action="store_true",
        help="hear and decide, one by one, where the octave is unsure or tag and audio disagree",
    )  # fmt: skip
    command.parser.add_option_group(group)


def check(opts: Values, settings: Any) -> None:
    """Check the options, each for itself and together.

    Raises
    ------
    UserError
        If an option makes no sense; the message names it.
    """
    options.require_whole(opts, ("threads",))
    if opts.scheduler is not None:
        from tempo_core.engines.schedulers import FORMS, is_scheduler

        if not is_scheduler(opts.scheduler):
            raise UserError(f"--scheduler must be {FORMS}")
    if opts.threads is not None:
        options.refuse(opts, ("scheduler",), "is instead of --threads; leave one out")
        opts.scheduler = ""  # threads in this run, whatever the configuration says
    if opts.tasks is not None:
        opts.tasks = [name.strip() for name in opts.tasks.split(",")]
        if problem := check_tasks(opts.tasks):
            raise UserError(f"--tasks {problem}")
    given = [name for name in ALTERNATIVES if getattr(opts, name) is not None]
    if len(given) > 1:
        first, second = (options.called(name) for name in given[:2])
        raise UserError(f"{first} and {second} contradict each other; leave one out")
    mode = given[0] if given else "lock" if opts.lock else None
    if mode != "cadence":
        options.refuse(opts, OF_CADENCE, "is for --cadence")
    if mode == "cadence":
        options.check_playlist(opts)
        others = [name for name in vars(opts) if name not in ("cadence", *OF_CADENCE)]
        options.refuse(opts, others, "does nothing with --cadence, which only lists what is known")
    elif mode is not None:
        _check_by_hand(opts, mode)


def _check_by_hand(opts: Values, mode: str) -> None:
    """Check the options beside one that sets tempi by hand."""
    called = options.called(mode)
    idle = [name for name in OF_ANALYSIS if (name, mode) != ("retry", "review")]
    options.refuse(opts, idle, f"does nothing with {called}, which analyses nothing")
    if mode == "unlock":
        options.refuse(opts, ("lock",), "and --unlock contradict each other; leave one out")
        options.refuse(opts, ("write",), "does nothing with --unlock: nothing of it is in files")
    if mode == "tap":
        options.refuse(opts, ("album",), "does nothing with --tap, which is for one track")
    if mode == "review":
        options.refuse(opts, ("lock",), "is a key in --review")
        options.refuse(opts, ("quiet",), "does nothing with --review, which shows and asks")
    if opts.set is not None and not is_tempo(opts.set):
        limits = f"{SLOWEST_TEMPO:g} to {FASTEST_TEMPO:g}"
        raise UserError(f"--set must be a tempo from {limits} BPM")
    if opts.nudge is not None and not (math.isfinite(opts.nudge) and opts.nudge > 0):
        raise UserError("--nudge must be a ratio above 0, such as 1.01")


def run(plugin: Plugin, lib: Library, settings: Any, query: list[str]) -> None:
    """Analyse the tracks that match the query, list those for `--cadence`, or set their tempi."""
    if settings.cadence is not None:
        from ..moving import list_cadence

        list_cadence(
            lib, query, settings.cadence, settings.format, settings.m3u, settings.relative_to
        )
        return
    plugin.require_types()
    log = plugin._log
    if settings.tap:
        from ..tapping import tap_track

        tap_track(lib, query, settings, log)
    elif settings.review:
        from ..reviewing import review_library

        review_library(lib, query, settings, log)
    elif settings.lock or settings.unlock or any(settings[name] for name in CHANGES):
        from ..fixing import fix_library

        _require_query(settings, query)
        fix_library(lib, query, settings, log)
    else:
        from ..analysing import analyse_library

        analyse_library(lib, query, settings, log)


def _require_query(settings: Any, query: list[str]) -> None:
    """Refuse to change the tempo of every track of a library by mistake."""
    given = next((name for name in CHANGES if settings[name]), None)
    if given and not query:
        raise UserError(
            f"{options.called(given)} needs a query, because it would change every track; "
            "`id:1..` is all of them"
        )
