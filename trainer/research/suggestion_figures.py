"""What labels of suggested tracks are worth: `python -m trainer.research.suggestion_figures`.

For each of five folds by artist, an imagined person labels some tracks of the others: those that
`trainer.learning.suggestions` chooses, or as many at random. A model learns from these labels and
is measured on the fold. For each seed the suggestions are made for another four fifths of the
tracks, or they would be the same each time. Results of finished draws are stored in `--out`, so an
interrupted run continues.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from tempo_core import checkpoint, in_use
from tempo_core.cli.command import Command
from tempo_core.tasks.tempo.decode import activate, highest, octave_share

from .. import options
from ..evaluation.metrics import bootstrap_interval, signed, within
from ..files import kept
from ..inputs.recordings import digest_of, read_songs
from ..learning import guard as guards
from ..learning.frozen import Model, logits
from ..learning.guard import Guard
from ..learning.prior import folds_of
from ..learning.prior_fitting import PriorRecipe, adapt, shift
from ..learning.suggestions import SuggestionCandidate, suggest
from .learning_curve import CONVENTIONS, CurveTrack, answers, counted, hear

POOL_SHARE = 0.8  # of the tracks outside of a fold, among which labels are drawn for one seed
WAYS = ("suggested", "random")  # of choosing what to label
METHODS: dict[str, Callable[[Model, Sequence[CurveTrack], Guard, int], Model]] = {
    "shift": lambda base, tracks, replay, seed: shift(base, tracks),
    "adapt": lambda base, tracks, replay, seed: adapt(base, tracks, replay, PriorRecipe(seed=seed)),
}


@dataclass(frozen=True)
class SuggestionDraw:
    """One choice of labels: the `convention` of the person, how they are chosen, and the rest."""

    convention: str
    way: str
    method: str
    n_labels: int
    fold: int
    seed: int


def candidate(track: CurveTrack, model: Model) -> SuggestionCandidate:
    """What a model says of a track, from unweighted windows and without refinement."""
    scores = activate(logits(model.network, track.frozen), model.config, model.temperature)
    posterior, grid = scores.mean(axis=0), model.config.grid
    peak = highest(posterior, grid)
    octave = model.octave(octave_share(posterior, grid, peak.bpm))
    one = track.recording
    return SuggestionCandidate(peak.bpm, peak.mass, octave, one.group, genre=one.genre)


def choose(
    way: str, pool: Sequence[CurveTrack], n: int, model: Model, rng: np.random.Generator
) -> list[CurveTrack]:
    """Tracks to label; where fewer are suggested, all others are drawn at random."""
    some = [pool[i] for i in rng.permutation(len(pool))[: round(POOL_SHARE * len(pool))]]
    first = suggest([candidate(t, model) for t in some], [], n) if way == "suggested" else []
    rest = [k for k in range(len(some)) if k not in first]
    return [some[k] for k in (*first, *rest)[:n]]


def chosen_labels(
    drawing: SuggestionDraw, tracks: Sequence[CurveTrack], base: Model
) -> list[CurveTrack]:
    """Tracks of other folds that are labelled, with their labels as the person counts."""
    fold = folds_of([t.recording.group for t in tracks], 0)
    pool = [t for t, k in zip(tracks, fold, strict=True) if k != drawing.fold]
    rng = np.random.default_rng([drawing.seed, drawing.fold])
    chosen = choose(drawing.way, pool, drawing.n_labels, base, rng)
    return counted(chosen, CONVENTIONS[drawing.convention])


def share_wrong(tracks: Sequence[CurveTrack], base: Model) -> float:
    """Share of labelled tracks, 0..1, that a model has wrong."""
    return 1 - float(np.mean(within([t.recording.bpm for t in tracks], answers(tracks, base))))


def right_answers(
    drawing: SuggestionDraw, tracks: Sequence[CurveTrack], base: Model, guard: Guard
) -> dict[str, int]:
    """By the number of each track of the fold, 1 if it is right after learning, 0 if it is not."""
    fold = folds_of([t.recording.group for t in tracks], 0)
    labelled = counted(tracks, CONVENTIONS[drawing.convention])
    model = base
    if drawing.n_labels:
        learn = METHODS[drawing.method]
        chosen = chosen_labels(drawing, tracks, base)
        model = learn(base, chosen, guard.part(replay=True), drawing.seed)
    test = [k for k, other in enumerate(fold) if other == drawing.fold]
    found = answers([tracks[k] for k in test], model)
    right = within([labelled[k].recording.bpm for k in test], found)
    return {str(k): int(ok) for k, ok in zip(test, right, strict=True)}


@click.command(cls=Command)
@options.data
@options.cache
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of results.")
@click.option("--labels", default=20, show_default=True, help="Tracks that are labelled.")
@click.option("--draws", default=5, show_default=True, help="Seeds.")
@click.option("--method", "methods", multiple=True, type=click.Choice(list(METHODS)),
              default=list(METHODS), help="How to learn; may be given more than once.")  # fmt: skip
@click.option("--jobs", default=1, show_default=True, help="Processes that listen.")
def main(
    data: Path, cache: Path, out: Path, labels: int, draws: int, methods: tuple[str, ...], jobs: int
) -> None:
    """Learn from suggested and from random labels, and print the accuracy on other artists."""
    base = checkpoint.load(checkpoint.resolve(in_use.SHIPPED))
    guard = guards.load(base)
    out.mkdir(parents=True, exist_ok=True)
    recordings = read_songs(data)
    digest = digest_of(recordings)
    tracks = hear(recordings, base, cache, jobs, out / f"heard-{base.hash}-{digest}.safetensors")
    torch.set_num_threads(1)
    groups = [r.group for r in recordings]
    n_folds = max(folds_of(groups, 0)) + 1

    def shares(convention: str, way: str, method: str, n: int) -> np.ndarray:
        """(n_tracks,) how often each track is right, over all seeds."""
        total: dict[int, list[int]] = {k: [] for k in range(len(tracks))}
        for seed in range(draws if n else 1):
            for fold in range(n_folds):
                drawing = SuggestionDraw(convention, way, method, n, fold, seed)
                name = "-".join(map(str, vars(drawing).values()))
                make: Any = partial(right_answers, drawing, tracks, base, guard)
                for k, ok in kept(out, name, [base.source, digest], make).items():
                    total[int(k)].append(ok)
        return np.array([np.mean(total[k]) for k in range(len(tracks))])

    def wrong(convention: str, way: str) -> float:
        """Share of labelled tracks, 0..1, that the shipped model has wrong, over all seeds."""
        drawings = [
            SuggestionDraw(convention, way, "", labels, fold, seed)
            for seed in range(draws)
            for fold in range(n_folds)
        ]
        return float(np.mean([share_wrong(chosen_labels(d, tracks, base), base) for d in drawings]))

    for convention in CONVENTIONS:
        before = shares(convention, "", "", 0)
        click.echo(f"{convention}: no labels {100 * before.mean():.1f} %")
        told = ", ".join(f"{way} {100 * wrong(convention, way):.1f} %" for way in WAYS)
        click.echo(f"{convention}, wrong among {labels} labels: {told}")
        for method in methods:
            after = {way: shares(convention, way, method, labels) for way in WAYS}
            low, high = bootstrap_interval(after["suggested"] - after["random"], groups)
            told = ", ".join(f"{way} {100 * found.mean():.1f} %" for way, found in after.items())
            click.echo(
                f"{convention}, {method} with {labels} labels: {told} "
                f"(95 % interval of the difference {signed(low)} to {signed(high)})"
            )


if __name__ == "__main__":
    main()
