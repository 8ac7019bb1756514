"""Loops: a short file that holds a whole number of beats can be played round and round.

Then it is as long as one likes, which the network is more at home with, and its tempo is exact: so
many beats in so many samples. A file that merely was cut to some length must not be taken for one,
as every repetition would break the pulse and pretend another.
"""

from __future__ import annotations

import numpy as np

BEATS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # that loops are long
# How far the tempo heard in a file alone may be off such a number [beats]. Nine of ten loops of 1
# to 8 s are within it; so are 3 of 100 random cuts, and those fit together nearly as a loop does.
CLOSE = 0.05
EXACT = 0.02  # the same for a file that is repeated: only whole numbers fit in then
# The same pulse at another metrical level.
LEVELS = (1 / 4, 1 / 3, 1 / 2, 1.0, 2.0, 3.0, 4.0)


def n_beats(duration: float, bpm: float, tolerance: float = CLOSE) -> int | None:
    """How many beats of `bpm` a file of `duration` [s] holds, None if that is no loop's number."""
    beats = duration * bpm / 60
    whole = round(beats)
    return whole if whole in BEATS and abs(beats - whole) <= tolerance else None


def same_pulse(bpm: float, other: float, tolerance: float) -> bool:
    """Whether two tempi are metrical levels of one pulse, within a relative tolerance."""
    return any(abs(bpm / (level * other) - 1) <= tolerance for level in LEVELS)


def repeat(audio: np.ndarray, n_samples: int) -> np.ndarray:
    """`audio` (n,) round and round, (n_samples,)."""
    return np.resize(audio, n_samples)
