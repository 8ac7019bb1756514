"""A whole run: from tracks with tags to a trained network with its figures, in a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from tempo_core.background import Stopped
from tempo_core.console import counted

from ...evaluation.history import pack
from ...evaluation.saving import plain
from ...evaluation.tag_figures import TagFigures, tag_figures
from ...evaluation.text_tables import aligned, number
from ...files import write_text
from ...learning.epochs import FitRun, run_digest
from ...learning.job import Failure
from ...learning.job import refuse_nothing as refuse_no_recording
from .cleaning import TagSet, clean, counts_of, on_sides
from .model import FILE, TagModel
from .recipe import TagRecipe, write_recipe
from .shards import Filling, Place, Shards
from .sources import TaggedTrack
from .training import Material, scores_of, train_network

FIGURES, TABLE = "figures.json", "figures.txt"
INTERRUPTED = "interrupted; run the same again to go on"


@dataclass(frozen=True)
class RunOptions:
    """How a run takes place.

    `out` is the folder of runs, `cache` that of inputs; `stop` is asked between steps.
    """

    out: Path
    cache: Path
    stop: Callable[[], bool]
    jobs: int = 1
    accelerator: str = "cpu"
    time_limit: float | None = None
    quiet: bool = False


@dataclass(frozen=True)
class TrainedTags:
    """A finished run: its folder, lines for people, and the files that could not be used."""

    folder: Path
    told: tuple[str, ...]
    failed: tuple[Failure, ...]


def train_tags(
    tracks: Sequence[TaggedTrack], recipe: TagRecipe, options: RunOptions
) -> TrainedTags:
    """Train a network for tags, and measure it on the tracks of the test side.

    The folder of the run, whose name follows from recipe and tracks, gets the recipe, logs,
    checkpoints, the model and its figures. A run that was interrupted or killed goes on.

    Raises
    ------
    Stopped
        If the run was to stop.
    ConfigError
        If no tag is left, or a side has no tracks.
    StorageError, CheckpointError
        If something cannot be written.
    """
    tag_set, told = on_sides(clean(tracks, recipe.cleaning), recipe.cleaning, recipe.seed)
    places, failed = hear([t.path for t in tag_set.tracks], recipe, options)
    refuse_no_recording(len(places), failed)
    heard = TagSet(tuple(t for t in tag_set.tracks if t.path in places), tag_set.tags)
    digest = digest_of(heard, places)
    folder = options.out / (
        f"{recipe.inputs.front_end}-{run_digest({'recipe': recipe.to_dict(), 'data': digest})}"
    )
    made = {"data": digest, "tags": counts_of(heard), "versions": versions()}
    write_recipe(folder, recipe, made)
    sides = {split: heard.of_split(split) for split in ("train", "validation", "test")}
    training, held, test = (material_of(side, places) for side in sides.values())
    network, history = train_network(training, held, recipe, fit_run(folder, options))
    scores = scores_of(network, test, recipe)
    figures = tag_figures(heard.tags, test.truth, scores, sides["test"].groups, recipe.seed)
    lines = write_figures(folder, figures)
    card = {**made, "figures": plain(asdict(figures)), "history": pack(history)}
    TagModel(network, recipe, heard.tags, card).save(folder / FILE)
    counts = ", ".join(f"{split} {len(side.tracks)}" for split, side in sides.items())
    summary = f"{recipe.inputs.front_end}: {counted(len(heard.tags), 'tag')}; tracks: {counts}"
    return TrainedTags(folder, (*told, summary, *lines, str(folder)), tuple(failed))


def hear(
    paths: Sequence[Path], recipe: TagRecipe, options: RunOptions
) -> tuple[dict[Path, Place], list[Failure]]:
    """The inputs of tracks in the cache, and the files that cannot be used.

    Raises
    ------
    Stopped
        If the run was to stop; what is done is kept.
    """
    shards = Shards(options.cache, recipe.inputs)
    hidden = True if options.quiet else None
    with tqdm(desc="listening", total=len(paths), unit="track", disable=hidden) as bar:
        filling = Filling(options.jobs, options.stop, options.time_limit, bar.update)
        places, failed = shards.fill(paths, filling)
    if options.stop():
        raise Stopped(INTERRUPTED)
    return places, failed


def fit_run(folder: Path, options: RunOptions) -> FitRun:
    """The run of a network in a folder."""
    torch.set_num_threads(options.jobs)
    return FitRun(folder, 1, options.accelerator, options.stop, options.quiet)


def material_of(tag_set: TagSet, places: dict[Path, Place]) -> Material:
    """Tracks of a set as a network learns from them; all have a place."""
    return Material([places[t.path] for t in tag_set.tracks], tag_set.truth)


def digest_of(tag_set: TagSet, places: dict[Path, Place]) -> str:
    """Eight hexadecimal digits of the tracks' content, tags and sides."""
    rows = [[places[t.path].key, sorted(t.tags), t.split] for t in tag_set.tracks]
    return hashlib.sha256(json.dumps([tag_set.tags, rows]).encode()).hexdigest()[:8]


def versions() -> dict[str, str]:
    """Of what a result depends on."""
    names = ("beets-tempo", "torch", "numpy", "lightning", "scikit-learn")
    return {name: version(name) for name in names}


def write_figures(folder: Path, figures: TagFigures) -> list[str]:
    """Write figures as JSON and as a table, and return the lines of the table.

    Raises
    ------
    StorageError
        If they cannot be written.
    """
    write_text(folder / FIGURES, json.dumps(plain(asdict(figures)), indent=1) + "\n")
    lines = list(aligned(rows_of(figures)))
    write_text(folder / TABLE, "\n".join(lines) + "\n")
    return lines


def rows_of(figures: TagFigures) -> list[tuple[str, ...]]:
    """A header, then a row for each tag, then the mean over tags with its intervals."""
    three = partial(number, digits=3)
    rows: list[tuple[str, ...]] = []
    rows.append(("tag", "", "tracks", "with", "AUC-ROC", "(95 %)", "AUC-PR", "(95 %)", "ECE"))
    for tag in figures.tags:
        rows.append((
            tag.tag, "", str(tag.n), str(tag.n_with), three(tag.auc_roc), "", three(tag.auc_pr),
            "", three(tag.ece),
        ))  # fmt: skip
    rows.append((
        "mean", "", str(max((tag.n for tag in figures.tags), default=0)), "",
        three(figures.auc_roc), interval(figures.auc_roc_interval),
        three(figures.auc_pr), interval(figures.auc_pr_interval), three(figures.ece),
    ))  # fmt: skip
    return rows


def interval(limits: tuple[float, float]) -> str:
    """A 95 % interval in brackets."""
    low, high = (number(limit, 2) for limit in limits)
    return f"({low}-{high})"


def settings_of(recipe: TagRecipe) -> dict[str, Any]:
    """What a kept result depends on beside the tracks."""
    return {"recipe": recipe.to_dict(), "torch": version("torch")}
