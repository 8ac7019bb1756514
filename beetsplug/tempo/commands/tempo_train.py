"""`beet tempo-train`: train models with the user's own tempi, paces, keys and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beets.exceptions import UserError

from tempo_core import methods

from .. import options

if TYPE_CHECKING:
    from optparse import Values

    from beets import ui
    from beets.library import Library

    from . import Plugin

SECTION = "train"


def subcommand() -> ui.Subcommand:
    """Declare the command and its options."""
    command = options.command(
        "tempo-train",
        "fit the models to how you count",
        "Learns from the tracks that match and have a tempo that is not the analysis's own, "
        "and uses the new model if it is better on tracks that it did not learn from.",
    )
    add = command.parser.add_option
    add(
        "-p", "--pretend", action="store_true", default=False,
        help="show what would be trained on, do nothing",
    )  # fmt: skip
    options.add_quiet(command)
    options.add_threads(command, "tracks to listen to at a time")
    add(
        "--task", choices=list(methods.tasks_of_libraries()), default="tempo",
        help="what to learn: the tempo, at which paces one can move, the key, or tags",
    )  # fmt: skip
    add(
        "--field", metavar="FIELD",
        help="the field with the tags [default: tags.field of the configuration, genres]",
    )  # fmt: skip
    add(
        "--method", choices=list(methods.names("tempo")), default=None,
        help="; ".join(f"{m.name} {m.about}" for m in methods.METHODS if m.task == "tempo"),
    )  # fmt: skip
    add(
        "--from-scratch", action="store_true", default=False,
        help="fit, but not from the shipped weights",
    )  # fmt: skip
    add("--epochs", type="int", metavar="N", help="of fit; of adapt, its steps")
    add("--seed", type="int", default=0, help="of the split and of learning")
    add("--devices", type="int", metavar="N", help="processes or GPUs for fit [default: 1]")
    add(
        "--accelerator", choices=["cpu", "gpu", "auto"], metavar="cpu|gpu|auto",
        help="for fit [default: cpu]",
    )  # fmt: skip
    add("--out", metavar="FOLDER", help="where to put the model")
    add("--no-install", action="store_true", default=False, help="do not use the model")
    add(
        "--install-anyway", action="store_true", default=False,
        help="use the model, whatever comes out",
    )  # fmt: skip
    add("--guard", metavar="FOLDER", help="training set beside which nothing may get worse")
    return command


def check(opts: Values, settings: Any) -> None:
    """Check the options, each for itself and together.

    Raises
    ------
    UserError
        If an option makes no sense; the message names it.
    """
    options.require_whole(opts, ("threads", "epochs", "devices"))
    if not 0 <= opts.seed < options.N_SEEDS:
        raise UserError(f"--seed must be a whole number from 0 to {options.N_SEEDS - 1}")
    if opts.no_install and opts.install_anyway:
        raise UserError("--no-install and --install-anyway contradict each other")
    options.require_folder(opts, "out")
    method = opts.method or settings.train.method
    if opts.task != "tags":
        options.refuse(opts, ("field",), "is for --task tags")
    else:
        opts.field = options.label_field(opts.field, settings.tags.field)
    # Several computers are for `tempo-core train`.
    of_tempo = [name for name in methods.options("tempo") if hasattr(opts, name)]
    if opts.task != "tempo":
        unused = ("threads",) if opts.task == "pace" else ()
        options.refuse(opts, (*of_tempo, *unused), f"is not for --task {opts.task}")
    elif opts.from_scratch and method not in (methods.AUTO, "fit"):
        raise UserError(f"--from-scratch is a way to fit, the method is {method}; leave one out")
    elif method != methods.AUTO:
        for name in of_tempo:
            which = methods.with_option(name)
            if which and method not in which:
                told = " and ".join(which)
                options.refuse(opts, (name,), f"is for {told}, the method is {method}")


def run(plugin: Plugin, lib: Library, settings: Any, query: list[str]) -> None:
    """Learn from the tracks that match."""
    settings.devices = settings.devices or 1
    settings.accelerator = settings.accelerator or "cpu"
    from ..training import train_library

    train_library(lib, query, settings, plugin._log)
