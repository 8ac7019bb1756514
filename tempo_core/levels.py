"""Metrical levels: at what ratios two tempi count the same pulse, and when two are the same.

The same music is counted in halves and doubles, in triple metre in thirds, and where groups of
three and of two stand against each other at 2:3 and 3:4. Which of these are asked about depends on
the question, so the sets below are named after them.
"""

from __future__ import annotations

from collections.abc import Iterable

# Answers within 4 % count as the same tempo (Gouyon et al., "An experimental comparison of audio
# tempo induction algorithms", IEEE TASLP 2006, doi:10.1109/TSA.2005.858509).
TOLERANCE = 0.04

# "Accuracy 2" of the same paper: the levels at which an estimate still has found the pulse.
ACCURACY_2 = (1 / 3, 1 / 2, 1.0, 2.0, 3.0)
# One pulse, two levels of it apart at the most.
OF_ONE_PULSE = (1 / 4, 1 / 3, 1 / 2, 1.0, 2.0, 3.0, 4.0)
# The same with what groups by three instead of two, and the other way round.
HARMONICS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 1.0, 3 / 2, 2.0, 3.0, 4.0)
# Everything above, and three over four.
RELATIONS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 2.0, 3.0, 4.0)
# Tempi beside a track's own that one may be able to move to, the tempo itself among them.
RELATIVES = (1 / 3, 1 / 2, 2 / 3, 1.0, 3 / 2, 2.0, 3.0, 3 / 4, 4 / 3)
# How somebody else may have counted the same track.
COUNTED_ELSE = (1 / 3, 1 / 2, 2 / 3, 3 / 2, 2.0, 3.0)
# Levels other than the tempo itself, which may be paces although nobody says so.
OTHERS_OF_ONE_PULSE = (1 / 4, 1 / 3, 1 / 2, 2.0, 3.0, 4.0)
# Faster and slower by an octave.
OCTAVES = (1 / 2, 1.0, 2.0)


def is_same(bpm: float, other: float, tolerance: float = TOLERANCE) -> bool:
    """Whether two tempi [BPM] are the same, within a tolerance relative to the other."""
    return abs(bpm / other - 1) <= tolerance


def is_level(
    bpm: float, other: float, ratios: Iterable[float], tolerance: float = TOLERANCE
) -> bool:
    """Whether a tempo [BPM] is another one times one of the ratios, within a tolerance."""
    return any(is_same(bpm, ratio * other, tolerance) for ratio in ratios)
