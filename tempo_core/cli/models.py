"""Command `tempo-core models` and its subcommands."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import click

from ..console import echo
from ..errors import CheckpointError, TempoError
from ..tasks import TASKS
from .command import Command


@click.group(invoke_without_command=True, short_help="List, choose and remove models.")
@click.pass_context
def models(ctx: click.Context) -> None:
    """List the models, shipped and learned; the one in use is marked."""
    if ctx.invoked_subcommand is not None:
        return
    from .. import checkpoint, in_use

    failed = False
    used = []
    for task in TASKS:
        try:
            used.append(checkpoint.resolve("default", task))
        except TempoError as error:
            echo(f"  {error}", err=True)
            failed = True
    folders = (checkpoint.SHIPPED_FOLDER, in_use.folder())
    found = [checkpoint.available(place, task) for task in TASKS for place in folders]
    found += [checkpoint.unreadable(place) for place in folders]
    for path in chain(*found):
        try:
            model = checkpoint.load(path)
        except TempoError as error:
            echo(f"  {path.stem}  unusable: {error}", err=True)
            failed = True
            continue
        size = path.stat().st_size / 1e3
        mark = "*" if path in used else " "
        echo(f"{mark} {path.stem}  {size:.0f} kB  {model.card.get('summary', '')}")
    if any(not checkpoint.available(task=task) for task in TASKS):
        raise click.ClickException("no usable model is installed; install beets-tempo again")
    if failed:
        raise click.ClickException(
            "`tempo-core models use shipped` uses the model in the package, "
            "`tempo-core models remove NAME` deletes a learned one"
        )


@models.command("use", cls=Command, short_help="Use a model from now on.")
@click.argument("name")
def use_model(name: str) -> None:
    """Use a model from now on: NAME as it is listed, a model file, or `shipped`."""
    from .. import checkpoint, in_use

    try:
        if name == in_use.SHIPPED:
            for task in TASKS:
                in_use.activate(in_use.SHIPPED, task)
                echo(f"{checkpoint.resolve(in_use.SHIPPED, task).stem} is in use")
            return
        path = _find_model(name)
        task = checkpoint.load(path).task
        if path in checkpoint.available():
            in_use.activate(in_use.SHIPPED, task)
        else:
            in_use.activate(in_use.add(path).name, task)
    except OSError as error:
        raise click.ClickException(str(error)) from error
    echo(f"{path.stem} is in use")


@models.command(cls=Command)
@click.option(
    "--task",
    type=click.Choice(list(TASKS)),
    default="tempo",
    show_default=True,
    help="What the model is for.",
)
def rollback(task: str) -> None:
    """Use the model again that was in use before this one."""
    from .. import in_use

    name = in_use.rollback(task)
    echo(f"{name.removesuffix('.safetensors')} is in use")


@models.command("remove", cls=Command)
@click.argument("name")
def remove_model(name: str) -> None:
    """Delete a learned model that is not in use."""
    from .. import in_use

    try:
        path = _find_model(name)
        in_use.remove(path)
    except OSError as error:
        raise click.ClickException(str(error)) from error
    echo(f"{path.stem} is deleted")


def _find_model(name: str) -> Path:
    """Find the file of a model of any task by name or path; CheckpointError if there is none."""
    from .. import checkpoint

    missing: list[CheckpointError] = []
    for task in TASKS:
        try:
            return checkpoint.resolve(name, task)
        except CheckpointError as error:
            missing.append(error)
    if name == "default":  # the first error says why the model in use cannot be used
        raise missing[0]
    raise checkpoint.no_model(name, None) from missing[0]
