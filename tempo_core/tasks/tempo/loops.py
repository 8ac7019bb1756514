"""Loops: a short file that holds a whole number of beats can be played round and round.

Then it is as long as one likes, which the network is more at home with, and its tempo is exact: so
many beats in so many samples. A file that merely was cut to some length must not be taken for one,
as every repetition would break the pulse and pretend another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from ...excerpts import Excerpt
from ...levels import OF_ONE_PULSE, is_level
from ...task import Results
from .decode import Tempo

BEATS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # that loops are long
# How far the tempo heard in a file alone may be off such a number [beats]. Nine of ten loops of 1
# to 8 s are within it; so are 3 of 100 random cuts, and those fit together nearly as a loop does.
HEARD_TOLERANCE = 0.05
REPEATED_TOLERANCE = 0.02  # the same for a file that is repeated: only whole numbers fit in then


def n_beats(duration: float, bpm: float, tolerance: float = HEARD_TOLERANCE) -> int | None:
    """How many beats of `bpm` a file of `duration` [s] holds, None if that is no loop's number."""
    beats = duration * bpm / 60
    whole = round(beats)
    return whole if whole in BEATS and abs(beats - whole) <= tolerance else None


def as_loop(
    excerpt: Excerpt, alone: Results, sr: int, length: float, answer: Callable[[Excerpt], Results]
) -> Results:
    """The better results of a file shorter than a window, which may be a loop.

    It counts as one if it is a whole number of its beats long, as it is and when repeated, and if
    repeating it does not change the pulse, or makes the answer surer.

    Parameters
    ----------
    excerpt
        All of the file.
    alone
        The results of the file as it is.
    sr
        Sample rate [Hz].
    length
        Of a window [s].
    answer
        What gives the results of other audio.
    """
    duration = excerpt.audio.size / sr
    before: Tempo = alone["tempo"]
    if n_beats(duration, before.bpm) is None:
        return alone
    # As often as a window holds, and the rest of it.
    audio = np.resize(excerpt.audio, round(length * sr))
    results = answer(Excerpt(audio, excerpt.start))
    repeated: Tempo = results["tempo"]
    beats = n_beats(duration, repeated.bpm, REPEATED_TOLERANCE)
    if beats is None:
        return alone
    same = is_level(repeated.bpm, before.bpm, OF_ONE_PULSE)
    if not same and repeated.confidence <= before.confidence:
        return alone
    return {**results, "tempo": dataclasses.replace(repeated, bpm=60 * beats / duration)}
