"""Is a new model better, and has it unlearned anything? Both are asked before one is installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from tempo_core import in_use
from tempo_core.errors import ConfigError
from tempo_core.model import Checkpoint
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.decode import activate, highest

from ..evaluation.metrics import acc1, acc2, signed
from ..inputs.hearing import in_parts
from ..inputs.recordings import Recording
from .guard import Guard

SURE = 0.9  # probability of being better from which on a model is
ALLOWED = 0.01  # loss of the guard set's rate that is still none
N_DRAWS = 4000


@dataclass(frozen=True)
class Pair:
    """One share in 0..1 before and after, over `n` recordings.

    `interval` is that of the difference (95 %), `p_better` the probability that it is above 0; both
    by bootstrap over whole groups (artists).
    """

    n: int
    before: float
    after: float
    interval: tuple[float, float]
    p_better: float

    def __str__(self) -> str:
        low, high = (signed(x) for x in self.interval)
        return f"{100 * self.before:.1f} → {100 * self.after:.1f} % of {self.n} ({low} to {high})"


def paired(before: ArrayLike, after: ArrayLike, groups: Sequence[str], seed: int = 0) -> Pair:
    """Compare two models by what each got right on the same recordings.

    Parameters
    ----------
    before, after
        (n,) 1 where right, 0 where wrong.
    groups
        Of each recording; whole groups are drawn (cluster bootstrap, see
        `evaluate.bootstrap_interval`).

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
    return Pair(
        n=int(old.size),
        before=float(old.mean()),
        after=float(new.mean()),
        interval=(float(low), float(high)),
        p_better=float((differences > 0).mean()),
    )


@dataclass(frozen=True)
class Errors:
    """How far off a model is [BPM]: mean, and the share within 10."""

    mean: float
    within_10: float


def errors(recordings: Sequence[Recording], bpm: Sequence[float]) -> Errors:
    """Of answers in order of the recordings."""
    off = np.abs(np.array([r.bpm for r in recordings]) - np.asarray(bpm, float))
    return Errors(float(off.mean()), float((off <= 10).mean()))


@dataclass(frozen=True)
class Guarded:
    """What became of music that is not the user's: `rate` is Accuracy 2, `octave` Accuracy 1."""

    name: str
    rate: Pair
    octave: Pair

    @property
    def kept(self) -> bool:
        """Whether the rate is as good as it was, give or take a point."""
        return self.rate.after >= self.rate.before - ALLOWED - 1e-9


def on_guard(
    guard: Guard, before: Checkpoint[TempoConfig], after: Checkpoint[TempoConfig]
) -> Guarded:
    """Both models on the guard set."""
    old, new = guard_answers(guard, before), guard_answers(guard, after)
    clips = [str(i) for i in range(len(guard))]
    return compare_answers("guard set", guard.bpm, old, new, clips)


def guard_answers(guard: Guard, model: Checkpoint[TempoConfig]) -> list[float]:
    """A model's tempo of each window of a guard set [BPM]."""
    logits = np.concatenate([model.network(*some) for some in in_parts(*guard.inputs())])
    scores = activate(logits, model.config, model.temperature)
    return [highest(row, model.config.grid).bpm for row in scores]


def compare_answers(
    name: str,
    reference: Sequence[float],
    before: Sequence[float],
    after: Sequence[float],
    groups: Sequence[str],
) -> Guarded:
    """Two models' tempi of the same recordings [BPM]."""
    pairs = [
        paired(
            [right([r], [b]) for r, b in zip(reference, before, strict=True)],
            [right([r], [b]) for r, b in zip(reference, after, strict=True)],
            groups,
        )
        for right in (acc2, acc1)
    ]
    return Guarded(name, *pairs)


@dataclass(frozen=True)
class Verdict:
    """All that decides whether a model is installed."""

    own: Pair  # Accuracy 1 on the user's tracks
    errors_before: Errors
    errors_after: Errors
    guards: tuple[Guarded, ...]

    @property
    def better(self) -> bool:
        """Whether it is better for the user."""
        return self.own.after > self.own.before and self.own.p_better >= SURE

    @property
    def installable(self) -> bool:
        """Whether it is better for the user, and nothing was unlearned."""
        return self.better and all(guard.kept for guard in self.guards)

    def reason(self) -> str:
        """Why, in one sentence."""
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


def never() -> bool:
    """Nobody wants to stop."""
    return False


def check_use(install: bool, install_anyway: bool) -> None:
    """Refuse two wishes that contradict each other.

    Raises
    ------
    ConfigError
        If a model is to be used in no case and in any case.
    """
    if install_anyway and not install:
        raise ConfigError("no install and install anyway contradict each other; leave one out")


def outcome(used: bool, better: bool, wanted: bool, reason: str, path: Path) -> str:
    """What became of a model that was learned, and why, as one line.

    Parameters
    ----------
    used, wanted
        Whether it is in use now, and whether it was to be.
    better
        Whether what `reason` says speaks for it.
    """
    if used:
        return (
            f"installed: {reason}"
            if better
            else f"installed because you said so, although {reason}"
        )
    if not wanted:
        return f"not installed, as you said: {reason}"
    name = path.stem if path.parent == in_use.folder() else path
    return (
        f"not installed: {reason}. The model is kept; `tempo-core models use {name}` uses it all "
        "the same"
    )
