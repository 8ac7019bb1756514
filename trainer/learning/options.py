"""Options of a learning run, and which method they choose."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path

from tempo_core import methods
from tempo_core.background import TIME_LIMIT
from tempo_core.errors import ConfigError
from tempo_core.methods import AUTO, Method

GENRES = "genres"  # the field that tags are of, by default
MIN_TRACKS = 20  # with a tag, by default; fewer tell little about how it sounds


@dataclass(frozen=True)
class LearnOptions:
    """Options of a learning run, whatever it learns from.

    Attributes
    ----------
    task
        The task whose model is learned, see `tempo_core.methods.tasks`.
    method
        The name of a method of this task, or `auto`.
    from_scratch
        Whether to train from random weights and not from the shipped ones.
    epochs
        Epochs of `fit`, steps of `adapt` and `notes`; None is what the method has by default.
    recipe
        File with the settings of `fit`; None is the recipe of the package.
    nodes, devices, accelerator
        Computers of a cluster that `fit` runs on, processes or GPUs on each of them, and their kind
        as lightning names it.
    out
        The folder the model is written to; None is the folder of learned models.
    install, install_anyway
        Whether the model is used if it is better, and whether it is used in any case.
    guard
        Folder of a training set of recordings whose tempo must be found as often as before.
    field, min_tracks, merge, drop
        Of tags: the field that they are of, and what is said of the names in it; see
        `tag_cleaning.TagRules`.
    jobs
        Threads.
    time_limit
        Longest time that reading one file may take [s].
    """

    task: str = "tempo"
    method: str = AUTO
    from_scratch: bool = False
    epochs: int | None = None
    recipe: Path | None = None
    seed: int = 0
    nodes: int = 1
    devices: int = 1
    accelerator: str = "cpu"
    out: Path | None = None
    install: bool = True
    install_anyway: bool = False
    guard: Path | None = None
    field: str = GENRES
    min_tracks: int = MIN_TRACKS
    merge: Mapping[str, str] = dataclass_field(default_factory=dict)
    drop: Sequence[str] = ()
    jobs: int = os.cpu_count() or 1
    quiet: bool = False
    time_limit: float = TIME_LIMIT


def choose_method(n_labels: int, options: LearnOptions) -> Method:
    """The method that was asked for, or the one for this number of labels.

    Raises
    ------
    ConfigError
        If the options contradict each other, or there is a recipe for a method that has none.
    """
    method = _chosen(n_labels, options)
    if options.recipe is not None and "from_scratch" not in method.options:
        meant = f", which {AUTO} means here" if options.method == AUTO else ""
        raise ConfigError(
            f"a recipe is for fit and for --network, not for {method.name}{meant}; say --method "
            "fit, or leave the recipe out"
        )
    return method


def _chosen(n_labels: int, options: LearnOptions) -> Method:
    """The method, whatever the other options are."""
    rows = methods.of_task(options.task)
    if options.from_scratch:
        (fit,) = (row for row in rows if "from_scratch" in row.options)
        if options.method not in (AUTO, fit.name):
            raise ConfigError(
                f"from scratch is a way to {fit.name}, the method is {options.method}; "
                "leave one out"
            )
        return fit
    if options.method == AUTO:
        return methods.for_labels(options.task, n_labels)
    for row in rows:
        if row.name == options.method:
            return row
    known = ", ".join(methods.names(options.task))
    raise ConfigError(f"the method of task {options.task} is {options.method}, not one of {known}")
