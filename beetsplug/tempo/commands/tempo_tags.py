"""`beet tempo-tags`: say in words what tracks sound like, suggest and check labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from .. import options

if TYPE_CHECKING:
    from optparse import Values

    from beets import ui
    from beets.library import Library

    from . import Plugin

# The setting `force` is about estimates; all is listened to again only with the option.
OWN = ("force",)
OF_LISTS = ("field", "least")  # options that only `--suggest` and `--check` have


def subcommand() -> ui.Subcommand:
    """Declare the command and its options."""
    command = options.command(
        "tempo-tags",
        "say in words what tracks sound like",
        "Listens to the tracks that match and were not listened to for this yet, and stores the "
        "words for the sound of all that match in the field sound_tags, which `beet ls sound:rock` "
        "asks. Once heard, other words, as from a model trained since, need no audio.",
    )
    options.add_common_options(
        command, force="listen again to all that match",
        write="with --apply, write to the files' tags",
    )  # fmt: skip
    options.add_threads(command, "tracks to listen to at a time")
    add = command.parser.add_option
    add("--retry", action="store_true", help="try again what failed before")
    add(
        "--suggest", action="store_true",
        help="instead list values for tracks whose field is empty, the surest first",
    )  # fmt: skip
    add(
        "--check", action="store_true",
        help="instead list labels that contradict the sound, the surest first; they are judged by "
        "all labels of other artists in the library, and nothing is changed",
    )  # fmt: skip
    add(
        "--field", metavar="FIELD",
        help="field of --suggest and --check [default: tags.field of the configuration, genres]",
    )  # fmt: skip
    add(
        "--least", type="float", metavar="0..1",
        help="probability from which --suggest lists a value [default: 0.5], doubt from which "
        "--check lists a label [default: 0.9]",
    )  # fmt: skip
    add("--report", metavar="DIR", help="with --check, write a report with pictures")
    add(
        "--apply", action="store_true",
        help="with --suggest, fill the empty fields; what is there is never overwritten",
    )  # fmt: skip
    return command


def check(opts: Values, settings: Any) -> None:
    """Check the options, each for itself and together.

    Raises
    ------
    UserError
        If an option makes no sense; the message names it.
    """
    options.require_whole(opts, ("threads",))
    if opts.suggest and opts.check:
        raise UserError("--suggest and --check contradict each other; leave one out")
    if opts.suggest or opts.check:
        told = "--suggest" if opts.suggest else "--check"
        options.refuse(
            opts, ("force", "threads", "retry"), f"does nothing with {told}, which never listens"
        )
    else:
        options.refuse(opts, OF_LISTS, "is for --suggest and --check")
    if not opts.suggest:
        options.refuse(opts, ("apply",), "is for --suggest")
    if opts.suggest or opts.check:
        opts.field = options.label_field(opts.field, settings.tags.field)
    if not opts.check:
        options.refuse(opts, ("report",), "is for --check")
    options.require_folder(opts, "report")
    if not opts.apply:
        listed = opts.suggest or opts.check
        told = "" if listed else ": the words are in the library only"
        options.refuse(opts, ("write",), f"is for --apply{told}")
    if opts.least is not None and not 0 <= opts.least <= 1:
        raise UserError("--least must be a probability from 0 to 1")


def run(plugin: Plugin, lib: Library, settings: Any, query: list[str]) -> None:
    """Find the tags of the tracks that match, or suggest or check values of a field."""
    plugin.require_types()
    if settings.check:
        from ..checking import check_library

        check_library(lib, query, settings, plugin._log)
    elif settings.suggest:
        from ..filling import suggest_library

        suggest_library(lib, query, settings, plugin._log)
    else:
        from ..sound_tagging import tag_library

        tag_library(lib, query, settings, plugin._log)
