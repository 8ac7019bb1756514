"""From labels to a model in use: choose a method, learn, compare, install what is better."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tempo_core import checkpoint, in_use
from tempo_core.engines import Engine
from tempo_core.errors import ConfigError, StorageError
from tempo_core.methods import Method
from tempo_core.sound_tags import is_field

from .job import Failure, Job, Proposal
from .labels import READERS, Labels
from .options import LearnOptions, choose_method
from .processes import ALONE, Processes

__all__ = ["LearnOptions", "Learned", "check_options", "choose_method", "learn", "learn_from"]


@dataclass(frozen=True)
class Learned:
    """A model that was learned, written, and perhaps installed.

    `wanted` says whether it was to be installed if it is better, or in any case.
    """

    proposal: Proposal
    path: Path
    installed: bool
    wanted: bool

    @property
    def failed(self) -> tuple[Failure, ...]:
        """Files that could not be used, with the reason."""
        return self.proposal.failed

    def summary(self) -> list[str]:
        """Lines for people: what was learned, the comparison, and whether it is in use."""
        learned = f"{self.proposal.learned}: {self.path.stem}"
        return [learned, *self.proposal.comparison, self._outcome()]

    def _outcome(self) -> str:
        reason, better = self.proposal.reason, self.proposal.installable
        if self.installed and better:
            return f"installed: {reason}"
        if self.installed:
            return f"installed because you said so, although {reason}"
        if not self.wanted:
            return f"not installed, as you said: {reason}"
        name = self.path.stem if self.path.parent == in_use.folder() else self.path
        return (
            f"not installed: {reason}. The model is kept; `tempo-core models use {name}` uses it "
            "all the same"
        )


def go_on() -> bool:
    """The answer to whether to stop, where nobody can interrupt: never."""
    return False


def learn(
    source: Path,
    options: LearnOptions,
    stop: Callable[[], bool] = go_on,
    processes: Processes = ALONE,
    engine: Engine | None = None,
) -> Learned:
    """Learn from a training set, or from a table of statements.

    Parameters
    ----------
    source
        The folder of a training set for the task `tempo`, a table for the tasks `pace` and `tags`,
        either for `key`, a folder of recordings and their notes for `notes`.
    stop
        Asked between steps; once it returns True, the run is abandoned. What a method then keeps
        for the next run is its own affair: `fit` its epochs, `paces` its features.
    processes
        Those that share the run, of which this is one.
    engine
        That of a cluster, which listens for `fit` and `tags`; None for threads.

    Raises
    ------
    Stopped
        If `stop` returned True.
    Dismissed
        In all `processes` but the first.
    TempoError
        If there is too little to learn from, or something cannot be read or written.
    """
    check_options(options)
    return learn_from(READERS[options.task](source), options, stop, processes, engine)


def learn_from(
    labels: Labels,
    options: LearnOptions,
    stop: Callable[[], bool] = go_on,
    processes: Processes = ALONE,
    engine: Engine | None = None,
) -> Learned:
    """Learn from labels that were read already, see `learn`.

    Parameters
    ----------
    labels
        Those of the task, as in `trainer.learning.labels`.
    """
    check_options(options)
    method = choose_method(len(labels), options)
    if engine is not None and not (method.needs_views or options.task == "tags"):
        raise ConfigError(
            f"a scheduler is for the method fit and the task tags, and not for {method.name}, "
            "which works in threads; leave it out"
        )
    try:
        job = Job(method, options, stop, processes, engine)
        proposal: Proposal = _module(method).learn(labels, job)
        return _finish(proposal, options)
    except OSError as error:
        raise StorageError(
            f"{error.filename or labels.folder}: {error.strerror or error}; what was learned so "
            "far is kept, see to it and run the same again"
        ) from error


def check_options(options: LearnOptions) -> None:
    """Refuse options that can never work, before hours of work.

    Raises
    ------
    ConfigError
        If options contradict each other, or the accelerator is not there.
    """
    choose_method(sys.maxsize, options)  # the number of labels is not known yet
    if options.install_anyway and not options.install:
        raise ConfigError("no install and install anyway contradict each other; leave one out")
    if not is_field(options.field):
        raise ConfigError(f"{options.field!r} is no name of a field; give one such as genres")
    if options.accelerator != "cpu":
        devices = _import("epochs", "fit")
        devices.check_accelerator(options.accelerator, options.devices)


def _module(method: Method) -> Any:
    return _import(method.module, method.name)


def _import(name: str, method: str) -> Any:
    """A module of this package.

    Raises
    ------
    ConfigError
        If it needs a package that is not installed.
    """
    try:
        return import_module(f".{name}", __package__)
    except ImportError as error:
        raise ConfigError(
            f"{method} needs more packages ({error}): pip install 'beets-tempo[train]'"
        ) from error


def _finish(proposal: Proposal, options: LearnOptions) -> Learned:
    """Write the model, and use it if it is better."""
    path = checkpoint.save(options.out or in_use.folder(), proposal.model)
    install = options.install_anyway or (options.install and proposal.installable)
    if install:
        in_use.activate(in_use.add(path).name, options.task)
    return Learned(proposal, path, install, options.install or options.install_anyway)
