"""`tempo-core train`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tempo_core import methods
from tempo_core.cli.command import Command
from tempo_core.cli.options import cluster_options
from tempo_core.console import time_limit_option

from ..learning.options import GENRES, MIN_TRACKS, LearnOptions
from ..options import SEEDS, tell
from ..recipes.recipe import NETWORKS
from . import load, opened, patience_with

if TYPE_CHECKING:
    from ..learning.learn import Learned
    from ..reference.train import TrainedNetwork

_PATH = click.Path(path_type=Path)
_METHODS = "; ".join(f"{m.name} {m.about}" for m in methods.METHODS if m.name in methods.choices())


@click.command(cls=Command, short_help="Learn how you count from a training set.")
@click.option(
    "--task", type=click.Choice(methods.tasks()), default="tempo", show_default=True,
    help="What to learn; pace takes a table with the columns path and paces, key path and key, "
    "tags path and tags, notes a folder of recordings with MIDI files.",
)  # fmt: skip
@click.option(
    "--method", type=click.Choice(methods.choices()), default=methods.AUTO, show_default=True,
    help=f"{_METHODS}; {methods.AUTO} goes by the number of labels.",
)  # fmt: skip
@click.option(
    "--network", type=click.Choice(NETWORKS),
    help="Train this network from scratch instead, and compare it with the model in the package.",
)  # fmt: skip
@click.option(
    "--recipe", type=_PATH, metavar="FILE",
    help="YAML file with the settings of fit or of --network, instead of those in the package.",
)  # fmt: skip
@click.option("--from-scratch", is_flag=True, help="Fit, but not from the shipped weights.")
@click.option(
    "--epochs", type=click.IntRange(min=1),
    help="Of fit and --network; of adapt and notes, their steps.",
)  # fmt: skip
@click.option("--seed", type=SEEDS, show_default="0, or as the recipe says")
@click.option(
    "--nodes", type=click.IntRange(min=1), default=1, show_default=True,
    help="Computers for fit and --network; srun or torchrun starts the processes on them.",
)  # fmt: skip
@click.option(
    "--devices", type=click.IntRange(min=1), default=1, show_default=True,
    help="Processes, or GPUs, on each computer for fit and --network.",
)  # fmt: skip
@click.option(
    "--accelerator", default="cpu", show_default=True, metavar="cpu|gpu|auto",
    help="For fit and --network.",
)  # fmt: skip
@click.option(
    "--field", default=GENRES, show_default=True,
    help="Of tags: the field of a library that they are of.",
)  # fmt: skip
@click.option(
    "--min-tracks", type=click.IntRange(min=1), default=MIN_TRACKS, show_default=True,
    help="Of tags: the fewest tracks with a tag that is learned.",
)  # fmt: skip
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
@cluster_options
@time_limit_option
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but failures.")
@click.argument("folder", type=_PATH)
@click.pass_context
def train(
    ctx: click.Context, folder: Path, network: str | None, seed: int | None, no_install: bool,
    scheduler: str | None, cluster_config: Path | None, **given: Any,
) -> None:  # fmt: skip
    """Learn from the training set in FOLDER, which `tempo-core build` makes.

    The new model is used from then on if it is better than the current one on tracks that it did
    not learn from, and finds the rate of other music as well as before. With --network it is never
    used by itself: its file can be given to `estimate --model` and `evaluate --model`.

    With --task pace FOLDER is a table: of each track the tempi that you can move to it at. With
    --task key it is a training set or a table: of each track its key. With --task tags it is a
    table: of each track its tags, with semicolons between. With --task notes it has recordings, and
    beside each a MIDI file of the same name, or the layout of MusicNet.
    """
    from tempo_core.background import GRACE, Stopped, call, interruptible

    from ..learning.processes import joined

    _refuse_options_of_others(ctx, given["task"])
    if network is not None:
        _refuse_beside_network(ctx)
    if seed is None and given["recipe"] is not None:
        from ..recipes.reading import seed_in

        seed = seed_in(given["recipe"])
    options = LearnOptions(install=not no_install, seed=seed or 0, **given)
    place = (options.nodes, options.devices) if _shares(network, options) else (1, 1)
    with interruptible() as stop, joined(*place, options.accelerator, stop.is_set) as processes:
        options = replace(options, quiet=options.quiet or not processes.is_first)
        over = processes.over(stop.is_set)
        if network is not None:
            training = load("reference.train", stop)
            trained: TrainedNetwork = call(
                lambda: training.train(folder, network, options, over, processes), over,
                patience=GRACE,
            )  # fmt: skip
            tell(trained.failed, trained.summary(), options.quiet)
            return
        # Before anything is read: a missing package is told first.
        load(f"learning.{methods.of_task(options.task)[0].module}", stop)
        learning = load("learning.learn", stop)
        # The first process fills the cache for all.
        own = (scheduler, cluster_config) if processes.is_first else (None, None)
        with opened(own[0], options.jobs, own[1], stop) as engine:
            try:
                learned: Learned = call(
                    lambda: learning.learn(folder, options, over, processes, engine), over,
                    patience=patience_with(engine),
                )  # fmt: skip
            except Stopped as error:
                from ..learning.job import told_stopped

                raise Stopped(told_stopped(error, options.task)) from error
        tell(learned.failed, learned.summary(), options.quiet)


def _shares(network: str | None, options: LearnOptions) -> bool:
    """Whether processes on several computers share what is to be done."""
    return network is not None or options.from_scratch or options.method in OF_NODES


# Options that only `fit` and --network have a use for, and those that --network has none for.
OF_EPOCHS = ("network", "recipe")
OF_NODES = methods.with_option("nodes")
NOT_OF_NETWORK = (
    "method", "from_scratch", "install_anyway", "guard", "scheduler", "cluster_config",
)  # fmt: skip


def _given(ctx: click.Context, names: Iterable[str]) -> str:
    """Those of some options that were given, as they are typed, with commas between."""
    return ", ".join(
        f"--{name.replace('_', '-')}"
        for name in ctx.params
        if name in names and ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE
    )


def _refuse_beside_network(ctx: click.Context) -> None:
    """Refuse options that make no sense beside --network.

    Raises
    ------
    UsageError
        If such an option was given.
    """
    if given := _given(ctx, NOT_OF_NETWORK):
        raise click.UsageError(f"{given}: not for --network; leave it out")


def _refuse_options_of_others(ctx: click.Context, task: str) -> None:
    """Refuse options that only methods of other tasks have a use for.

    Raises
    ------
    UsageError
        If such an option was given.
    """
    everybody = {name for other in methods.tasks() for name in methods.options(other)}
    others = everybody - set(methods.options(task))
    if task != "tempo":
        others |= set(OF_EPOCHS)
    if given := _given(ctx, others):
        raise click.UsageError(f"{given}: not for --task {task}; leave it out")
