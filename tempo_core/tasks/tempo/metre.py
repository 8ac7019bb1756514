"""Two or three? Whether the beat that the network found groups the pulse wrongly.

In 12/8, three quick notes make a beat. Within one window two of them can look as regular as three,
and the tempo comes out at 3/2 of what people count. What tells them apart is further away: music in
twos repeats itself after 1, 2, 4, 5, 7 and 8 of its beats better than after 1½, 4½ or 7½.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .refine import Envelope

# Lags [beats]: multiples of the beat, but not of 3/2 of it; and the other way round.
ON_BEAT = (1.0, 2.0, 4.0, 5.0, 7.0, 8.0)
OFF_BEAT = (1.5, 4.5, 7.5)
# How much more the music must repeat off the beat than on it, absolutely (as a correlation) and
# relatively. Of 445 recordings at the tempo people count 3 pass both, at 3/2 of it 440 do.
OFF_BEAT_MARGIN = 0.02
OFF_BEAT_RATIO = 1.15
COMPOUND = 2 / 3  # of a tempo that groups three by twos is the one people count


def is_compound(envelopes: Sequence[Envelope], bpm: float, fps: float) -> bool:
    """Whether three halves of a beat of `bpm` are the beat, so that ⅔ of it is the tempo.

    Pieces shorter than 16 beats say nothing; without a longer one the answer is no.
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
    """Unbiased autocorrelation (n_lags,), each group normalised to 1 at lag 0, mean over groups."""
    n_frames = values.shape[1]
    size = 2 ** math.ceil(math.log2(2 * n_frames))
    acf = np.fft.irfft(np.square(np.abs(np.fft.rfft(values, size))), size)[:, :n_lags]
    acf = acf / np.maximum(acf[:, :1], 1e-12) * (n_frames / (n_frames - np.arange(n_lags)))
    return np.asarray(acf.mean(axis=0))
