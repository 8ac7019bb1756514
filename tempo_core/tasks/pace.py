"""Pace: is a track compatible with moving at a candidate tempo? One probability a candidate."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..config import PaceModel, TempoGrid
from ..features import compress, onset_strength
from ..paces import MAX_BPM_ERROR, Pace
from ..task import Task
from ..windows import fold_beats

# Tempo of a candidate relative to the headline, as classes; anything else is none of them.
RELATIONS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 2.0, 3.0, 4.0)
KNOTS = tuple(40.0 * 2 ** (k / 2) for k in range(7))  # [BPM] 40 to 320
PULSES = (1 / 3, 1 / 2, 1.0, 2.0, 3.0)  # multiples of the candidate whose pulse is given
N_CONTEXT = len(RELATIONS) + len(KNOTS) + len(PULSES)


def prepare(window: Tensor) -> Tensor:
    """One window of features (n_mels, n_frames) → what is folded, (n_mels, n_frames).

    Level and onsets of the bands in pairs: neighbours are alike.
    """
    compressed = compress(window)
    both = torch.stack([compressed, onset_strength(compressed)])
    return both.unflatten(1, (-1, 2)).mean(dim=2).flatten(0, 1)


def n_beats(bpm: float, n_frames: int, fps: float, most: int) -> int:
    """Beats of `bpm` that a fold of `n_frames` has: the highest of `most`, ½ and ¼ of it that fits.

    0 if none does. Slow candidates get fewer rows instead of rows of silence.
    """
    available = n_frames * bpm / (60 * fps) + 1e-6
    return next((n for n in (most, most // 2, most // 4) if n <= available), 0)


def places(n: int, bpm: float, n_frames: int, fps: float, most: int = 2) -> list[float]:
    """Where folds of `n` beats begin in a window [frames]: in its middle, or in that of each half
    if they fit there and `most` is 2."""
    length = n * 60 * fps / bpm
    parts = min(most, 2 if 2 * length <= n_frames else 1)
    size = n_frames / parts
    return [k * size + (size - length) / 2 for k in range(parts)]


def view(
    windows: Sequence[Tensor], tempi: Sequence[float], fps: float, model: PaceModel
) -> list[tuple[list[int], Tensor]]:
    """Every window folded at every candidate tempo that it is long enough for.

    Parameters
    ----------
    windows
        Features (n_mels, n_frames), of any lengths.
    tempi
        Candidates [BPM].

    Returns
    -------
    For each number of beats that occurs the candidate each fold is of, and the folds
    (n_folds, n_mels, n_beats, n_phases).
    """
    groups: dict[int, tuple[list[int], list[Tensor]]] = {}
    for window in windows:
        prepared = prepare(window)
        n_frames = prepared.shape[-1]
        wanted: dict[int, list[tuple[int, float]]] = {}
        for i, bpm in enumerate(tempi):
            n = n_beats(bpm, n_frames, fps, model.n_beats)
            if n:
                starts = places(n, bpm, n_frames, fps, 2 if len(windows) == 1 else 1)
                wanted.setdefault(n, []).extend((i, start) for start in starts)
        for n, folds in wanted.items():
            which, parts = groups.setdefault(n, ([], []))
            which += [i for i, _ in folds]
            parts.append(
                fold_beats(
                    prepared,
                    fps,
                    torch.tensor([tempi[i] for i, _ in folds]),
                    torch.tensor([start for _, start in folds]),
                    n,
                    model.n_phases,
                )
            )
    return [(which, torch.cat(parts)) for which, parts in groups.values()]


def context(tempi: Sequence[float], bpm: float | None, strength: Tensor, grid: TempoGrid) -> Tensor:
    """What is known of candidates beside their folds, (n, N_CONTEXT).

    Their place on the axis (one can walk or run to some tempi only), their relation to the headline
    `bpm` (None: as if there were none), and how strongly the track pulses at multiples of them.

    Parameters
    ----------
    strength
        (n_bins,) see `paces.pulse_strength`.
    """
    rows = torch.zeros(len(tempi), N_CONTEXT)
    for row, tempo in zip(rows, tempi, strict=True):
        for k, ratio in enumerate(RELATIONS):
            if bpm is not None and abs(tempo / (ratio * bpm) - 1) <= MAX_BPM_ERROR:
                row[k] = 1.0
        place = 2 * math.log2(min(max(tempo, KNOTS[0]), KNOTS[-1]) / KNOTS[0])
        k = min(int(place), len(KNOTS) - 2)
        row[len(RELATIONS) + k] = 1 - (place - k)
        row[len(RELATIONS) + k + 1] = place - k
        for k, multiple in enumerate(PULSES, start=len(RELATIONS) + len(KNOTS)):
            centre = grid.bins_per_octave * math.log2(multiple * tempo / grid.bpm_min)
            first, last = max(0, math.floor(centre)), min(grid.n_bins, math.ceil(centre) + 1)
            row[k] = float(strength[first:last].max()) if first < last else 0.0
    return rows


def encode(compatibilities: Sequence[float]) -> Tensor:
    """How compatible candidates are, 0..1 each → targets (n,)."""
    return torch.tensor(list(compatibilities), dtype=torch.float32)


def loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross entropy of logits (batch,) against targets (batch,) in 0..1."""
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)


def activate(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Logits → probabilities."""
    return (logits / temperature).sigmoid()


def pool(scores: Tensor) -> Tensor:
    """(n_folds,) of one candidate → () its mean."""
    return scores.mean()


def decode(tempi: Sequence[float], probabilities: Sequence[float]) -> tuple[Pace, ...]:
    """Candidates with their probabilities, most probable first."""
    paces = [
        Pace(round(tempo, 1), round(p, 2)) for tempo, p in zip(tempi, probabilities, strict=True)
    ]
    return tuple(sorted(paces, key=lambda pace: -pace.probability))


TASK = Task("pace", view, encode, loss, activate, pool, decode)
