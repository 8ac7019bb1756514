"""Range of tempi, and their rounding for tags.

A number outside of the range (-90, 0, 12398) counts as no tempo, wherever it is read.
"""

from __future__ import annotations

import math

SLOWEST_TEMPO, FASTEST_TEMPO = 20.0, 400.0  # [BPM]


def is_tempo(bpm: float | None) -> bool:
    """Whether a number [BPM] is a tempo; False for NaN and None."""
    return bpm is not None and SLOWEST_TEMPO <= bpm <= FASTEST_TEMPO


def round_half_up(tempo: float) -> int:
    """Tempo rounded to a whole number for a tag: 127.5 to 128 and 128.5 to 129.

    beets itself would round halves to even, mediafile would cut them off.
    """
    return math.floor(tempo + 0.5)
