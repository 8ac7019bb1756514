"""Energy: how much a track drives, as far as tempo and loudness say, and how it goes in a set.

There is no measure of it that all agree on. Here a faster track has more, and of two tracks at the
same tempo the louder one: 1 dB counts as much as 3 % of tempo, so that in a style of music, where
tempi differ by some per cent and loudness by some decibels, both take part. What a track sounds
like beyond that is not heard.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SPEED_OF_LOUDNESS = 3.0  # [%] of tempo that count as much as 1 dB
# Share of the tracks below 0 and above 10. A few extreme ones do not stretch the scale.
OUTSIDE = 0.05
HIGHEST = 10.0


def energies(tempi: Sequence[float], loudness: Sequence[float | None]) -> Array:
    """Energy of each track from 0 to 10, relative to the others.

    Parameters
    ----------
    tempi
        Tempo of each track [BPM], above 0.
    loudness
        Loudness of each [dB] against a common reference; None if it is unknown. It is then taken to
        be the median of the others.

    Returns
    -------
    ndarray
        5 for all if they do not differ.
    """
    speed = 100 * np.log(np.asarray(tempi, np.float64))
    level = np.array([math.nan if one is None else one for one in loudness], np.float64)
    known = level[~np.isnan(level)]
    middle = float(np.median(known)) if known.size else 0.0
    drive = speed + SPEED_OF_LOUDNESS * np.where(np.isnan(level), 0.0, level - middle)
    if not drive.size:
        return drive
    low, high = np.quantile(drive, [OUTSIDE, 1 - OUTSIDE])
    if high - low < 1e-9:
        return np.full(len(drive), HIGHEST / 2)
    return np.asarray(np.clip((drive - low) / (high - low), 0, 1) * HIGHEST)


def course(curve: str, n: int, start: float | None = None) -> Array:
    """Energy that each of `n` tracks in a row should have, from 0 to 10.

    Parameters
    ----------
    curve
        One of `CURVES`. `up` and `down` go from the energy of the first track to the highest or
        lowest; `wave` goes twice up and back, or, from a first track in the upper half, twice down
        and back; `flat` stays.
    start
        Energy of the first track; None if it can be chosen: the lowest for `up` and `wave`, the
        highest for `down`, 5 for `flat`.
    """
    place = np.linspace(0, 1, n) if n > 1 else np.zeros(n)
    if curve == "flat":
        return np.full(n, HIGHEST / 2 if start is None else start)
    if curve == "wave":
        begin = 0.0 if start is None else start
        end = HIGHEST if begin <= HIGHEST / 2 else 0.0
        place = (1 - np.cos(4 * np.pi * place)) / 2
    else:
        begin, end = (0.0, HIGHEST) if curve == "up" else (HIGHEST, 0.0)
        begin = begin if start is None else start
    return np.asarray(begin + (end - begin) * place)
