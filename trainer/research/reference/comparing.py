"""Networks that learn from nothing beside a head on an embedding, on the same folds of artists.

Every track is scored by a network that has learned from none of its artist; the scores of all folds
together are measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tempo_core.background import Stopped, parallel
from tempo_core.errors import AudioError, ConfigError

from ...evaluation.saving import plain
from ...evaluation.tag_figures import TagFigures, tag_figures
from ...evaluation.text_tables import aligned, number
from ...files import kept, write_text
from ...learning.epochs import run_digest
from ...learning.job import Failure
from ...learning.job import refuse_nothing as refuse_no_recording
from ...trainingset.grouping import folds_of
from .cleaning import TagSet, clean
from .head import Embedding, Floats, head_scores
from .recipe import TagRecipe
from .running import (
    FIGURES,
    INTERRUPTED,
    TABLE,
    RunOptions,
    digest_of,
    fit_run,
    hear,
    interval,
    material_of,
    rows_of,
    settings_of,
)
from .shards import Place
from .sources import TaggedTrack
from .training import scores_of, train_network

VALIDATION_PART = 6  # of the artists to learn from, one in so many chooses the epoch


@dataclass(frozen=True)
class Comparison:
    """Figures by the name of what was compared, on the tracks of `tag_set`."""

    tag_set: TagSet
    figures: Mapping[str, TagFigures]
    failed: tuple[Failure, ...]

    def lines(self) -> list[str]:
        """The table, then a table of all tags for each."""
        tracks, tags = len(self.tag_set.tracks), len(self.tag_set.tags)
        rows = [("network", "", "tracks", "tags", "AUC-ROC", "(95 %)", "AUC-PR", "(95 %)", "ECE")]
        for name, own in self.figures.items():
            rows.append((
                name, "", str(tracks), str(tags), number(own.auc_roc, 3),
                interval(own.auc_roc_interval), number(own.auc_pr, 3),
                interval(own.auc_pr_interval), number(own.ece, 3),
            ))  # fmt: skip
        lines = list(aligned(rows))
        for name, own in self.figures.items():
            lines += ["", name, *aligned(rows_of(own))]
        return lines

    def write(self, folder: Path) -> None:
        """Write figures and tables.

        Raises
        ------
        StorageError
            If they cannot be written.
        """
        document = {name: plain(asdict(own)) for name, own in self.figures.items()}
        write_text(folder / FIGURES, json.dumps(document, indent=1) + "\n")
        write_text(folder / TABLE, "\n".join(self.lines()) + "\n")


def compare(
    tracks: Sequence[TaggedTrack],
    recipes: Sequence[TagRecipe],
    embeddings: Mapping[str, Embedding],
    folds: tuple[int, int],
    options: RunOptions,
) -> Comparison:
    """Train each network in folds by artist, fit a head on each embedding, and measure all.

    What is finished is kept in the folder of the runs, so that an interrupted comparison goes on.

    Parameters
    ----------
    recipes
        All with the same cleaning. Stated splits are not used.
    embeddings
        By the name that they have in the table.
    folds
        Their number, and the seed of the order of artists.

    Raises
    ------
    Stopped
        If the run was to stop.
    ConfigError
        If the recipes differ in their cleaning, or there are too few artists or tags.
    """
    first, *others = recipes
    if any(recipe.cleaning != first.cleaning for recipe in others):
        raise ConfigError("the recipes differ under cleaning; the same tags are needed for all")
    tag_set = clean(tracks, first.cleaning)
    paths = [t.path for t in tag_set.tracks]
    places: list[dict[Path, Place]] = []
    vectors: dict[str, dict[Path, Floats]] = {}
    failed: dict[Path, Exception] = {}
    for recipe in recipes:
        found, unusable = hear(paths, recipe, options)
        places.append(found)
        failed.update(unusable)
    for name, embedding in embeddings.items():
        vectors[name], unusable = _embedded(paths, embedding, options)
        failed.update(unusable)
    heard = TagSet(tuple(t for t in tag_set.tracks if t.path not in failed), tag_set.tags)
    refuse_no_recording(len(heard.tracks), list(failed.items()))
    artists = [t.artist or str(t.path) for t in heard.tracks]
    if len(set(artists)) < folds[0]:
        raise ConfigError(
            f"{len(set(artists))} artists cannot be {folds[0]} folds; give fewer folds"
        )
    fold = folds_of(artists, *folds)
    measure = partial(tag_figures, heard.tags, heard.truth, groups=heard.groups, seed=folds[1])
    figures = {}
    for recipe, there in zip(recipes, places, strict=True):
        scores = _network_scores(heard, there, recipe, fold, folds, options)
        figures[recipe.inputs.front_end] = measure(scores)
    for name, own in vectors.items():
        stacked = np.stack([own[t.path] for t in heard.tracks])
        scores = np.zeros_like(heard.truth)
        for k in range(folds[0]):
            scores[fold == k] = head_scores(stacked, heard.truth, fold != k)
        figures[name] = measure(scores)
    comparison = Comparison(heard, figures, tuple(failed.items()))
    comparison.write(options.out)
    return comparison


def _embedded(
    paths: Sequence[Path], embedding: Embedding, options: RunOptions
) -> tuple[dict[Path, Floats], list[Failure]]:
    """Vectors (n_dims,) of tracks, and the files that cannot be used."""
    found: dict[Path, Floats] = {}
    failed: list[Failure] = []
    for path, vector in parallel(embedding, paths, options.jobs, options.stop, options.time_limit):
        if isinstance(vector, AudioError):
            failed.append((path, vector))
        elif isinstance(vector, Exception):
            raise vector
        else:
            found[path] = np.asarray(vector, np.float64)
    if options.stop():
        raise Stopped(INTERRUPTED)
    return found, failed


def _network_scores(
    heard: TagSet,
    places: dict[Path, Place],
    recipe: TagRecipe,
    fold: NDArray[np.int64],
    folds: tuple[int, int],
    options: RunOptions,
) -> Floats:
    """(n_tracks, n_tags) scores of every track by the network that was trained without its fold."""
    material = material_of(heard, places)
    digest = digest_of(heard, places)
    groups = heard.groups
    scores = np.zeros_like(heard.truth)
    for k in range(folds[0]):
        asked = fold == k
        arguments = {**settings_of(recipe), "data": digest, "groups": groups, "fold": fold.tolist(),
                     "asked": [k, *folds]}  # fmt: skip

        def made(
            asked: NDArray[np.bool_] = asked, k: int = k, arguments: dict[str, Any] = arguments
        ) -> list[list[float]]:
            held = ~asked & _part_of_artists(groups, asked, folds[1] + k)
            folder = options.out / f"{recipe.inputs.front_end}-{run_digest(arguments)}"
            network, _ = train_network(
                material.part(~asked & ~held), material.part(held), recipe,
                fit_run(folder, options),
            )  # fmt: skip
            found: list[list[float]] = scores_of(network, material.part(asked), recipe).tolist()
            return found

        name = f"scores-{recipe.inputs.front_end}-{k}"
        scores[asked] = kept(options.out, name, arguments, made)
    return scores


def _part_of_artists(
    groups: Sequence[str], left_out: NDArray[np.bool_], seed: int
) -> NDArray[np.bool_]:
    """(n_tracks,) whether the artist is one of those by whom the epoch is chosen."""
    names = sorted({group for group, out in zip(groups, left_out, strict=True) if not out})
    np.random.default_rng(seed).shuffle(names)
    chosen = set(names[: max(1, len(names) // VALIDATION_PART)])
    return np.array([group in chosen for group in groups])
