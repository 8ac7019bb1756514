"""Figures of fitting to two thousand labels: `python -m trainer.research.fit_figures --help`.

In contrast to `learning_curve`, the whole network is trained, with all recordings of the training
split; a tenth of them, by artist, is for early stopping. An interrupted run continues.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict
from pathlib import Path

import click
import torch
from tqdm import tqdm

from tempo_core import checkpoint, in_use
from tempo_core.cli.command import Command
from tempo_core.tasks.tempo.decode import highest

from .. import options
from ..evaluation.metrics import acc2
from ..inputs.cache import ViewRecipe, read_views
from ..inputs.examples import full_windows
from ..inputs.recordings import Recording, read_clips, read_rhythm, read_songs
from ..inputs.views import cache_views
from ..learning import guard as guards
from ..learning.compare import guard_answers
from ..learning.epochs import FitRun
from ..learning.frozen import Model
from ..learning.network_fitting import Corpus, FitData, finetune
from ..learning.prior import folds_of
from ..learning.prior_fitting import adaptable
from ..making.tempo import posterior_of
from ..recipes.recipe import FitRecipe
from .learning_curve import CONVENTIONS, Convention, measure, measured_sets

VALIDATION_FOLDS = 10  # one of so many parts of the recordings is for early stopping


def relabelled(recordings: list[Recording], convention: Convention) -> list[Recording]:
    """Recordings with labels of another convention."""
    return [dataclasses.replace(r, tempi=((convention(r), 1.0),)) for r in recordings]


def answers(paths: list[Path], model: Model) -> list[float]:
    """A model's tempi [BPM] of recordings, without refinement.

    Parameters
    ----------
    paths
        Cache files with the views of the recordings.
    """
    found = []
    for path in tqdm(paths, unit="track", desc="measuring", disable=None):
        posterior = posterior_of(model.network, full_windows(read_views(path)), model.config)
        found.append(highest(posterior, model.config.grid).bpm)
    return found


@click.command(cls=Command)
@options.data
@options.clips
@click.option("--test-clips", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Clips to measure on (split test).")  # fmt: skip
@options.cache
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the run.")
@click.option("--convention", "name", type=click.Choice(list(CONVENTIONS)), default="plain")
@click.option("--epochs", default=FitRecipe.epochs, show_default=True)
@click.option(
    "--steps", default=FitRecipe.most_steps, show_default=True, help="In an epoch, at most."
)
@click.option("--jobs", default=1, show_default=True, help="Threads.")
def main(
    data: Path, clips: Path, test_clips: Path, cache: Path, out: Path, name: str, epochs: int,
    steps: int, jobs: int,
) -> None:  # fmt: skip
    """Fit, measure and print figures as JSON."""
    shipped = checkpoint.load(checkpoint.resolve(in_use.SHIPPED))
    base, guard, convention = adaptable(shipped), guards.load(shipped), CONVENTIONS[name]
    recordings = [
        *read_songs(data),
        *read_rhythm(data),
        *read_clips(clips),
        *read_clips(test_clips),
    ]
    recipe = ViewRecipe(base.front_end, base.windows, base.config.grid)
    path_of = dict(
        zip([r.path for r in recordings], cache_views(recordings, recipe, cache, jobs), strict=True)
    )
    train = [r for r in recordings if r.split == "train"]
    fold = folds_of([r.group for r in train], 0, VALIDATION_FOLDS)
    parts = []
    for held in (False, True):
        some = [r for r, k in zip(train, fold, strict=True) if (k == 0) == held]
        parts.append(Corpus(relabelled(some, convention), [path_of[r.path] for r in some]))
    torch.set_num_threads(jobs)
    network, _ = finetune(
        base, FitData(parts[0], parts[1], guard.part(replay=True)),
        FitRecipe(epochs=epochs, most_steps=steps), FitRun(out),
    )  # fmt: skip
    fitted = dataclasses.replace(base, network=network)
    rendered = {r.path for r in read_clips(clips)}
    unseen = [r for r in recordings if r.split != "train" and r.path not in rendered]
    rest = guard.part(replay=False)
    paths = [r.path for r in unseen]
    for model in (shipped, fitted):
        bpm = answers([path_of[path] for path in paths], model)
        found = dict(zip(paths, bpm, strict=True))
        figures = {
            part: asdict(measure(some, convention, [found[r.path] for r in some]))
            for part, some in measured_sets(unseen, name).items()
        }
        rate = acc2(rest.bpm, guard_answers(rest, model))
        label = "shipped" if model is shipped else "fitted"
        click.echo(json.dumps({"model": label, "guard": rate, **figures}))


if __name__ == "__main__":
    main()
