"""Paces: the tempi that one can move to, beside the one that people count.

Which tempi are candidates, and how probable each is, the task `tasks/pace` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .levels import TOLERANCE

SLOWEST_PACE, FASTEST_PACE = 40.0, 320.0  # [BPM] outside nobody moves
SAME_PACE = TOLERANCE  # relative: two paces that are closer are one
COMPATIBLE = 0.5  # probability from which on a pace is as likely one as not
# Probability from which on a pace is offered. From one half on nearly every track has a half or a
# double: 95 % of unseen recordings have a pace up to 90 BPM. From here on it is 77 %, and a person
# found one in 79 % of songs; of 28 other paces that people name it costs one.
OFFERED = 0.9


@dataclass(frozen=True)
class Pace:
    """A tempo one can move to: `bpm` rounded to 0.1, `probability` in 0..1, rounded to 0.01.

    The digits are those that `format_paces` writes, so that text and value decide alike.
    """

    bpm: float
    probability: float


def format_paces(paces: Sequence[Pace]) -> str:
    """`128:0.97 64:0.71 256:0.08`."""
    return " ".join(f"{pace.bpm:g}:{pace.probability:.2f}" for pace in paces)


def parse_paces(text: str) -> tuple[Pace, ...]:
    """The inverse of `format_paces`, up to its rounding.

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
