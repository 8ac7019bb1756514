"""How well embeddings tell genres: `python -m trainer.research.sound_figures --data DIR`.

The genres of `songs.tsv`, the six most frequent ones, five folds by artist, in several draws: a
head on the embedding, one of few labels, the labels of which it would find that they are wrong, and
the nearest tracks by others.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from tempo_core.cli.command import Command
from tempo_core.estimate import Estimator

from ..evaluation.tag_doubts import LISTED
from ..evaluation.tag_figures import TagFigures, area, macro, tag_figures
from ..inputs.recordings import artist_of, read_songs
from ..learning.tag_checking import check_labels
from ..learning.tag_fitting import calibrated, odds_of_folds, regress
from ..trainingset.grouping import folds_of

Floats = NDArray[np.float64]
N_GENRES, N_FOLDS, N_NEIGHBOURS = 6, 5, 5
FLIPPED = 0.1  # share of labels that are made wrong
FEW, N_FEW_GENRES = (5, 10, 20), 5  # labels of each genre, and how many genres


@dataclass(frozen=True)
class Songs:
    """Songs of some genres: embeddings (n, n_dims), number of the genre (n,), artists (n,)."""

    embeddings: Floats
    genre: NDArray[np.int64]
    genres: tuple[str, ...]
    artists: tuple[str, ...]

    def truth(self, genre: NDArray[np.int64] | None = None) -> Floats:
        """(n, n_genres) 1 for the genre of each, or for another one that is stated of it."""
        return np.eye(len(self.genres))[self.genre if genre is None else genre]


def read(data: Path, model: str) -> Songs:
    """The songs of the most frequent genres, with their embeddings by a model of tags."""
    every = [song for song in read_songs(data) if song.genre]
    frequent = [name for name, _ in Counter(s.genre for s in every).most_common(N_GENRES)]
    songs = [song for song in every if song.genre in frequent]
    estimator = Estimator(tasks=["tags"], models={"tags": model})
    embeddings = [estimator.results(song.path)["tags"].embedding for song in songs]
    return Songs(
        np.array(embeddings, float),
        np.array([frequent.index(song.genre) for song in songs]),
        tuple(frequent),
        tuple(artist_of(song) for song in songs),
    )


def of_head(songs: Songs, seed: int) -> tuple[TagFigures, float, float]:
    """Figures of a head out of fold, how often it is right, and of the half it is surest of."""
    folds = folds_of(songs.artists, N_FOLDS, seed)
    odds = odds_of_folds(songs.embeddings, songs.truth(), folds)
    figures = tag_figures(songs.genres, songs.truth(), calibrated(odds, songs.truth()),
                          songs.artists)  # fmt: skip
    # The calibration of a track knows nothing of its fold.
    likely = calibrated(odds, songs.truth(), folds)
    right = odds.argmax(axis=1) == songs.genre
    ece = tag_figures(songs.genres, songs.truth(), likely, songs.artists).ece
    sure = likely.max(axis=1) >= np.median(likely.max(axis=1))
    return replace(figures, ece=ece), float(right.mean()), float(right[sure].mean())


def of_few(songs: Songs, n: int, seed: int) -> float:
    """Area under the ROC curve of heads that know at most `n` songs of each frequent genre.

    They are asked about the songs of the fold that is left out, of the genres of which the other
    folds have enough songs or nearly so.
    """
    rng = np.random.default_rng(seed)
    frequent = [k for k in range(len(songs.genre)) if songs.genre[k] < N_FEW_GENRES]
    genre, embeddings = songs.genre[frequent], songs.embeddings[frequent]
    truth = np.eye(N_FEW_GENRES)[genre]
    folds = folds_of([songs.artists[k] for k in frequent], N_FOLDS, seed)
    odds = np.zeros(truth.shape)
    for fold in range(N_FOLDS):
        others = rng.permutation(np.flatnonzero(folds != fold))
        known = np.concatenate([others[genre[others] == g][:n] for g in range(N_FEW_GENRES)])
        weights, offsets = regress(embeddings[known], truth[known])
        odds[folds == fold] = embeddings[folds == fold] @ weights.T + offsets
    return macro(area, truth, odds)


def of_flipped(songs: Songs, seed: int) -> tuple[float, int, float, float]:
    """How labels that are wrong are found by the doubt about them.

    Returns
    -------
    Area under the ROC curve; number of labels from `LISTED` on, the share of these that are wrong,
    and the share of the wrong ones that are among them.
    """
    rng = np.random.default_rng(seed)
    n = len(songs.genre)
    wrong = rng.choice(n, round(FLIPPED * n), replace=False)
    stated = songs.genre.copy()
    stated[wrong] = (stated[wrong] + rng.integers(1, len(songs.genres), wrong.size)) % len(
        songs.genres
    )
    truth = songs.truth(stated)
    doubts = np.zeros(n)
    for one in check_labels(songs.genres, songs.embeddings, truth, songs.artists, seed).doubtful:
        doubts[one.track] = one.doubt
    is_wrong, is_listed = np.isin(np.arange(n), wrong), doubts >= LISTED
    n_found = int((is_wrong & is_listed).sum())
    n_listed = int(is_listed.sum())
    return (
        area(is_wrong.astype(float), doubts), n_listed, n_found / max(1, n_listed),
        n_found / wrong.size,
    )  # fmt: skip


def of_neighbours(songs: Songs) -> float:
    """Share of the nearest songs by other artists that are of the same genre."""
    centred = songs.embeddings - songs.embeddings.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    near, artists = unit @ unit.T, np.array(songs.artists)
    near[artists[:, None] == artists[None]] = -np.inf
    nearest = np.argsort(-near, axis=1)[:, :N_NEIGHBOURS]
    return float((songs.genre[nearest] == songs.genre[:, None]).mean())


def mean_of(values: Sequence[float]) -> float:
    """The mean of the draws, rounded."""
    return round(float(np.mean(values)), 3)


@click.command(cls=Command)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with songs.tsv.")  # fmt: skip
@click.option("--model", default="shipped", show_default=True, help="Model of tags.")
@click.option("--draws", default=10, show_default=True, help="Draws of folds and of labels.")
@click.option("--seed", default=0, show_default=True)
def main(data: Path, model: str, draws: int, seed: int) -> None:
    """Print how well embeddings tell genres, as JSON."""
    songs = read(data, model)
    seeds = range(seed, seed + draws)
    heads = [of_head(songs, s) for s in seeds]
    first = heads[0][0]
    flipped = [mean_of(x) for x in zip(*(of_flipped(songs, s) for s in seeds), strict=True)]
    found = {
        "songs": len(songs.genre),
        "artists": len(set(songs.artists)),
        "auc_roc": mean_of([figures.auc_roc for figures, _, _ in heads]),
        "auc_roc_interval": [round(x, 3) for x in first.auc_roc_interval],
        "auc_pr": mean_of([figures.auc_pr for figures, _, _ in heads]),
        "auc_pr_interval": [round(x, 3) for x in first.auc_pr_interval],
        "accuracy": mean_of([right for _, right, _ in heads]),
        "surer_half": mean_of([sure for _, _, sure in heads]),
        "ece": mean_of([figures.ece for figures, _, _ in heads]),
        "of_tags": {t.tag: [t.n_with, round(t.auc_roc, 3), round(t.auc_pr, 3)] for t in first.tags},
        "few": {n: mean_of([of_few(songs, n, s) for s in seeds]) for n in FEW},
        "flipped": flipped[0],
        "listed": dict(zip(("n", "wrong", "of_wrong"), flipped[1:], strict=True)),
        "neighbours": round(of_neighbours(songs), 3),
    }
    click.echo(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
