"""The method `fit`: learning the whole tempo network from thousands of labels.

It learns from the training split and chooses the best epoch on the validation split; the test split
is for the comparison. What is learned is in `network_fitting`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from tempo_core.config import OddsScaling
from tempo_core.engines import Threads
from tempo_core.errors import ConfigError
from tempo_core.task import ask
from tempo_core.tasks.tempo.row import TASK

from ..evaluation.calibration import calibrate_both
from ..inputs.cache import ViewRecipe
from ..inputs.hearing import hear_file
from ..inputs.recordings import Recording
from ..inputs.views import cache_views_on
from ..recipes.reading import fit_recipe
from ..recipes.recipe import FitRecipe
from ..trainingset.tables import CACHE, WINDOWS
from .frozen import Model
from .job import Failure, Job, Proposal, hear_all, refuse_nothing
from .labels import TempoLabels
from .network_fitting import Corpus, FitData, FitRun, finetune, run_folder
from .prior_fitting import adaptable
from .tempo import (
    CALIBRATE_FROM,
    CALIBRATE_ON,
    Trial,
    answers_of_both,
    load_models,
    propose,
)

RUNS = "runs"  # folder of checkpoints and logs, in that of the training set


def learn(labels: TempoLabels, job: Job) -> Proposal:
    """Learn the whole network.

    Raises
    ------
    ConfigError
        If a split is empty, or nothing in it can be read.
    Stopped
        If the run was to stop.
    Dismissed
        In all processes of the run but the first.
    """
    models, options, recipe = load_models(), job.options, _recipe(job)
    base = adaptable(models.base)
    check_splits(labels)
    train, validation, failed = _corpora(labels, base, job)
    torch.set_num_threads(options.jobs if options.devices == 1 else 1)
    data = FitData(train, validation, models.guard.part(replay=True))
    run = FitRun(
        labels.folder / RUNS, options.devices, options.accelerator, job.stop, options.quiet,
        job.processes,
    )  # fmt: skip
    network, history = finetune(base, data, recipe, run)
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")
    model = dataclasses.replace(base, network=network)
    answers, gone = answers_of_both(labels.of_split("test"), models.current, model, job)
    trial = Trial(
        model=model,
        calibrations=_calibrations(validation.recordings, model, job),
        learned_from=train.recordings,
        answers=answers,
        how="of artists it never heard",
        method="fit from scratch" if options.from_scratch else job.method.name,
        failed=[*failed, *gone],
        history=history,
    )
    proposal = propose(labels, models, job, trial)
    return dataclasses.replace(proposal, run=run_folder(base, data, recipe, run))


def check_splits(labels: TempoLabels, advice: str = ", or use --method adapt") -> None:
    """Refuse a training set of which a split is empty; `advice` ends the message.

    Raises
    ------
    ConfigError
        If a split is empty.
    """
    for split in ("train", "validation", "test"):
        if not labels.of_split(split):
            raise ConfigError(
                f"no recording is in the {split} split, which training a network needs; "
                f"add labels of more artists{advice}"
            )


def _recipe(job: Job) -> FitRecipe:
    """The recipe of the package or the one that was given, with what the options say."""
    options = job.options
    name = "tempo" if options.from_scratch else "fit"
    return fit_recipe(name, options.recipe, seed=options.seed, epochs=options.epochs)


def _corpora(labels: TempoLabels, base: Model, job: Job) -> tuple[Corpus, Corpus, list[Failure]]:
    """What to learn from, what to validate on, and the recordings that cannot be read any more.

    The views are in the cache then. Only the first process of a run reads recordings, and knows
    those that cannot be read.
    """
    failed: list[Failure] = []

    def fill() -> list[dict[str, str]]:
        """The cache file's name of each recording, by number, of either split."""
        names = []
        for recordings in splits:
            paths, gone = _cached(recordings, labels.folder, base, job)
            failed.extend(gone)
            refuse_nothing(len(paths), failed)
            names.append({str(k): path.name for k, path in paths.items()})
        return names

    splits = [labels.of_split(split) for split in ("train", "validation")]
    train, validation = (
        Corpus(
            [recordings[int(k)] for k in names],
            [labels.folder / CACHE / name for name in names.values()],
        )
        for recordings, names in zip(
            splits, job.processes.once("views", fill, job.stop), strict=True
        )
    )
    return train, validation, failed


def _cached(
    recordings: Sequence[Recording], folder: Path, base: Model, job: Job
) -> tuple[dict[int, Path], list[Failure]]:
    """Cache files of recordings, by number, and the recordings that cannot be read any more."""
    recipe = ViewRecipe(base.front_end, WINDOWS, base.config.grid)
    cache, options = folder / CACHE, job.options
    # In threads, which end at once, where there is no cluster: processes that are under way would
    # keep the exit waiting for them after Ctrl-C.
    engine = job.engine or Threads(options.jobs)
    made = cache_views_on(
        engine, recordings, recipe, cache, job.stop, options.time_limit, options.quiet
    )
    job.check_going_on("interrupted; what was computed is kept, and the next run goes on there")
    numbered = list(enumerate(made))
    broken = [(recordings[k].path, error) for k, error in numbered if isinstance(error, Exception)]
    return {k: path for k, path in numbered if isinstance(path, Path)}, broken


def _calibrations(
    recordings: Sequence[Recording], model: Model, job: Job
) -> tuple[float, OddsScaling]:
    """The calibrations that fit validation recordings best, or the model's if they are few."""
    chosen = list(recordings)[:CALIBRATE_ON]
    if len(chosen) < CALIBRATE_FROM:
        return model.temperature, model.octave
    plain = dataclasses.replace(model, temperature=1.0)
    scored, _ = hear_all(
        [r.path for r in chosen],
        lambda k: ask(TASK, hear_file(chosen[k].path, plain), {}, plain),
        job,
    )
    return calibrate_both([chosen[k] for k in scored], list(scored.values()), model.config)
