"""What a split by window is worth: `python -m trainer.research.window_split --help`.

The project that this one grew from divided half-overlapping windows at random, so that parts of one
recording stood on both sides. This trains a reference network on such a part, and measures it
window by window on the rest, and on windows of other recordings by other artists.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from torch import nn

from tempo_core.cli.command import Command
from tempo_core.config import FrontEnd
from tempo_core.levels import TOLERANCE

from .. import options
from ..files import kept
from ..inputs.recordings import by_split, digest_of, read_rhythm, read_songs
from ..learning.epochs import FitRun, run_digest
from ..recipes.reading import reference_recipe
from ..recipes.recipe import Augmenting, ReferenceRecipe
from ..reference.estimator import answers
from ..reference.networks import REFERENCES, fold, n_frames
from ..reference.training import plan_of, train_network
from ..reference.windows import WindowSet, features_file

DESIGN = "convblocks"
HELD_OUT_SHARE = 0.2  # share of the windows that are kept from training


@dataclass(frozen=True)
class WindowErrors:
    """Figures of single windows, with labels folded into the octave of the classes."""

    n: int
    acc1: float
    median: float  # [BPM]
    mean: float  # [BPM]


@dataclass(frozen=True)
class Leak:
    """Figures of one network on windows of known recordings and of unknown ones."""

    n_training_windows: int
    known: WindowErrors  # windows it has not seen, of recordings it has seen others of
    unknown: WindowErrors  # windows of other recordings, of other artists


def divided(windows: WindowSet, seed: int) -> tuple[WindowSet, WindowSet]:
    """The windows in two random parts, the second with `HELD_OUT_SHARE` of them.

    Recordings of which a part has no window are left out of it.
    """
    rng = np.random.default_rng(seed)
    firsts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for own in windows.starts:
        out = rng.random(len(own)) < HELD_OUT_SHARE
        firsts[0].append(own[~out])
        firsts[1].append(own[out])
    inside, outside = (_with_starts(windows, own) for own in firsts)
    return inside, outside


def _with_starts(windows: WindowSet, starts: list[np.ndarray]) -> WindowSet:
    chosen = [i for i, own in enumerate(starts) if len(own)]
    return WindowSet(
        [windows.recordings[i] for i in chosen],
        [windows.paths[i] for i in chosen],
        [starts[i] for i in chosen],
    )


def window_errors(network: nn.Module, windows: WindowSet, recipe: ReferenceRecipe) -> WindowErrors:
    """Figures of a network on all windows, one by one."""
    length = n_frames(FrontEnd(), plan_of(recipe))
    labels, found = [], []
    for i, recording in enumerate(windows.recordings):
        cut = windows.cut(i, windows.starts[i].tolist(), length)
        found.append(answers(REFERENCES[DESIGN], network, cut).bpm)
        labels.append(np.full(len(cut), recording.bpm))
    label, answer = (
        fold(torch.from_numpy(np.concatenate(x).astype(np.float64))).numpy()
        for x in (labels, found)
    )
    error = np.abs(answer - label)
    right = float((error <= TOLERANCE * label).mean())
    return WindowErrors(len(label), right, float(np.median(error)), float(error.mean()))


def measure_leak(
    known: WindowSet, unknown: WindowSet, recipe: ReferenceRecipe, folder: Path
) -> Leak:
    """Train on a random part of the windows of known recordings, and measure on other windows.

    `folder` is for the logs and checkpoints of the training.
    """
    inside, outside = divided(known, recipe.seed)
    network, _ = train_network(
        DESIGN, (inside, unknown), recipe, FitRun(folder, quiet=True), folder
    )
    return Leak(
        sum(map(len, inside.starts)),
        window_errors(network, outside, recipe),
        window_errors(network, unknown, recipe),
    )


@click.command(cls=Command)
@options.data
@options.cache
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of results.")
@click.option("--epochs", type=click.IntRange(min=1), help="By default as the recipe says.")
@click.option("--seed", type=options.SEEDS, default=0, show_default=True)
def main(data: Path, cache: Path, out: Path, epochs: int | None, seed: int) -> None:
    """Measure a network on windows of recordings that it knows, and of others."""
    torch.set_num_threads(1)
    recipe = dataclasses.replace(
        reference_recipe(DESIGN, epochs=epochs, seed=seed), augmentation=Augmenting(0, 0.0, 0.0)
    )
    front_end, windows = FrontEnd(), plan_of(recipe)
    features = cache / "features"
    features.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    labelled = [*read_songs(data), *read_rhythm(data)]
    known, unknown = (by_split(labelled, split) for split in ("train", "validation"))
    depends_on = {
        "recipe": dataclasses.asdict(recipe), "data": [digest_of(known), digest_of(unknown)],
    }  # fmt: skip

    def run() -> dict[str, object]:
        sides = [
            WindowSet.of(
                side, [features_file(r.path, front_end, windows, features) for r in side],
                front_end, windows,
            )
            for side in (known, unknown)
        ]  # fmt: skip
        folder = out / f"run-{run_digest(depends_on)}"
        return dataclasses.asdict(measure_leak(sides[0], sides[1], recipe, folder))

    click.echo(json.dumps(kept(out, f"leak-{seed}", depends_on, run), indent=2))


if __name__ == "__main__":
    main()
