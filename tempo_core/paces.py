"""Paces: the tempi that one can move to, of which the tempo that people count is one.

The task in `tasks/pace` finds the candidates of a track and their probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .levels import TOLERANCE, level_of

SLOWEST_PACE, FASTEST_PACE = 40.0, 320.0  # [BPM] people do not move slower or faster
SAME_PACE = TOLERANCE  # relative: two paces that are closer are one
COMPATIBLE = 0.5  # probability from which on a candidate is more likely a pace than not
# Probability from which on a pace is offered: the least at which four of five halves and doubles
# offered for unseen recordings are right by everything that labels can tell of them. It costs none
# of 28 other paces that people name. `benchmarks/pace_threshold.py` has the table.
OFFERED = 0.75
# Names of the ratios of a pace to the tempo that people count.
RATIO_NAMES = {
    1.0: "",
    0.5: "half time",
    2.0: "double time",
    1 / 3: "third time",
    3.0: "triple time",
}


@dataclass(frozen=True)
class Pace:
    """A tempo one can move to: `bpm` rounded to 0.1, `probability` in 0..1, rounded to 0.01.

    `format_paces` writes the same digits, so that decisions by text and by value agree.
    """

    bpm: float
    probability: float


def simple_ratio(ratio: float) -> float | None:
    """The ratio in `RATIO_NAMES` that is close to a ratio of two tempi; None if none is."""
    return level_of(ratio, RATIO_NAMES, SAME_PACE)


def format_paces(paces: Sequence[Pace]) -> str:
    """Paces as text: tempo [BPM] and probability of each, as `128:0.97 64:0.71 256:0.08`."""
    return " ".join(f"{pace.bpm:g}:{pace.probability:.2f}" for pace in paces)


def parse_paces(text: str) -> tuple[Pace, ...]:
    """Paces from text, the inverse of `format_paces` up to rounding.

    Raises
    ------
    ValueError
        If the text is of another form.
    """
    paces = []
    for word in text.split():
        bpm, _, probability = word.partition(":")
        paces.append(Pace(float(bpm), float(probability)))
    return tuple(paces)
