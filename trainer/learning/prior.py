"""The methods `shift` and `adapt`: learning how somebody counts from tens to hundreds of labels.

Every track is heard once, and several models are learned: one of all tracks, and one of all but
those of some artists for each fold, so that each track is answered by a model that knows nothing of
its artist. What is learned is in `prior_fitting`.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from tempo_core.background import parallel
from tempo_core.config import OddsScaling
from tempo_core.errors import ConfigError

from ..evaluation.calibration import calibrate_both
from ..evaluation.metrics import acc1
from .compare import SURE_BETTER, TwoAnswers
from .frozen import Listened, Model, answer, listen, scored_by
from .job import Job, Proposal, hear_all, refuse_nothing
from .labels import TempoLabels
from .prior_fitting import HasLabel, PriorRecipe, adapt, n_steps, shift, without_genres
from .tempo import CALIBRATE_FROM, CALIBRATE_ON, TempoModels, Trial, load_models, propose

L = TypeVar("L", bound=HasLabel)
N_FOLDS = 5


def learn(labels: TempoLabels, job: Job) -> Proposal:
    """Learn another prior by `shift` or `adapt`.

    Raises
    ------
    ConfigError
        If too little can be read.
    Stopped
        If the run was to stop.
    """
    models = load_models()
    other = models.current if models.current.hash != models.base.hash else None
    recordings = [track.recording() for track in labels.tracks]
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")
    heard, failed = hear_all(
        [r.path for r in recordings], lambda k: listen(recordings[k], models.base, other), job
    )
    refuse_nothing(len(heard), failed)
    own = [track for track in heard.values() if track.recording.split != "test"]
    test = [track for track in heard.values() if track.recording.split == "test"]
    groups = [track.recording.group for track in own]
    if len(set(groups)) < 2:
        raise ConfigError("the files that can be read are of one artist; see what failed")
    model, held_out = _learn_models(own, models, job)
    tracks, by = [*own, *test], [*held_out, *[model] * len(test)]
    after = [answer(track, one) for track, one in zip(tracks, by, strict=True)]
    chosen = [track.recording for track in tracks]
    notes = []
    if model.config.genres:
        plain = [without_genres(one) for one in by]
        without = [answer(track, one) for track, one in zip(tracks, plain, strict=True)]
        shares = TwoAnswers.of(chosen, without, after).shares(acc1)
        notes.append(f"by genre, where it is known: {shares}")
        if shares.p_better < SURE_BETTER:
            notes.append("what genres bring may be chance; they are left out")
            model, by, after = without_genres(model), plain, without
    n_folds = len(set(folds_of(groups, job.options.seed)))
    trial = Trial(
        model=model,
        calibrations=_calibrations(tracks, by, models.base),
        learned_from=[track.recording for track in own],
        answers=TwoAnswers.of(chosen, [track.before for track in tracks], after),
        how=f"each by a model that did not learn from its artist ({n_folds} folds)",
        method=job.method.name,
        failed=failed,
        notes=notes,
    )
    return propose(labels, models, job, trial)


def _learn_models(
    tracks: Sequence[Listened], models: TempoModels, job: Job
) -> tuple[Model, list[Model]]:
    """The model of all tracks, and for each track one of other artists, see `learn_held_out`."""
    options = job.options
    recipe = PriorRecipe(seed=options.seed, steps=options.epochs or PriorRecipe.steps)
    groups = [track.recording.group for track in tracks]
    n_models = 1 + len(set(folds_of(groups, options.seed)))
    replay = models.guard.part(replay=True)
    of_one = n_steps([track.recording.genre for track in tracks], recipe)
    with job.progress_bar("learning", n_models * of_one) as bar:

        def step() -> None:
            bar.update()
            job.check_going_on()

        def learn_from(some: Sequence[Listened]) -> Model:
            if job.method.name == "shift":
                bar.update(of_one)
                return shift(models.base, some)
            return adapt(models.base, some, replay, recipe, step)

        return learn_held_out(tracks, learn_from, job)


def _calibrations(
    tracks: Sequence[Listened], models: Sequence[Model], base: Model
) -> tuple[float, OddsScaling]:
    """The calibrations that fit tracks best, each by a model that did not learn from it."""
    if len(tracks) < CALIBRATE_FROM:
        return base.temperature, base.octave
    some = range(0, len(tracks), -(-len(tracks) // CALIBRATE_ON))
    scored = [scored_by(tracks[i], dataclasses.replace(models[i], temperature=1.0)) for i in some]
    return calibrate_both([tracks[i].recording for i in some], scored, base.config)


def folds_of(groups: Sequence[str], seed: int, n: int = N_FOLDS) -> list[int]:
    """A fold for each recording; groups stay together, folds get about as many recordings."""
    size: dict[str, int] = defaultdict(int)
    for group in groups:
        size[group] += 1
    names = sorted(size)
    np.random.default_rng(seed).shuffle(names)
    names.sort(key=lambda name: -size[name])  # stable: among equals as shuffled
    filled = [0] * min(n, len(names))
    fold = {}
    for name in names:
        fold[name] = int(np.argmin(filled))
        filled[fold[name]] += size[name]
    return [fold[group] for group in groups]


def learn_held_out(
    tracks: Sequence[L], learn_from: Callable[[Sequence[L]], Model], job: Job
) -> tuple[Model, list[Model]]:
    """The model that learned from all tracks, and for each track one that learned from others.

    Each of the latter knows no track of the same group. Models are learned side by side in threads,
    each on its own: threads inside of operations as small as these wait for each other most of the
    time, and for ever where other programs want the cores as well.

    Raises
    ------
    Stopped
        If the run was to stop.
    """
    fold = folds_of([t.recording.group for t in tracks], job.options.seed)
    parts = [
        [t for t, other in zip(tracks, fold, strict=True) if other != k]
        for k in range(max(fold) + 1)
    ]
    torch.set_num_threads(1)
    models: dict[int, Model] = {}
    tasks = list(enumerate([tracks, *parts]))
    for (k, _), result in parallel(
        lambda task: learn_from(task[1]), tasks, job.options.jobs, job.stop
    ):
        if isinstance(result, Exception):
            raise result
        models[k] = result
    job.check_going_on()
    return models[0], [models[1 + k] for k in fold]
