"""From the scores of windows to the tempo of a track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...config import Windows
from ...heard import Heard
from ...levels import ACCURACY_2
from ...model import Checkpoint
from ...task import Results, Scored
from . import curve, metre, refine
from .axis import answerable, near, place, tempo_axis
from .config import TempoConfig, TempoGrid
from .course import TempoPoint
from .rhythm import rhythm

Array = NDArray[np.float32]
Posterior = NDArray[np.float64]  # (n_bins,), sums to 1

MAX_READINGS = 3  # of one label, see `encode`
TARGET_WIDTH = 1.0  # [bins] standard deviation of a target, so that neighbours are nearly right
KEPT_MASS = 0.01  # share of the posterior that a preferred range must hold to be used
# When to stop listening, see `enough`: further windows would hardly change the answer if the mean
# posterior has this mass at its peak,
AGREED_MASS = 0.8
# the weights of the windows add up to more than that of one window,
AGREED_WEIGHT = 1.5
# and the tempo of each window differs from that of all by less than this share (a quarter of a
# step of the grid).
AGREED_DEVIATION = 0.005
# Factor on the confidence of a track in which no window has a clear pulse, such as noise, a sine or
# speech. Of the few recordings of music among these tracks half had the right tempo, at a mean
# confidence of 0.47.
UNCLEAR_CONFIDENCE = 0.35


@dataclass(frozen=True)
class Peak:
    """Highest peak of a posterior: its tempo `bpm`, and `mass` of the tempi near it, in 0..1."""

    bpm: float
    mass: float


@dataclass(frozen=True)
class Pooled:
    """Scores of a track, pooled over all of its windows.

    `posterior` is (n_bins,), `pulse` (N_MAPS, n_bins) the periodicity map averaged over bands and
    windows, `clearest` the highest weight of a window, in 0..1. `rows` (n_windows, n_bins) are the
    posteriors of the windows, in order of time.
    """

    posterior: Posterior
    pulse: NDArray[np.float64]
    clearest: float
    rows: NDArray[np.float64]


@dataclass(frozen=True)
class Tempo:
    """Result of the tempo task: `bpm` as precise as it was found, `confidence` in 0..1, calibrated.

    `stability` in 0..1 says how steadily the track keeps `bpm` (see `refine.stability`), lowered
    for what was not listened to (see `refine.claimed`); None if too little was heard. `strength`
    (n_bins,) is the strength of the pulse at each tempo of `grid`, the strongest 1. `plan` is how
    the track was cut into windows, `curve` the tempo of each of those that were heard.
    `octave_confidence` in 0..1, calibrated, is the probability that `bpm` is right if one of its
    octaves is (`ACCURACY_2`); None if it was not asked.
    """

    bpm: float
    confidence: float
    stability: float | None
    strength: NDArray[np.float64]
    grid: TempoGrid
    plan: Windows
    curve: tuple[TempoPoint, ...] = ()
    octave_confidence: float | None = None


def encode(readings: Sequence[tuple[float, float]], config: TempoConfig) -> Array:
    """Target (MAX_READINGS, n_bins) of the readings of a label; it sums to 1.

    A reading is (tempo [BPM], weight). A sure label has one; a label whose octave is open has
    several, whose weights are proportional to their probabilities. Readings outside of the
    answerable range are dropped; if all are, they are encoded at its edge.
    """
    grid = config.grid
    inside = [r for r in readings if grid.answer_min <= r[0] <= grid.answer_max] or [
        (min(max(bpm, grid.answer_min), grid.answer_max), weight) for bpm, weight in readings
    ]
    target = np.zeros((MAX_READINGS, grid.n_bins), np.float32)
    for row, (bpm, weight) in enumerate(inside):
        distance = (np.arange(grid.n_bins) - place(bpm, grid)) / TARGET_WIDTH
        bump = np.exp(-0.5 * np.square(distance)) * answerable(grid)
        target[row] = weight * bump / bump.sum()
    return np.asarray(target / target.sum())


def activate(logits: Array, config: TempoConfig, temperature: float = 1.0) -> Array:
    """Logits (…, n_bins) → probabilities over the answerable tempi, (…, n_bins); 0 elsewhere."""
    masked = np.where(answerable(config.grid), logits / temperature, -np.inf)
    raised = np.exp(masked - masked.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float32)


def pool(scored: Sequence[Scored], config: TempoConfig) -> Pooled:
    """Scores of all windows → scores of the track; windows with a clear pulse weigh more."""
    total = sum(float(batch.weights.sum()) for batch, _ in scored)
    pulse = np.sum([batch.summary.pulse for batch, _ in scored], axis=0) / total
    clearest = max(float(batch.weights.max()) for batch, _ in scored)
    return Pooled(mean_scores(scored), pulse, clearest, _in_time(scored))


def _in_time(scored: Sequence[Scored]) -> NDArray[np.float64]:
    """(n_windows, n_bins) scores of all windows, in order of time."""
    rows = np.concatenate([scores for _, scores in scored]).astype(np.float64)
    starts = np.concatenate([batch.summary.starts for batch, _ in scored])
    return np.asarray(rows[starts.argsort(kind="stable")])


def mean_scores(scored: Sequence[Scored]) -> Posterior:
    """(n_bins,) weighted mean of the scores of all windows."""
    total = sum(float(batch.weights.sum()) for batch, _ in scored)
    return np.asarray(np.sum([batch.weights @ scores for batch, scores in scored], axis=0) / total)


def enough(scored: Sequence[Scored], config: TempoConfig) -> bool:
    """Whether every window alone gives the tempo that all give together, and that one is sure.

    The tempi must agree as precisely as the grid allows, so that a track that drifts is listened to
    in more places; so is one without a clear pulse. Windows of less than half the weight of the
    clearest one are ignored.
    """
    if not scored or sum(float(batch.weights.sum()) for batch, _ in scored) < AGREED_WEIGHT:
        return False
    pooled = pool(scored, config)
    peak = highest(pooled.posterior, config.grid)
    if peak.mass < AGREED_MASS:
        return False
    singles = [
        highest(row, config.grid).bpm
        for batch, scores in scored
        for row in scores[batch.weights >= 0.5 * pooled.clearest]
    ]
    return all(abs(bpm / peak.bpm - 1) <= AGREED_DEVIATION for bpm in singles)


def decode(
    pooled: Pooled,
    heard: Heard,
    results: Results,
    checkpoint: Checkpoint[TempoConfig],
    bpm_range: tuple[float, float] | None = None,
) -> Tempo:
    """Tempo of a track: the peak of its posterior, with its pulse grouped rightly, and refined.

    Parameters
    ----------
    bpm_range
        (lowest, highest) tempo [BPM] to prefer, see `prefer`.
    """
    grid, spectrum = checkpoint.config.grid, checkpoint.spectrum
    posterior = pooled.posterior if bpm_range is None else prefer(pooled.posterior, grid, bpm_range)
    peak = highest(posterior, grid)
    bpm, mass = peak.bpm, peak.mass
    # How the pulse is grouped, which comes next, says nothing about the octave.
    octave = checkpoint.octave(octave_share(posterior, grid, bpm))
    rows = pooled.rows
    if bpm_range is not None:
        rows = np.stack([prefer(row, grid, bpm_range) for row in rows])
    rhythms = heard.each(spectrum, rhythm)
    envelopes = [r.envelope for r in rhythms]
    lines = sorted((p for r in rhythms for p in r.lines), key=lambda piece: piece.centre)
    lowest = grid.answer_min if bpm_range is None else bpm_range[0]
    if bpm * metre.COMPOUND >= lowest and metre.is_compound(envelopes, bpm, spectrum.fps):
        bpm *= metre.COMPOUND
        mass += mass_near(posterior, grid, bpm)  # the same pulse, grouped in another way
        rows = curve.counted_at(rows, metre.COMPOUND, grid)
    if pooled.clearest <= refine.LEAST_WEIGHT:
        mass = UNCLEAR_CONFIDENCE * min(1.0, mass)
    bpm = refine.refine(lines, bpm)
    stability = refine.stability(lines, bpm)
    if stability is not None and heard.duration is not None:
        stability = refine.claimed(stability, heard.n_seconds, heard.duration)
    strength = pulse_strength(pooled.pulse)
    windows = curve.windows_of(envelopes, spectrum.fps, checkpoint.windows)
    points = curve.curve(rows, windows, bpm, grid, spectrum.fps)
    if heard.duration is None:
        points = curve.with_pauses(points, windows, spectrum.fps, checkpoint.windows)
    return Tempo(bpm, min(1.0, mass), stability, strength, grid, checkpoint.windows, points, octave)


def prefer(posterior: Posterior, grid: TempoGrid, bpm_range: tuple[float, float]) -> Posterior:
    """Posterior whose mass outside of `bpm_range` is moved by octaves into the range.

    Mass that has no octave in the range is dropped; if no more than `KEPT_MASS` is left then, the
    posterior is returned unchanged.
    """
    tempi = tempo_axis(grid)
    low, high = bpm_range
    inside = (tempi >= low) & (tempi <= high)
    moved = np.where(inside, posterior, 0.0)
    rest = posterior - moved
    for octaves in (-1, 1, -2, 2, -3, 3):
        shift = octaves * grid.bins_per_octave
        for k in np.flatnonzero(rest > 0).tolist():
            j = k + shift
            if 0 <= j < grid.n_bins and inside[j]:
                moved[j] += rest[k]
                rest[k] = 0
    total = moved.sum()
    return moved / total if total > KEPT_MASS else posterior


def highest(posterior: NDArray[np.floating], grid: TempoGrid) -> Peak:
    """Highest peak of a posterior (n_bins,), between bins by a parabola through its logarithm."""
    k = int(posterior.argmax())
    offset = 0.0
    if 0 < k < grid.n_bins - 1 and bool((posterior[k - 1 : k + 2] > 0).all()):
        left, mid, right = np.log(posterior[k - 1 : k + 2].astype(float)).tolist()
        curvature = left - 2 * mid + right
        if curvature < 0:
            offset = 0.5 * (left - right) / curvature
    bpm = grid.bpm_min * 2.0 ** ((k + offset) / grid.bins_per_octave)
    return Peak(bpm, mass_near(posterior, grid, bpm))


def mass_near(posterior: NDArray[np.floating], grid: TempoGrid, bpm: float) -> float:
    """Mass of a posterior at the tempi near `bpm`, in 0..1."""
    return float(posterior[near(bpm, grid)].sum())


def octave_share(posterior: NDArray[np.floating], grid: TempoGrid, bpm: float) -> float:
    """Share, 0..1, that the tempi near `bpm` have in the mass of all its octaves (`ACCURACY_2`).

    It is the probability of this octave if the rate is right; 0 where there is no mass at all.
    """
    masses = [mass_near(posterior, grid, ratio * bpm) for ratio in ACCURACY_2]
    own = masses[ACCURACY_2.index(1.0)]
    return own / sum(masses) if own > 0 else 0.0


def pulse_strength(pulse: NDArray[np.float64]) -> NDArray[np.float64]:
    """Averaged periodicity map (N_MAPS, n_bins) → (n_bins,) strength, strongest 1.

    The geometric mean of autocorrelation and Fourier magnitude: neither sub-harmonics, which only
    the first shows, nor harmonics, which only the second shows, count as a pulse.
    """
    strength = np.sqrt(np.maximum(pulse[0], 0) * pulse[1])
    return np.asarray(strength / max(1e-9, float(strength.max())))
