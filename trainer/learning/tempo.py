"""What the methods for the tempo share: models to begin with, and the comparison at the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tempo_core import checkpoint, in_use
from tempo_core.config import OddsScaling
from tempo_core.errors import ConfigError

from ..evaluation.history import Row, pack
from ..inputs.hearing import tempo_of
from ..inputs.recordings import Recording, digest_of
from ..trainingset import memory
from ..trainingset.tables import read_collection
from . import compare
from . import guard as guards
from .compare import ComparisonVerdict, Guarded, TwoAnswers
from .frozen import Model, hear_both
from .guard import Guard
from .job import Failure, Job, Proposal, hear_all, refuse_nothing
from .labels import TempoLabels

CALIBRATE_FROM = 50  # recordings; from fewer the calibrations stay as they were
CALIBRATE_ON = 400  # recordings at most: more change nothing


@dataclass(frozen=True)
class TempoModels:
    """The shipped model, from which all methods learn, the model in use, and the guard set."""

    base: Model
    current: Model
    guard: Guard


def load_models() -> TempoModels:
    """Load the models and the guard set.

    Raises
    ------
    CheckpointError
        If one of them is damaged.
    """
    base = checkpoint.load(checkpoint.resolve(in_use.SHIPPED))
    current = checkpoint.load(checkpoint.resolve("default"))
    return TempoModels(base, current, guards.load(base))


@dataclass(frozen=True)
class Trial:
    """A learned model, and its answers for recordings that it did not learn from.

    Attributes
    ----------
    model
        With the calibrations that it began with.
    calibrations
        The temperature and the scaling of the octave confidence to use it with.
    answers
        Tempi by the model in use and by the learned one.
    how
        How it was made sure that a recording was not learned from.
    method
        The name of the method, for the card and for people.
    notes
        Lines for people about what was learned.
    """

    model: Model
    calibrations: tuple[float, OddsScaling]
    learned_from: Sequence[Recording]
    answers: TwoAnswers
    how: str
    method: str
    failed: Sequence[Failure]
    history: Sequence[Row] = ()
    notes: Sequence[str] = ()


def answers_of_both(
    recordings: Sequence[Recording], current: Model, model: Model, job: Job
) -> tuple[TwoAnswers, list[Failure]]:
    """Listen to recordings with the model in use and with a learned one.

    Raises
    ------
    ConfigError
        If none of them can be used.
    Stopped
        If the run was to stop.
    """

    def both(k: int) -> tuple[float, float]:
        before, after = hear_both(recordings[k], current, model)
        return tempo_of(before, current).bpm, tempo_of(after, model).bpm

    heard, failed = hear_all([r.path for r in recordings], both, job)
    refuse_nothing(len(heard), failed)
    before, after = zip(*heard.values(), strict=True)
    return TwoAnswers.of([recordings[k] for k in heard], before, after), failed


def propose(labels: TempoLabels, models: TempoModels, job: Job, trial: Trial) -> Proposal:
    """Compare a learned model with the one in use, and write its card.

    Raises
    ------
    ConfigError
        If there is nothing to compare on.
    Stopped
        If the run was to stop.
    """
    guarded = [compare.on_guard(models.guard.part(replay=False), models.current, trial.model)]
    failed = list(trial.failed)
    if job.options.guard is not None:
        own_guard, gone = _on_own_guard(job.options.guard, labels, models, job, trial.model)
        guarded.append(own_guard)
        failed += gone
    verdict = compare.compare_models(trial.answers, guarded)
    n_labels = len(trial.learned_from)
    temperature, octave = trial.calibrations
    card = _card(labels, models, trial, verdict, job.options.seed)
    return Proposal(
        model=dataclasses.replace(
            trial.model, temperature=temperature, octave=octave, card=dict(card)
        ),
        learned=f"learned ({trial.method}) from {n_labels} labels",
        comparison=(*trial.notes, *verdict.lines(trial.how)),
        installable=verdict.installable,
        reason=verdict.reason(),
        failed=tuple(failed),
        gain=str(verdict.own),
    )


def _on_own_guard(
    folder: Path, labels: TempoLabels, models: TempoModels, job: Job, model: Model
) -> tuple[Guarded, list[Failure]]:
    """Both models on the user's own guard set, without the recordings that are learned from."""
    known = {track.path for track in labels.for_training}
    recordings = [t.recording() for t in read_collection(folder) if t.path not in known]
    if not recordings:
        raise ConfigError(f"{folder}: no recording in it that is not learned from")
    answers, failed = answers_of_both(recordings, models.current, model, job)
    return compare.compare_answers(folder.name, answers), failed


def _card(
    labels: TempoLabels,
    models: TempoModels,
    trial: Trial,
    verdict: ComparisonVerdict,
    seed: int,
) -> Mapping[str, Any]:
    base, n_labels = models.base, len(trial.learned_from)
    return {
        "summary": f"{trial.method} of {base.name}-{base.hash}, {n_labels} labels, seed {seed}",
        "base": base.source,
        "method": trial.method,
        "n_labels": n_labels,
        "data_digest": digest_of(trial.learned_from),
        "seed": seed,
        "figures": dataclasses.asdict(verdict),
        # With what the best epoch and the temperature were chosen by.
        memory.CARD_KEY: memory.pack(memory.remember(labels.for_training)),
        **({"history": pack(list(trial.history))} if trial.history else {}),
        "compared_with": models.current.source,
        "versions": {"torch": str(torch.__version__), "numpy": np.__version__},
    }
