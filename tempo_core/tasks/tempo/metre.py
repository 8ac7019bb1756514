"""Check whether the beat that the network found groups two quick notes where three make a beat.

In 12/8 three quick notes make a beat. Within one window groups of two can look as regular, and the
tempo comes out at 3/2 of what people count. Longer lags tell the two apart: music in twos is more
similar to itself after 1, 2, 4, 5, 7 and 8 of its beats than after 1½, 4½ or 7½.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .refine import Envelope

# Lags [beats]: multiples of the beat that are no multiples of 3/2 of it, and the reverse.
ON_BEAT = (1.0, 2.0, 4.0, 5.0, 7.0, 8.0)
OFF_BEAT = (1.5, 4.5, 7.5)
# How much higher the autocorrelation must be off the beat than on it, as difference and as ratio.
# At the tempo that people count, 3 of 445 recordings pass both thresholds; at 3/2 of it, 440 do.
OFF_BEAT_MARGIN = 0.02
OFF_BEAT_RATIO = 1.15
COMPOUND = 2 / 3  # ratio of the tempo people count to one that groups three quick notes by two


def is_compound(envelopes: Sequence[Envelope], bpm: float, fps: float) -> bool:
    """Whether people count 3/2 of a beat of `bpm` as the beat, so that the tempo is ⅔ of it.

    Only envelopes of at least 16 beats are used; if there are none the answer is False.
    """
    beat = 60.0 * fps / bpm  # [frames]
    n_lags = math.ceil(max(*ON_BEAT, *OFF_BEAT) * beat) + 2
    usable = [e.values for e in envelopes if e.values.shape[1] >= 2 * n_lags]
    if not usable:
        return False
    acf = np.average(
        [_autocorrelation(values, n_lags) for values in usable],
        axis=0,
        weights=[values.shape[1] for values in usable],
    )

    def mean_at(lags: Sequence[float]) -> float:
        places = [round(k * beat) for k in lags]
        return float(np.mean([acf[place - 1 : place + 2].max() for place in places]))

    on, off = mean_at(ON_BEAT), mean_at(OFF_BEAT)
    return off - on > OFF_BEAT_MARGIN and off > OFF_BEAT_RATIO * on


def _autocorrelation(values: NDArray[np.float64], n_lags: int) -> NDArray[np.float64]:
    """(n_lags,) mean unbiased autocorrelation of values (n_groups, n_frames).

    That of each group is normalised to 1 at lag 0.
    """
    n_frames = values.shape[1]
    size = 2 ** math.ceil(math.log2(2 * n_frames))
    acf = np.fft.irfft(np.square(np.abs(np.fft.rfft(values, size))), size)[:, :n_lags]
    acf = acf / np.maximum(acf[:, :1], 1e-12) * (n_frames / (n_frames - np.arange(n_lags)))
    return np.asarray(acf.mean(axis=0))
