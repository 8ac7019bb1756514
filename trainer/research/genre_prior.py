"""A prior by genre for everybody: `python -m trainer.research.genre_prior`.

How people count the songs of a genre is known of some 2,000 titles (`human_tempi.tsv`). From them
follows for each family of genres how much more probable a tempo is than in general, and that is
brought to bear on the posterior of the shipped model, for real recordings whose genre is known:

- multiplied into it, at a few weights;
- only among the octaves of the tempo that is found, and only where the model is not sure of the
  octave; weight and limit are chosen on four of five folds by artist, and used on the fifth.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from tempo_core import checkpoint, in_use
from tempo_core.cli.command import Command
from tempo_core.genres import families_of
from tempo_core.tasks.tempo.axis import near, place
from tempo_core.tasks.tempo.config import TempoGrid
from tempo_core.tasks.tempo.decode import activate, highest

from .. import options
from ..evaluation.metrics import acc1, bootstrap_interval
from ..files import read_tsv
from ..inputs.recordings import digest_of, read_songs
from ..learning.frozen import logits
from ..learning.prior import folds_of
from .genre_learning import is_unheard, read_charts_with_genre
from .learning_curve import hear

Posterior = NDArray[np.float64]
WEIGHTS = (0.25, 0.5, 1.0)
LIMITS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.01)  # of the share of the octave that is found
WIDTH = 6.0  # [bins] a sixth of an octave: standard deviation of the kernel of a title
PRIOR_TITLES = 20.0  # titles of all genres, with which the density of a genre begins
LEAST_TITLES = 10  # of a family that has a density of its own
OCTAVES = (0.25, 0.5, 1.0, 2.0, 4.0)


def densities(
    titles: Sequence[tuple[float, frozenset[str]]], grid: TempoGrid
) -> dict[str, Posterior]:
    """(n_bins,) logarithm of how much more probable each tempo is in a family than in general.

    Parameters
    ----------
    titles
        Tempo [BPM] and families of genres of each title.
    """
    bins = np.arange(grid.n_bins)
    kernels = np.array(
        [np.exp(-0.5 * ((bins - place(bpm, grid)) / WIDTH) ** 2) for bpm, _ in titles]
    )
    kernels /= kernels.sum(axis=1, keepdims=True)
    overall = kernels.mean(axis=0) + 1e-6
    found = {}
    for family in sorted({name for _, families in titles for name in families}):
        own = kernels[[family in families for _, families in titles]]
        if len(own) >= LEAST_TITLES:
            mixed = own.sum(axis=0) + PRIOR_TITLES * overall
            found[family] = np.log(mixed / (len(own) + PRIOR_TITLES) / overall)
    return found


def of_genre(genre: str, known: dict[str, Posterior], grid: TempoGrid) -> Posterior:
    """(n_bins,) the mean of what is known of the families of a genre, 0 if nothing is."""
    own = [known[name] for name in sorted(families_of(genre)) if name in known]
    return np.mean(own, axis=0) if own else np.zeros(grid.n_bins)


def multiplied(posterior: Posterior, prior: Posterior, weight: float, grid: TempoGrid) -> float:
    """The tempo [BPM] of a posterior with a prior multiplied into it."""
    return highest(posterior * np.exp(weight * prior), grid).bpm


def where_unsure(
    posterior: Posterior, prior: Posterior, weight: float, limit: float, grid: TempoGrid
) -> float:
    """The tempo [BPM] of a posterior, whose octave a prior may change where it is not sure."""
    bpm = highest(posterior, grid).bpm
    octaves = [bpm * k for k in OCTAVES if grid.answer_min <= bpm * k <= grid.answer_max]
    mass = np.array([posterior[near(one, grid)].sum() for one in octaves])
    mass /= mass.sum()
    if mass.max() >= limit:
        return bpm
    at = [round(place(one, grid)) for one in octaves]
    return float(octaves[int(np.argmax(np.log(mass + 1e-9) + weight * prior[at]))])


@click.command(cls=Command)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with the tables.")  # fmt: skip
@options.cache
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of results.")
@click.option("--model", default=in_use.SHIPPED, show_default=True, help="Whose posterior it is.")
def main(data: Path, cache: Path, out: Path, model: str) -> None:
    """Print Accuracy 1 without and with a prior by genre."""
    base = checkpoint.load(checkpoint.resolve(model))
    grid = base.config.grid
    out.mkdir(parents=True, exist_ok=True)
    recordings = [*read_songs(data), *read_charts_with_genre(data)]
    path = out / f"heard-{base.hash}-{digest_of(recordings)}.safetensors"
    tracks = hear(recordings, base, cache, 1, path)
    posteriors = [
        activate(logits(base.network, t.frozen), base.config, base.temperature).mean(axis=0)
        for t in tracks
    ]
    # Nothing of the artists that it is measured on; the columns of the table are not always in
    # their places.
    artists = {r.group.casefold() for r in recordings}
    titles = [
        (float(row["bpm"]), families_of(row["genre"]))
        for row in read_tsv(data / "human_tempi.tsv")
        if row["genre"] and not {row["artist"].casefold(), row["title"].casefold()} & artists
    ]
    known = densities(titles, grid)
    priors = [of_genre(r.genre, known, grid) for r in recordings]
    click.echo(f"{len(titles)} titles, families: {', '.join(known)}")
    folds = np.array(folds_of([r.group for r in recordings], 0))
    unheard = np.array([is_unheard(r, base) for r in recordings])

    def right(bpm: Sequence[float]) -> NDArray[np.float64]:
        pairs = zip(recordings, bpm, strict=True)
        return np.array([acc1([r.bpm], [one]) for r, one in pairs])

    def tell(name: str, answers: NDArray[np.float64], before: NDArray[np.float64]) -> None:
        parts = []
        for part, which in (("all", unheard | True), ("not learned from", unheard)):
            groups = [r.group for r, w in zip(recordings, which, strict=True) if w]
            low, high = bootstrap_interval((answers - before)[which], groups)
            parts.append(
                f"{part} {100 * answers[which].mean():.1f} of {which.sum()} "
                f"({100 * low:+.1f} to {100 * high:+.1f})"
            )
        click.echo(f"{name}: {', '.join(parts)}")

    each = list(zip(posteriors, priors, strict=True))
    before = right([highest(p, grid).bpm for p in posteriors])
    tell("without", before, before)
    for weight in WEIGHTS:
        tell(f"multiplied, {weight:g}",
             right([multiplied(p, q, weight, grid) for p, q in each]), before)  # fmt: skip

    @functools.cache
    def unsure(weight: float, limit: float) -> NDArray[np.float64]:
        return right([where_unsure(p, q, weight, limit, grid) for p, q in each])

    choices = [(0.0, LIMITS[0]), *((w, limit) for w in (*WEIGHTS, 2.0) for limit in LIMITS)]
    chosen = np.zeros(len(recordings))
    for fold in range(5):
        best = max(choices, key=lambda one: float(unsure(*one)[folds != fold].mean()))
        click.echo(f"fold {fold}: weight {best[0]:g}, limit {best[1]:g}")
        chosen[folds == fold] = unsure(*best)[folds == fold]
    tell("among octaves, where unsure, chosen in folds", chosen, before)


if __name__ == "__main__":
    main()
