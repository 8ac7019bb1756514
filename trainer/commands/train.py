"""`tempo-core train`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from tempo_core.console import echo, explain, time_limit_option

from . import load, work

if TYPE_CHECKING:
    from ..learning.learn import Learned

_PATH = click.Path(path_type=Path)
OF_TEMPO = ("method", "from_scratch", "epochs", "devices", "accelerator", "guard")


@click.command(short_help="Learn how you count from a training set.")
@click.option(
    "--task", type=click.Choice(["tempo", "pace"]), default="tempo", show_default=True,
    help="What to learn; pace takes a table with the columns path and paces.",
)  # fmt: skip
@click.option(
    "--method", type=click.Choice(["auto", "shift", "adapt", "fit"]), default="auto",
    show_default=True, help="shift and adapt learn how you count, fit the whole network; "
    "auto goes by the number of labels.",
)  # fmt: skip
@click.option("--from-scratch", is_flag=True, help="Fit, but not from the shipped weights.")
@click.option("--epochs", type=click.IntRange(min=1), help="Of fit; of adapt, its steps.")
@click.option("--seed", type=int, default=0, show_default=True)
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
def train(
    ctx: click.Context, task: str, method: str, from_scratch: bool, epochs: int | None,
    seed: int, devices: int, accelerator: str, out: Path | None, no_install: bool,
    install_anyway: bool, guard: Path | None, jobs: int, time_limit: float, quiet: bool,
    folder: Path,
) -> None:  # fmt: skip
    """Learn from the training set in FOLDER, which `tempo-core build` makes.

    The new model is used from then on if it is better than the current one on tracks that it did
    not learn from, and finds the rate of other music as well as before.

    With --task pace FOLDER is a table: of each track the tempi that you can move to it at.
    """
    from tempo_core.background import interruptible
    from tempo_core.errors import TempoError

    if task == "pace":
        given = [p for p in OF_TEMPO if ctx.get_parameter_source(p) == ParameterSource.COMMANDLINE]
        if given:
            names = ", ".join(f"--{p.replace('_', '-')}" for p in given)
            raise click.UsageError(f"{names}: not for --task pace; leave it out")
        try:
            with interruptible() as stop:
                learning = load("learning.paces", stop)
                chosen = learning.PaceOptions(
                    folder.parent / "paces", out, not no_install, install_anyway, seed, jobs,
                    quiet, time_limit,
                )  # fmt: skip
                done = work(
                    lambda: learning.learn_paces(learning.read_paces(folder), chosen, stop.is_set),
                    stop,
                )
        except TempoError as error:
            raise click.ClickException(str(error)) from error
        learning.report(done, quiet)
        return
    try:
        with interruptible() as stop:
            learning = load("learning.learn", stop)
            options = learning.LearnOptions(
                method=method, from_scratch=from_scratch, epochs=epochs, seed=seed,
                devices=devices, accelerator=accelerator, out=out, install=not no_install,
                install_anyway=install_anyway, guard=guard, jobs=jobs, quiet=quiet,
                time_limit=time_limit,
            )  # fmt: skip
            learned: Learned = work(lambda: learning.learn(folder, options, stop.is_set), stop)
    except TempoError as error:
        raise click.ClickException(str(error)) from error
    for path, problem in learned.failed:
        echo(f"{path}: {explain(problem)}", err=True)
    if not quiet:
        for line in learned.summary():
            echo(line)
    if learned.failed:
        sys.exit(1)
