"""The comparison of a learned model with the one in use, which decides whether it is installed.

It has to be better on the user's own recordings, and must not have unlearned other music.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tempo_core.errors import ConfigError
from tempo_core.model import Checkpoint
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.decode import activate, highest

from ..evaluation.metrics import acc1, acc2, signed
from ..inputs.hearing import in_parts
from ..inputs.recordings import Recording
from .guard import Guard

SURE_BETTER = 0.9  # probability of being better from which on a model counts as better
ALLOWED_LOSS = 0.01  # of the guard set's rate, which a model may lose and be installed
N_DRAWS = 4000  # of the bootstrap


@dataclass(frozen=True)
class PairedShare:
    """A share in 0..1 of the same `n` recordings, with a model before and one after.

    `interval` is the 95 % interval of the difference, `p_better` the probability that it is above
    0; both are found by bootstrap over whole groups (artists).
    """

    n: int
    before: float
    after: float
    interval: tuple[float, float]
    p_better: float

    def __str__(self) -> str:
        low, high = (signed(x) for x in self.interval)
        return f"{100 * self.before:.1f} → {100 * self.after:.1f} % of {self.n} ({low} to {high})"


def paired(
    before: ArrayLike, after: ArrayLike, groups: Sequence[str], seed: int = 0
) -> PairedShare:
    """Compare two models by what each got right on the same recordings.

    Parameters
    ----------
    before, after
        (n,) 1 where the model is right, 0 where it is wrong.
    groups
        The group of each recording; whole groups are drawn (cluster bootstrap, see
        `trainer.evaluation.metrics.bootstrap_interval`).

    Raises
    ------
    ConfigError
        If there is nothing to compare on.
    """
    old, new = np.asarray(before, float), np.asarray(after, float)
    if not old.size or not (old.shape == new.shape == (len(groups),)):
        raise ConfigError(f"{old.size} and {new.size} results of {len(groups)}: nothing to compare")
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    counts = np.bincount(index)
    gains = np.bincount(index, weights=new - old)
    drawn = np.random.default_rng(seed).integers(0, names.size, size=(N_DRAWS, names.size))
    differences = gains[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(differences, [2.5, 97.5])
    return PairedShare(
        n=int(old.size),
        before=float(old.mean()),
        after=float(new.mean()),
        interval=(float(low), float(high)),
        p_better=float((differences > 0).mean()),
    )


@dataclass(frozen=True)
class TwoAnswers:
    """Tempi [BPM] of the same recordings: their labels, and what a model before and after found.

    `groups` are those of the recordings, for `paired`.
    """

    reference: Sequence[float]
    before: Sequence[float]
    after: Sequence[float]
    groups: Sequence[str]

    @staticmethod
    def of(
        recordings: Sequence[Recording], before: Sequence[float], after: Sequence[float]
    ) -> TwoAnswers:
        """Answers in the order of the recordings, with their labels and groups."""
        return TwoAnswers([r.bpm for r in recordings], before, after, [r.group for r in recordings])

    def shares(self, right: Callable[[list[float], list[float]], float]) -> PairedShare:
        """The share of right answers of each model, by a metric that gives one answer 0 or 1."""
        before, after = (
            [right([r], [bpm]) for r, bpm in zip(self.reference, found, strict=True)]
            for found in (self.before, self.after)
        )
        return paired(before, after, self.groups)


@dataclass(frozen=True)
class Errors:
    """Absolute errors of a model: their mean [BPM], and the share of them within 10 BPM."""

    mean: float
    within_10: float


def errors(reference: Sequence[float], bpm: Sequence[float]) -> Errors:
    """The errors of tempi [BPM] against those of the labels [BPM]."""
    off = np.abs(np.asarray(reference, float) - np.asarray(bpm, float))
    return Errors(float(off.mean()), float((off <= 10).mean()))


@dataclass(frozen=True)
class Guarded:
    """Two models on music that is not the user's: `rate` is Accuracy 2, `octave` Accuracy 1."""

    name: str
    rate: PairedShare
    octave: PairedShare

    @property
    def kept(self) -> bool:
        """Whether the rate is as good as it was, but for `ALLOWED_LOSS`."""
        return self.rate.after >= self.rate.before - ALLOWED_LOSS - 1e-9


def on_guard(
    guard: Guard, before: Checkpoint[TempoConfig], after: Checkpoint[TempoConfig]
) -> Guarded:
    """Both models on the guard set in the package."""
    old, new = guard_answers(guard, before), guard_answers(guard, after)
    clips = [str(i) for i in range(len(guard))]
    return compare_answers("guard set", TwoAnswers(guard.bpm, old, new, clips))


def guard_answers(guard: Guard, model: Checkpoint[TempoConfig]) -> list[float]:
    """A model's tempo of each window of a guard set [BPM]."""
    logits = np.concatenate([model.network(*some) for some in in_parts(*guard.inputs())])
    scores = activate(logits, model.config, model.temperature)
    return [highest(row, model.config.grid).bpm for row in scores]


def compare_answers(name: str, answers: TwoAnswers) -> Guarded:
    """Two models' tempi of a guard set under its name."""
    return Guarded(name, *(answers.shares(right) for right in (acc2, acc1)))


@dataclass(frozen=True)
class ComparisonVerdict:
    """The figures that decide whether a learned model is installed."""

    own: PairedShare  # Accuracy 1 on the user's tracks
    errors_before: Errors
    errors_after: Errors
    guards: tuple[Guarded, ...]

    @property
    def better(self) -> bool:
        """Whether the learned model is better on the user's recordings, and not by chance."""
        return self.own.after > self.own.before and self.own.p_better >= SURE_BETTER

    @property
    def installable(self) -> bool:
        """Whether the learned model is better for the user, and has unlearned nothing."""
        return self.better and all(guard.kept for guard in self.guards)

    def reason(self) -> str:
        """Why it is to be installed, or not, in one sentence."""
        sure = f"probability of being better {self.own.p_better:.2f}"
        if self.own.after < self.own.before:
            return "it is worse than the current model on your own tracks"
        if self.own.after == self.own.before:
            return "it is no better than the current model on your own tracks"
        if not self.better:
            return f"it may be better on your own tracks, but that may be chance ({sure})"
        lost = [guard for guard in self.guards if not guard.kept]
        if lost:
            rate = lost[0].rate
            return (
                f"it is better on your own tracks, but finds the rate of other music less often "
                f"({lost[0].name}: {100 * rate.before:.1f} → {100 * rate.after:.1f} %)"
            )
        return f"it is better on your own tracks ({sure}) and has unlearned nothing"

    def lines(self, how: str) -> tuple[str, ...]:
        """Figures before and after for people; `how` says how the own tracks were held out."""
        before, after = self.errors_before, self.errors_after
        return (
            f"right on your own tracks, {how}: {self.own}",
            f"mean error {before.mean:.1f} → {after.mean:.1f} BPM, within 10 BPM "
            f"{100 * before.within_10:.1f} → {100 * after.within_10:.1f} %",
            *(
                f"other music ({guard.name}): rate {100 * guard.rate.before:.1f} → "
                f"{100 * guard.rate.after:.1f} %, counted alike {100 * guard.octave.before:.1f} → "
                f"{100 * guard.octave.after:.1f} % of {guard.rate.n}"
                for guard in self.guards
            ),
        )


def compare_models(own: TwoAnswers, guards: Sequence[Guarded]) -> ComparisonVerdict:
    """The verdict on answers for the user's own recordings, and on guard sets."""
    return ComparisonVerdict(
        own=own.shares(acc1),
        errors_before=errors(own.reference, own.before),
        errors_after=errors(own.reference, own.after),
        guards=tuple(guards),
    )
