"""Paces: the tempi that one can move to, beside the one that people count.

Candidates are the tempo's metrical relatives and the peaks of the tempogram. How probable each is,
a network of its own says (`pace_model.py`, `tasks/pace.py`), from the music folded at that tempo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from .config import TempoGrid

# Metrical relatives of a tempo. The last two are heard in music that groups by three over four.
RATIOS = (1 / 3, 1 / 2, 2 / 3, 1.0, 3 / 2, 2.0, 3.0, 3 / 4, 4 / 3)
SLOWEST, FASTEST = 40.0, 320.0  # [BPM] outside nobody moves
SAME = 0.04  # candidates closer than this are one
MAX_BPM_ERROR = 0.02  # relative: a candidate further off is not meant as that tempo
COMPATIBLE = 0.5  # probability from which on a pace is as likely one as not
# Probability from which on a pace is offered. From one half on nearly every track has a half or a
# double: 95 % of unseen recordings have a pace up to 90 BPM. From here on it is 77 %, and a person
# found one in 79 % of songs; of 28 other paces that people name it costs one.
OFFERED = 0.9
MAX_PEAKS = 4  # of the tempogram, beside the relatives


@dataclass(frozen=True)
class Pace:
    """A tempo one can move to: `bpm` rounded to 0.1, `probability` in 0..1, rounded to 0.01.

    The digits are those that `format_paces` writes, so that text and value decide alike.
    """

    bpm: float
    probability: float


def candidates(bpm: float, pulse: Tensor, grid: TempoGrid) -> list[float]:
    """Tempi to judge [BPM]: `bpm` first, its relatives, then peaks of the tempogram.

    Parameters
    ----------
    pulse
        (n_bins,) strength of the pulse at each tempo of the grid, see `pulse_strength`.
    """
    strength = pulse.tolist()
    peaks = [
        k for k in range(1, grid.n_bins - 1)
        if strength[k] > 0 and strength[k - 1] < strength[k] >= strength[k + 1]
    ]  # fmt: skip
    peaks.sort(key=lambda k: -strength[k])
    tempi = [bpm, *(bpm * ratio for ratio in RATIOS if ratio != 1.0)]
    for k in peaks[:MAX_PEAKS]:
        # A parabola through the peak: a fold at a whole bin, 2 % apart, would drift.
        left, mid, right = strength[k - 1 : k + 2]
        offset = 0.5 * (left - right) / (left - 2 * mid + right)
        tempi.append(grid.bpm_min * 2.0 ** ((k + offset) / grid.bins_per_octave))
    chosen: list[float] = []
    for tempo in tempi:
        inside = SLOWEST <= tempo <= FASTEST or not chosen  # the headline is always a candidate
        if inside and all(abs(tempo / other - 1) > SAME for other in chosen):
            chosen.append(tempo)
    return chosen


def pulse_strength(pulse: Tensor) -> Tensor:
    """Averaged periodicity map (N_MAPS, n_bins) → (n_bins,) strength, strongest 1.

    The geometric mean of autocorrelation and Fourier magnitude: neither sub-harmonics, which only
    the first shows, nor harmonics, which only the second shows, count as a pulse.
    """
    strength = (pulse[0].clamp_min(0) * pulse[1]).sqrt()
    return strength / strength.max().clamp_min(1e-9)


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
