"""`beet tempo-eval`: measure how well the analysis agrees with labels in the library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import options

N_SUGGESTED = 20  # tracks to label next, unless `--suggest` says otherwise

if TYPE_CHECKING:
    from optparse import Values

    from beets import ui
    from beets.library import Library

    from . import Plugin


def subcommand() -> ui.Subcommand:
    """Declare the command and its options."""
    command = options.command(
        "tempo-eval",
        "how good the analysis is on labelled tracks",
        "Compares the analysis with the tracks that match and have a tempo or a key that is not "
        "its own. Only reads the library.",
    )
    add = command.parser.add_option
    add("--report", metavar="FILE", help="write a report as HTML")
    add(
        "--baseline",
        action="store_true",
        help="compare with librosa, and for keys with Krumhansl's profiles",
    )
    add(
        "--split", type="choice", choices=("all", "test"), default="all",
        help="test: only tracks that the model has not learned from",
    )  # fmt: skip
    add(
        "--suggest", type="int", metavar="N", default=N_SUGGESTED,
        help=f"tracks to suggest for labelling, 0 for none [default: {N_SUGGESTED}]",
    )  # fmt: skip
    add("--out", metavar="DIR", help="where figures and estimates are kept")
    options.add_quiet(command)
    options.add_threads(command, "tracks to analyse at a time")
    return command


def check(opts: Values, settings: Any) -> None:
    """Check the options.

    Raises
    ------
    UserError
        If an option makes no sense; the message names it.
    """
    options.require_whole(opts, ("threads",))
    options.require_whole(opts, ("suggest",), least=0)
    options.require_writable(opts, "report")
    options.require_folder(opts, "out")


def run(plugin: Plugin, lib: Library, settings: Any, query: list[str]) -> None:
    """Compare the analysis with the labels of the tracks that match."""
    from ..evaluating import evaluate_library

    evaluate_library(lib, query, settings, plugin._log)
