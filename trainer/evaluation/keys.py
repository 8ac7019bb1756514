"""How good estimated keys are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import mir_eval.key

from tempo_core.keys import PITCH_CLASSES, Key

RELATIONS = {1.0: "same", 0.5: "fifth", 0.3: "relative", 0.2: "parallel", 0.0: "other"}


@dataclass(frozen=True)
class KeyMetrics:
    """Figures of a set of estimates; all but `n` and `relations` in 0..1.

    `weighted` is the score of the MIREX contest (same 1, fifth .5, relative .3, parallel .2),
    `exact` the share of equal keys, `relations` how often each relation occurs.
    """

    n: int
    weighted: float
    exact: float
    relations: dict[str, int]


def key_score(reference: Key, estimate: Key | None) -> float:
    """The weighted score of one estimate, in 0..1; 0 where there is none."""
    if estimate is None:
        return 0.0
    return float(mir_eval.key.weighted_score(_named(reference), _named(estimate)))


def measure_keys(references: Sequence[Key], estimates: Sequence[Key | None]) -> KeyMetrics:
    """Figures of a set of estimates, one for each reference."""
    scores = [key_score(r, e) for r, e in zip(references, estimates, strict=True)]
    counts = Counter(RELATIONS[round(score, 1)] for score in scores)
    n = len(scores)
    return KeyMetrics(
        n,
        sum(scores) / n,
        counts["same"] / n,
        {name: counts[name] for name in RELATIONS.values()},
    )


def _named(key: Key) -> str:
    return f"{PITCH_CLASSES[key.pitch_class]} {'minor' if key.minor else 'major'}"
