"""Tempo: a distribution over a logarithmic tempo axis for each window, averaged over the track."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import TempoGrid
from ..features import compress, onset_strength, periodicity_map, tempo_axis
from ..model import band_statistics
from ..task import Task

MAX_READINGS = 3  # of one label
TARGET_WIDTH = 1.0  # [bins] standard deviation of a target: neighbours are nearly right
# Answers within 4 % count as the same tempo (Gouyon et al., "An experimental comparison of audio
# tempo induction algorithms", IEEE TASLP 2006).
TOLERANCE = 0.04
KEPT_MASS = 0.01  # a preferred range that holds less of the posterior than this is ignored


@dataclass(frozen=True)
class Peak:
    """The winning tempo on the grid: `bpm`, and the posterior mass within `TOLERANCE` of it."""

    bpm: float
    mass: float


def view(features: Tensor, fps: float, grid: TempoGrid) -> tuple[Tensor, Tensor]:
    """Features (batch, n_mels, n_frames) → the network's two inputs.

    They are the periodicity map (batch, N_MAPS, n_mels, n_bins) and the band statistics
    (batch, 4 * n_mels).
    """
    compressed = compress(features)
    onsets = onset_strength(compressed)
    return periodicity_map(onsets, fps, grid), band_statistics(compressed, onsets)


def answerable(grid: TempoGrid) -> Tensor:
    """(n_bins,) bool: the tempi that may be answered."""
    tempi = tempo_axis(grid)
    return (tempi >= grid.answer_min) & (tempi <= grid.answer_max)


def encode(readings: Sequence[tuple[float, float]], grid: TempoGrid) -> Tensor:
    """A label's readings → target (MAX_READINGS, n_bins) that sums to 1.

    A sure label is one (BPM, weight) reading; where the octave is open there are several, whose
    weights say how probable each is. Readings beyond the answerable range are dropped, unless all
    are: then they are encoded at its edge.
    """
    inside = [r for r in readings if grid.answer_min <= r[0] <= grid.answer_max] or [
        (min(max(bpm, grid.answer_min), grid.answer_max), weight) for bpm, weight in readings
    ]
    allowed = answerable(grid)
    position = torch.arange(grid.n_bins, dtype=torch.float32)
    target = torch.zeros(MAX_READINGS, grid.n_bins)
    for row, (bpm, weight) in enumerate(inside):
        centre = grid.bins_per_octave * math.log2(bpm / grid.bpm_min)
        bump = torch.exp(-0.5 * ((position - centre) / TARGET_WIDTH) ** 2) * allowed
        target[row] = weight * bump / bump.sum()
    return target / target.sum()


def loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy of logits (batch, n_bins) against targets (batch, MAX_READINGS, n_bins).

    Which reading of an open label counts, and how much, follows from its weight and from how
    probable the network finds it by now: what it learns from sure labels decides the octave of the
    others (expectation-maximisation over partial labels). The logits of unanswerable bins are -inf.
    """
    log_scores = logits.log_softmax(dim=-1)
    with torch.no_grad():
        share = (targets * log_scores.exp()[:, None]).sum(dim=-1)  # (batch, MAX_READINGS)
        share = share + 1e-9 * targets.sum(dim=-1)  # a hopeless label still has a direction
        share = share / share.sum(dim=-1, keepdim=True)
        bumps = targets / targets.sum(dim=-1, keepdim=True).clamp_min(1e-12)
        expected = (share[..., None] * bumps).sum(dim=1)  # (batch, n_bins)
    return -(expected * log_scores.clamp_min(-30.0)).sum(dim=-1).mean()


def activate(logits: Tensor, grid: TempoGrid, temperature: float = 1.0) -> Tensor:
    """Logits → probabilities over the answerable tempi, (…, n_bins)."""
    masked = logits.masked_fill(~answerable(grid).to(logits.device), -torch.inf)
    return (masked / temperature).softmax(dim=-1)


def pool(scores: Tensor) -> Tensor:
    """(n_windows, n_bins) → (n_bins,) mean over windows."""
    return scores.mean(dim=0)


def prefer(posterior: Tensor, grid: TempoGrid, bpm_range: tuple[float, float]) -> Tensor:
    """Move the mass outside of `bpm_range` to the same tempo some octaves away inside of it.

    Where the range holds no such octave the mass is dropped; if that is nearly all of it
    (`KEPT_MASS`), the posterior stays as it was.
    """
    tempi = tempo_axis(grid)
    low, high = bpm_range
    inside = (tempi >= low) & (tempi <= high)
    moved = torch.where(inside, posterior, torch.zeros_like(posterior))
    rest = posterior - moved
    for octaves in (-1, 1, -2, 2, -3, 3):
        shift = octaves * grid.bins_per_octave
        for k in torch.nonzero(rest > 0).flatten().tolist():
            j = k + shift
            if 0 <= j < grid.n_bins and inside[j]:
                moved[j] += rest[k]
                rest[k] = 0
    total = moved.sum()
    return moved / total if total > KEPT_MASS else posterior


def decode(posterior: Tensor, grid: TempoGrid) -> Peak:
    """Highest peak of a posterior (n_bins,), placed between bins by a parabola through its log."""
    k = int(posterior.argmax())
    offset = 0.0
    if 0 < k < grid.n_bins - 1 and bool((posterior[k - 1 : k + 2] > 0).all()):
        left, mid, right = posterior[k - 1 : k + 2].double().log().tolist()
        curvature = left - 2 * mid + right
        if curvature < 0:
            offset = 0.5 * (left - right) / curvature
    bpm = grid.bpm_min * 2.0 ** ((k + offset) / grid.bins_per_octave)
    return Peak(bpm, mass_near(posterior, grid, bpm))


def mass_near(posterior: Tensor, grid: TempoGrid, bpm: float) -> float:
    """Posterior mass within `TOLERANCE` of `bpm`, in 0..1."""
    near = (tempo_axis(grid) / bpm).log().abs() <= math.log(1 + TOLERANCE)
    return float(posterior[near].sum())


TASK = Task("tempo", view, encode, loss, activate, pool, decode)
