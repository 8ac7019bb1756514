"""`tempo-core train`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tempo_core import methods
from tempo_core.cli.command import Command
from tempo_core.console import time_limit_option

from ..learning.options import LearnOptions
from ..options import SEEDS, tell
from . import load, work

if TYPE_CHECKING:
    from ..learning.learn import Learned

_PATH = click.Path(path_type=Path)
_METHODS = "; ".join(f"{m.name} {m.about}" for m in methods.METHODS if m.name in methods.choices())


@click.command(cls=Command, short_help="Learn how you count from a training set.")
@click.option(
    "--task", type=click.Choice(methods.tasks()), default="tempo", show_default=True,
    help="What to learn; pace takes a table with the columns path and paces, key path and key, "
    "notes a folder of recordings with MIDI files.",
)  # fmt: skip
@click.option(
    "--method", type=click.Choice(methods.choices()), default=methods.AUTO, show_default=True,
    help=f"{_METHODS}; {methods.AUTO} goes by the number of labels.",
)  # fmt: skip
@click.option("--from-scratch", is_flag=True, help="Fit, but not from the shipped weights.")
@click.option(
    "--epochs", type=click.IntRange(min=1), help="Of fit; of adapt and notes, their steps."
)
@click.option("--seed", type=SEEDS, default=0, show_default=True)
@click.option(
    "--devices", type=click.IntRange(min=1), default=1, show_default=True,
    help="Processes, or GPUs, for fit.",
)  # fmt: skip
@click.option(
    "--accelerator", default="cpu", show_default=True, metavar="cpu|gpu|auto", help="For fit."
)
@click.option("--out", type=_PATH, help="Folder for the model instead of that of learned models.")
@click.option("--no-install", is_flag=True, help="Do not use the model, whatever comes out.")
@click.option("--install-anyway", is_flag=True, help="Use the model, whatever comes out.")
@click.option(
    "--guard", type=_PATH,
    help="Training set of recordings beside which nothing may get worse either.",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default="all cores",
    help="Threads.",
)  # fmt: skip
@time_limit_option
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but failures.")
@click.argument("folder", type=_PATH)
@click.pass_context
def train(ctx: click.Context, folder: Path, no_install: bool, **given: Any) -> None:
    """Learn from the training set in FOLDER, which `tempo-core build` makes.

    The new model is used from then on if it is better than the current one on tracks that it did
    not learn from, and finds the rate of other music as well as before.

    With --task pace FOLDER is a table: of each track the tempi that you can move to it at. With
    --task key it is a training set or a table: of each track its key. With --task notes it has
    recordings, and beside each a MIDI file of the same name, or the layout of MusicNet.
    """
    from tempo_core.background import interruptible

    options = LearnOptions(install=not no_install, **given)
    _refuse_options_of_others(ctx, options.task)
    with interruptible() as stop:
        # Before anything is read: a missing package is told first.
        load(f"learning.{methods.of_task(options.task)[0].module}", stop)
        learning = load("learning.learn", stop)
        learned: Learned = work(lambda: learning.learn(folder, options, stop.is_set), stop)
    tell(learned.failed, learned.summary(), options.quiet)


def _refuse_options_of_others(ctx: click.Context, task: str) -> None:
    """Refuse options that only methods of other tasks have a use for.

    Raises
    ------
    UsageError
        If such an option was given.
    """
    everybody = {name for other in methods.tasks() for name in methods.options(other)}
    others = everybody - set(methods.options(task))
    given = [
        f"--{name.replace('_', '-')}"
        for name in ctx.params
        if name in others and ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(f"{', '.join(given)}: not for --task {task}; leave it out")
