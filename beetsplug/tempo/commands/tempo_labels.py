"""`beet tempo-labels`: find the published BPM and key of tracks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from .. import options

if TYPE_CHECKING:
    from optparse import Values

    from beets import ui
    from beets.library import Library

    from . import Plugin

SECTION = "labels"
# The setting `force` is about estimates; sources are asked again only with the option.
OWN = ("force",)


def subcommand() -> ui.Subcommand:
    """Declare the command and its options."""
    command = options.command(
        "tempo-labels",
        "find published BPM and key of tracks",
        "Looks for what others say about the tempo and the key of the tracks that match, "
        "compares it with the audio and keeps it in the tempo_label_* fields.",
    )
    options.add_common_options(
        command,
        force="ask again about what is known",
        write="write what --apply fills to the files' tags",
    )
    add = command.parser.add_option
    add(
        "--source", dest="sources", action="append", metavar="NAME",
        help="where to look; several in the order in which to ask",
    )  # fmt: skip
    add("--max-requests", type="int", metavar="N", help="send no more requests than this")
    add("--apply", action="store_true", default=None, help="fill empty bpm and initial_key")
    add("--report", metavar="FILE", help="write a report as HTML")
    add("--import", dest="import_", metavar="FILE", help="take labels from a table first")
    add("--export", metavar="FILE", help="write the labels to a table")
    add(
        "--trainable", dest="trainable_only", action="store_true",
        help="export only what may be trained on",
    )  # fmt: skip
    return command


def check(opts: Values, settings: Any) -> None:
    """Check the options, each for itself and together.

    Raises
    ------
    UserError
        If an option makes no sense; the message names it.
    """
    options.require_whole(opts, ("max_requests",), least=0)
    if opts.pretend:
        files = ("report", "export", "trainable_only")
        options.refuse(opts, files, "writes a file, which -p does not")
    if not opts.export:
        options.refuse(opts, ("trainable_only",), "is for --export")
    if opts.write and not (opts.apply or settings.labels.apply):
        raise UserError("-w does nothing without --apply: only what is applied goes into tags")
    for name in ("report", "export"):
        options.require_writable(opts, name)
    if opts.report and opts.export and Path(opts.report).resolve() == Path(opts.export).resolve():
        raise UserError("--report and --export must be two files")


def run(plugin: Plugin, lib: Library, settings: Any, query: list[str]) -> None:
    """Find labels for the tracks that match."""
    plugin.require_types()
    from ..labelling import label_library

    label_library(lib, query, settings, plugin._log)
