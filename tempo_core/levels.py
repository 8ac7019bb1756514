"""Metrical levels: ratios of tempi that count the same music, and when two tempi are the same.

The same music can be counted at half and double its tempo, in triple metre at a third and triple,
and where groups of two and of three sound together at 2:3 and 3:4. Each question has its own set of
ratios, which is named after it.
"""

from __future__ import annotations

from collections.abc import Iterable

# Answers within 4 % count as the same tempo (Gouyon et al., "An experimental comparison of audio
# tempo induction algorithms", IEEE TASLP 2006, doi:10.1109/TSA.2005.858509).
TOLERANCE = 0.04

# "Accuracy 2" of the same paper: the levels at which an estimate still has found the pulse.
ACCURACY_2 = (1 / 3, 1 / 2, 1.0, 2.0, 3.0)
# Tempi of the same pulse, at most two metrical levels apart.
OF_ONE_PULSE = (1 / 4, 1 / 3, 1 / 2, 1.0, 2.0, 3.0, 4.0)
# Tempi of the same pulse, and those that group it by three instead of two or the reverse.
HARMONICS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 1.0, 3 / 2, 2.0, 3.0, 4.0)
# All of the above, and three against four.
RELATIONS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 2.0, 3.0, 4.0)
# Tempi that one may be able to move to, relative to the tempo of a track, 1 among them.
RELATIVES = (1 / 3, 1 / 2, 2 / 3, 1.0, 3 / 2, 2.0, 3.0, 3 / 4, 4 / 3)
# Other ways in which people may have counted the same track.
COUNTED_ELSE = (1 / 3, 1 / 2, 2 / 3, 3 / 2, 2.0, 3.0)
# Levels beside the tempo itself: they may be paces even if no label says so.
OTHERS_OF_ONE_PULSE = (1 / 4, 1 / 3, 1 / 2, 2.0, 3.0, 4.0)
# The tempo itself, and an octave below and above.
OCTAVES = (1 / 2, 1.0, 2.0)


def is_same(bpm: float, other: float, tolerance: float = TOLERANCE) -> bool:
    """Whether two tempi [BPM] are the same, within a tolerance relative to the other."""
    return abs(bpm / other - 1) <= tolerance


def is_level(
    bpm: float, other: float, ratios: Iterable[float], tolerance: float = TOLERANCE
) -> bool:
    """Whether a tempo [BPM] is another one times one of the ratios, within a tolerance."""
    return any(is_same(bpm, ratio * other, tolerance) for ratio in ratios)


def level_of(ratio: float, ratios: Iterable[float], tolerance: float = TOLERANCE) -> float | None:
    """The one of some ratios that a ratio of two tempi is, within a tolerance; None if none is."""
    return next((level for level in ratios if is_same(ratio, level, tolerance)), None)
