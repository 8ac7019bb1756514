"""Loops: short files that hold a whole number of beats, so that they can be repeated.

Repeated, a loop fills a window, for which the network was trained, and its tempo is exact: number
of beats over duration. A file that was merely cut to some length must not be taken for a loop: each
repetition would break its pulse and suggest another one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from ...excerpts import Excerpt
from ...levels import OF_ONE_PULSE, is_level
from ...task import Results
from .course import TempoPoint
from .decode import Tempo

BEATS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # lengths of loops
# [beats] difference from such a length by the tempo that is heard in the file alone. Nine of ten
# loops of 1 to 8 s are within it; so are 3 of 100 random cuts, which repeat nearly as well.
HEARD_TOLERANCE = 0.05
PLACED = ("notes",)  # tasks that say where something is, and are not to hear it again and again
REPEATED_TOLERANCE = 0.02  # [beats] the same by the tempo that is heard in the repeated file


def n_beats(duration: float, bpm: float, tolerance: float = HEARD_TOLERANCE) -> int | None:
    """Number of beats of `bpm` in a file of `duration` [s]; None if it is not one of `BEATS`."""
    beats = duration * bpm / 60
    whole = round(beats)
    return whole if whole in BEATS and abs(beats - whole) <= tolerance else None


def as_loop(
    excerpt: Excerpt, alone: Results, sr: int, length: float, answer: Callable[[Excerpt], Results]
) -> Results:
    """Results for a file shorter than a window: those of the repeated file if it is a loop.

    It is a loop if its length is a whole number of beats, by the tempo of the file alone and by
    that of the repeated file, and if both tempi are of the same pulse, or repeating makes the
    answer surer.

    Parameters
    ----------
    excerpt
        The whole file.
    alone
        Results of all tasks for the file alone.
    sr
        Sample rate [Hz].
    length
        Duration of a window [s].
    answer
        Function that gives the results for other audio.
    """
    duration = excerpt.audio.size / sr
    before: Tempo = alone["tempo"]
    if n_beats(duration, before.bpm) is None:
        return alone
    # As often as it fits into a window, and a part of it to the end.
    audio = np.resize(excerpt.audio, round(length * sr))
    results = answer(Excerpt(audio, excerpt.start))
    if "tempo" not in results:  # it failed, as no task did before
        return alone
    repeated: Tempo = results["tempo"]
    beats = n_beats(duration, repeated.bpm, REPEATED_TOLERANCE)
    if beats is None:
        return alone
    same = is_level(repeated.bpm, before.bpm, OF_ONE_PULSE)
    if not same and repeated.confidence <= before.confidence:
        return alone
    placed = {name: alone[name] for name in PLACED if name in alone}
    bpm = 60 * beats / duration
    point = TempoPoint(round(excerpt.start, 2), round(bpm, 2), round(repeated.confidence, 4))
    tempo = dataclasses.replace(repeated, bpm=bpm, curve=(point,))
    return {**results, **placed, "tempo": tempo}
