"""`tempo-core train --network`: a network from scratch, and its figures beside the shipped model.

Nothing is installed: whether one of these models is used is up to whoever trained it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tempo_core import checkpoint, in_use, methods
from tempo_core.console import counted
from tempo_core.designs import TempoEstimator
from tempo_core.errors import AudioError, ConfigError, StorageError
from tempo_core.estimate import DEFAULT_WINDOWS, Estimator

from ..evaluation import asking, labelled, text_tables
from ..evaluation.figures import figures_of
from ..files import write_text
from ..learning import network as fitting
from ..learning.job import Failure, Job
from ..learning.labels import TempoLabels, read_tempo_labels
from ..learning.learn import check_options
from ..learning.options import LearnOptions
from ..learning.processes import ALONE, Processes
from ..recipes.recipe import NETWORKS
from .estimator import Pooling, ReferenceEstimator
from .networks import REFERENCES
from .training import train_reference

COMPARISON = "comparison.txt"  # the table, beside the run
(FIT,) = (method for method in methods.METHODS if "from_scratch" in method.options)
HELD_OUT = "test"  # split from which the network learned nothing, nor was its epoch chosen by it


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that was trained, in its file, and the lines of its comparison.

    `run` is the folder of recipe, logs, checkpoints and table.
    """

    learned: str
    path: Path
    run: Path
    table: tuple[str, ...]
    failed: tuple[Failure, ...]

    def summary(self) -> list[str]:
        """Lines for people: what was learned, the table, and where everything is."""
        return [f"{self.learned}: {self.path}", *self.table, f"recipe and table: {self.run}"]


def train(
    folder: Path,
    name: str,
    options: LearnOptions,
    stop: Callable[[], bool],
    processes: Processes = ALONE,
) -> TrainedNetwork:
    """Train a network from scratch on a training set, and compare it on the test split.

    Parameters
    ----------
    name
        One of `NETWORKS`.
    options
        Those of learning; its model is written to `out`, by default to the folder of the runs.
    processes
        Those that share the training, of which this is one.

    Raises
    ------
    Stopped
        If `stop` returned True; the next run goes on.
    Dismissed
        In all `processes` but the first.
    TempoError
        If there is too little to learn from, or something cannot be read or written.
    """
    if name not in NETWORKS:
        raise ConfigError(f"no network {name!r}; there are {', '.join(NETWORKS)}")
    options = dataclasses.replace(options, method=FIT.name, from_scratch=True, install=False)
    check_options(options)
    job = Job(FIT, options, stop, processes)
    labels = read_tempo_labels(folder)
    try:
        path, run, failed = _trained(labels, name, job)
        table, gone = compare(folder, path, run, job)
    except OSError as error:
        raise StorageError(
            f"{error.filename or folder}: {error.strerror or error}; what was learned so far is "
            "kept, see to it and run the same again"
        ) from error
    n_labels = checkpoint.read(path).header["card"]["n_labels"]
    learned = f"trained {name} on {counted(n_labels, 'label')}"
    return TrainedNetwork(learned, path, run, tuple(table), (*failed, *gone))


def _trained(labels: TempoLabels, name: str, job: Job) -> tuple[Path, Path, Sequence[Failure]]:
    """The file of a trained network, the folder of its run, and the files that were no use."""
    out = job.options.out or labels.folder / fitting.RUNS
    if name in REFERENCES:
        model, run, failed = train_reference(labels, name, job)
        return model.save(out), run, failed
    proposal = fitting.learn(labels, job)
    assert proposal.run is not None
    return checkpoint.save(out, proposal.model), proposal.run, proposal.failed


def compare(folder: Path, path: Path, run: Path, job: Job) -> tuple[list[str], list[Failure]]:
    """The figures of the shipped model and of a trained one on the test split, as a table.

    The table is written to the folder of the run, where the answers are kept, too. A reference
    network answers in both ways, by the median of windows and by their mode.
    """
    tracks, _ = labelled.choose_split(labelled.read_source(folder)[0], HELD_OUT)
    estimators: list[TempoEstimator] = [Estimator(checkpoint.resolve(in_use.SHIPPED))]
    if checkpoint.task_of(path) in REFERENCES:
        pools = Pooling.__dataclass_fields__["pool"].metadata["choices"]
        estimators += sorted(
            (ReferenceEstimator(path, DEFAULT_WINDOWS, pool) for pool in pools),
            key=lambda estimator: len(estimator.source),
        )
    else:
        estimators.append(Estimator(path))
    options = job.options
    asked = asking.AskingOptions(options.jobs, job.stop, options.time_limit)
    with job.progress_bar("comparing", len(estimators) * len(tracks), "track") as bar:
        answers = asking.ask_all(
            estimators, DEFAULT_WINDOWS, tracks, run, asked, lambda _: bar.update()
        )
    job.check_going_on("interrupted; run the same again to go on with the comparison")
    lines = list(text_tables.aligned(text_tables.table(figures_of(answers))))
    write_text(run / COMPARISON, "\n".join(lines) + "\n")
    failed = {a.path: AudioError(a.failure) for a in answers if a.failure}
    return lines, list(failed.items())
