"""Networks for tags from random weights: `python -m trainer.research.reference --help`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from tempo_core.background import interruptible
from tempo_core.cli.command import Command
from tempo_core.console import echo, time_limit_option
from tempo_core.errors import AudioError

from ... import options
from ...learning.job import Failure
from .comparing import compare
from .head import EMBEDDINGS, embedding_named
from .model import TagModel
from .published import read_source
from .recipe import read_recipe, shipped
from .running import RunOptions, train_tags

SMALL = ("songs-logmel", "songs-waveform")
_FILE = click.Path(path_type=Path)


def _shared(command: Any) -> Any:
    """Options of all commands that learn."""
    for add in (
        click.argument("source", type=click.Path(exists=True, path_type=Path)),
        click.option("--audio", type=click.Path(exists=True, file_okay=False, path_type=Path),
                     help="Folder of the audio, if it is not where the source is."),
        click.option("--column", default="tags", show_default=True,
                     help="Column of a table with the tags."),
        click.option("--out", type=_FILE, required=True, help="Folder of the runs."),
        options.cache,
        click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1,
                     show_default="all cores", help="Threads."),
        click.option("--accelerator", default="cpu", show_default=True,
                     help="As Lightning names it: cpu, gpu, auto."),
        time_limit_option,
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but failures."),
    ):  # fmt: skip
        command = add(command)
    return command


def _tell(
    problems: Sequence[str], failed: Sequence[Failure], summary: Sequence[str], quiet: bool
) -> None:
    """Print what could not be used and a summary; see `options.tell`."""
    for problem in problems:
        echo(problem, err=True)
    options.tell(failed, summary, quiet)
    if problems:
        sys.exit(1)


@click.group()
def main() -> None:
    """Learn tags from audio by networks of other designs, from random weights.

    SOURCE is a table with the columns path and tags, the folder of a training set, of MagnaTagATune
    or of the Million Song Dataset with its Last.fm tags.
    """


@main.command(cls=Command)
@click.option("--recipe", type=_FILE, help="JSON file with settings.")
@click.option(
    "--front-end", type=click.Choice(["logmel", "waveform"]), help="Instead of the recipe's."
)
@click.option("--epochs", type=click.IntRange(min=1), help="Instead of the recipe's.")
@click.option("--seed", type=options.SEEDS, help="Instead of the recipe's.")
@_shared
def train(
    source: Path, audio: Path | None, column: str, recipe: Path | None, front_end: str | None,
    epochs: int | None, seed: int | None, quiet: bool, **given: Any,
) -> None:  # fmt: skip
    """Train a network, and measure it on the test side of SOURCE."""
    inputs = None if front_end is None else {"front_end": front_end}
    settings = read_recipe(recipe, epochs=epochs, seed=seed, inputs=inputs)
    tracks, problems = read_source(source, audio, column, settings.cleaning.least_weight)
    with interruptible() as stop:
        trained = train_tags(tracks, settings, RunOptions(stop=stop.is_set, quiet=quiet, **given))
    _tell(problems, trained.failed, trained.told, quiet)


@main.command(name="compare", cls=Command)
@click.option("--recipe", "recipes", type=_FILE, multiple=True,
              help="JSON file with settings, one a network; small ones by default.")  # fmt: skip
@click.option("--embedding", "embeddings", multiple=True, metavar="NAME",
              default=tuple(EMBEDDINGS), show_default=True,
              help="A head on an embedding: these, a model file, module:function.")  # fmt: skip
@click.option("--folds", type=click.IntRange(min=2), default=5, show_default=True)
@click.option("--seed", type=options.SEEDS, default=0, show_default=True, help="Of the folds.")
@_shared
def compare_(
    source: Path, audio: Path | None, column: str, recipes: tuple[Path, ...],
    embeddings: tuple[str, ...], folds: int, seed: int, quiet: bool, **given: Any,
) -> None:  # fmt: skip
    """Both front ends and heads on embeddings, on the same folds by artist of SOURCE."""
    settings = [read_recipe(file) for file in recipes] or [shipped(name) for name in SMALL]
    # A model file is told by its name, without the folder.
    named = {Path(name.removesuffix(".safetensors")).name: embedding_named(name)
             for name in embeddings}  # fmt: skip
    tracks, problems = read_source(source, audio, column, settings[0].cleaning.least_weight)
    with interruptible() as stop:
        found = compare(
            tracks, settings, named, (folds, seed),
            RunOptions(stop=stop.is_set, quiet=quiet, **given),
        )  # fmt: skip
    _tell(problems, found.failed, found.lines(), quiet)


@main.command(cls=Command)
@click.option("--most", type=click.IntRange(min=1), default=5, show_default=True,
              help="Tags of a file.")  # fmt: skip
@click.argument("model", type=_FILE)
@click.argument("audio", type=_FILE, nargs=-1, required=True)
def tag(model: Path, audio: tuple[Path, ...], most: int) -> None:
    """The most probable tags of AUDIO files by the model of a run."""
    torch.set_num_threads(1)
    network = TagModel.read(model)
    failed: list[tuple[Path, Exception]] = []
    for path in audio:
        try:
            scores = network.scores(path)
        except AudioError as error:
            failed.append((path, error))
            continue
        best = np.argsort(-scores, kind="stable")[:most].tolist()
        echo(f"{path}: {' '.join(f'{network.tags[k]}:{scores[k]:.2f}' for k in best)}")
    options.tell(failed, [], quiet=True)


if __name__ == "__main__":
    main(prog_name="python -m trainer.research.reference")
