"""Paces: the tempi that one can move to, beside the one that people count.

Candidates are the tempo's metrical relatives and the peaks of the tempogram. How probable each is
follows from what the network would also accept as the tempo (its posterior), from how strongly the
sound pulses at that rate (the tempogram), and from how far the rate is from that of human movement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from .config import TempoGrid
    from .estimate import Estimate

RATIOS = (1 / 3, 1 / 2, 2 / 3, 1.0, 3 / 2, 2.0, 3.0)
SLOWEST, FASTEST = 40.0, 320.0  # [BPM] outside nobody moves
SAME = 0.04  # candidates closer than this are one
COMPATIBLE = 0.5  # probability from which on a pace is offered
MOVEMENT = 110.0  # [BPM] the middle of walking, dancing and running
MAX_PEAKS = 4  # of the tempogram, beside the relatives
# Logistic regression on the training songs (trainer/fit_paces.py): their tempo and published or
# plausible alternatives against other candidates, without half and double that nobody published.
INTERCEPT, POSTERIOR, PULSE, DISTANCE = 0.77, 1.50, 12.15, -0.87


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
    tempi += [grid.bpm_min * 2.0 ** (k / grid.bins_per_octave) for k in peaks[:MAX_PEAKS]]
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


def estimate_paces(
    bpm: float, posterior: Tensor, pulse: Tensor, grid: TempoGrid
) -> tuple[Pace, ...]:
    """Candidates of a track with their probability, most probable first.

    Parameters
    ----------
    bpm
        The refined tempo.
    posterior
        (n_bins,) the track's tempo posterior.
    pulse
        (N_MAPS, n_bins) its periodicity map, averaged over bands and windows.
    """
    strength = pulse_strength(pulse)
    paces = []
    for tempo in candidates(bpm, strength, grid):
        x = evidence(tempo, posterior, strength, grid)
        logit = INTERCEPT + POSTERIOR * x[0] + PULSE * x[1] + DISTANCE * x[2]
        paces.append(Pace(round(tempo, 1), round(1 / (1 + math.exp(-logit)), 2)))
    return tuple(sorted(paces, key=lambda pace: -pace.probability))


def evidence(
    tempo: float, posterior: Tensor, strength: Tensor, grid: TempoGrid
) -> tuple[float, float, float]:
    """What speaks for moving at `tempo`: log posterior mass, pulse strength, distance in octaves
    from `MOVEMENT`."""
    k = grid.bins_per_octave * math.log2(tempo / grid.bpm_min)
    near = range(max(0, math.ceil(k - 2)), min(grid.n_bins, math.floor(k + 2) + 1))
    mass = sum(float(posterior[i]) for i in near)
    pulse = max((float(strength[i]) for i in near if abs(i - k) <= 1), default=0.0)
    return math.log(mass + 1e-3), pulse, abs(math.log2(tempo / MOVEMENT))


def pace_at(estimate: Estimate, ratio: float) -> float | None:
    """`ratio` times the estimate's tempo, two decimals, if that is a compatible pace, else None."""
    tempo = estimate.bpm * ratio
    for pace in estimate.paces:
        if abs(pace.bpm / tempo - 1) <= SAME and pace.probability >= COMPATIBLE:
            return round(tempo, 2)
    return None


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
