"""From the logits of folds to the beat grid of a track."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...beatgrid import BAR, Grid, Section, retimed
from ...heard import Heard
from ...model import Checkpoint
from ...task import Results, Scored
from ..tempo.decode import Tempo
from ..tempo.refine import LEAST_WEIGHT
from .bars import BARS
from .cells import Place
from .config import BeatsConfig

Logits = NDArray[np.float64]

# One tempo holds for the whole track if this share of what was heard, by weight,
STEADY_SHARE = 0.85
# has its beats no farther than this from where the grid has them [beats], or from the middle
# between: there a window alone often takes the off-beat for the beat.
NEAR = 0.1
# Confidence from which on there is a grid at all, and from which on a window has a say in where the
# tempo changes.
LEAST_CONFIDENCE, LEAST_OF_WINDOW = 0.5, 0.3
EARLY = 0.008  # [s] that a beat may be found too early, see docs/accuracy.md
ALL_HEARD = 0.9  # share of a track that must be heard to know where its tempo changes
LEAST_BAR_CONFIDENCE = 0.5  # below it a downbeat is not named
NEW_TEMPO = 0.004  # relative change from which on a section of a changing grid ends


@dataclass(frozen=True)
class Piece:
    """Logits of one fold, (n_beats, n_phases) each, and where it is in the track."""

    place: Place
    beats: Logits
    downbeats: Logits


@dataclass(frozen=True)
class Beats:
    """Result of the beats task.

    `grid` is None if the beats are not sure. `confidence` in 0..1 is the probability that they are
    where the grid has them, `downbeat_confidence` likewise that its bars begin there; None if the
    grid has no bars.
    """

    grid: Grid | None
    confidence: float
    downbeat_confidence: float | None = None


def pool(scored: Sequence[Scored], config: BeatsConfig) -> list[Piece]:
    """Folds of a track in order of time."""
    pieces = [
        Piece(place, *logits.astype(np.float64))
        for batch, scores in scored
        for place, logits in zip(batch.summary, scores, strict=True)
    ]
    return sorted(pieces, key=lambda piece: piece.place.time(0))


def decode(
    pieces: Sequence[Piece], heard: Heard, results: Results, checkpoint: Checkpoint[BeatsConfig]
) -> Beats:
    """The beat grid of a track: one tempo where that holds, else as many sections as needed."""
    tempo: Tempo = results["tempo"]
    main = [piece for piece in pieces if is_steady(piece.place, tempo.bpm)]
    total = sum(piece.place.weight for piece in pieces)
    if max((piece.place.weight for piece in pieces), default=0.0) <= LEAST_WEIGHT:
        return Beats(None, 0.0)  # no window has a clear pulse
    if main:
        phase, confidence = phase_of(main)
        near = sum(p.place.weight for p in main if _keeps(phase_of([p])[0] - phase))
        if near >= STEADY_SHARE * total:
            return _steady(main, phase, confidence, tempo.bpm, checkpoint.config)
    grid, confidence = _changing(pieces)
    # Between the windows that were heard of a longer track its tempo may be any.
    all_heard = heard.duration is None or heard.n_seconds >= ALL_HEARD * heard.duration
    return Beats(grid if all_heard else None, confidence)


def is_steady(place: Place, bpm: float) -> bool:
    """Whether a fold was made at the tempo [BPM] of the whole track."""
    return abs(60 / place.period / bpm - 1) < 1e-6


def phase_of(pieces: Sequence[Piece]) -> tuple[float, float]:
    """Phase of the beats [beats], in 0..1, and the probability of it, from folds of one period."""
    weights = np.array([max(1e-6, piece.place.weight) for piece in pieces])
    rows = [piece.beats - _logsumexp(piece.beats) for piece in pieces]
    mean = np.average([r.mean(axis=0) for r in rows], axis=0, weights=weights)
    k = int(mean.argmax())
    left, mid, right = mean[k - 1], mean[k], mean[(k + 1) % mean.size]
    curvature = left - 2 * mid + right
    offset = 0.5 * (left - right) / curvature if curvature < 0 else 0.0
    # Beats are no independent witnesses, so their mean counts, not their product.
    share = np.exp(2 * (mean - mean.max()))
    near = share[np.arange(k - 2, k + 3) % mean.size].sum() / share.sum()
    return ((k + 0.5 + offset) / mean.size) % 1.0, float(near)


def _steady(
    pieces: Sequence[Piece], phase: float, confidence: float, bpm: float, config: BeatsConfig
) -> Beats:
    """Grid of one tempo."""
    if confidence < LEAST_CONFIDENCE:
        return Beats(None, confidence)
    probabilities = bars(pieces, phase, config)
    k = int(probabilities.argmax())
    length, first = BARS[k]
    beat = sure = None
    # Bars are right only if the beats are.
    probability = confidence * float(probabilities[k])
    if length == BAR and probability >= LEAST_BAR_CONFIDENCE:
        sure, beat = probability, -first % BAR + 1
    grid = Grid((Section(phase * 60 / bpm, bpm, beat),))
    # The tempo is going to be stored with two decimals, and the grid has to fit it.
    middle = (pieces[0].place.time(0) + pieces[-1].place.time(len(pieces[-1].beats))) / 2
    return Beats(_from_the_start(retimed(grid, round(bpm, 2), middle)), confidence, sure)


def _from_the_start(grid: Grid) -> Grid:
    """A steady grid whose first beat is at 0 if one is found at most `EARLY` before it.

    Music that begins with a beat would lose it otherwise.
    """
    (section,) = grid.sections
    if section.period - section.begin > EARLY:
        return grid
    beat = None if section.beat is None else (section.beat - 2) % BAR + 1
    return Grid((Section(0.0, section.bpm, beat),))


def bars(pieces: Sequence[Piece], phase: float, config: BeatsConfig) -> NDArray[np.float64]:
    """(n_bars,) probabilities of `BARS`, counted from the first beat of the track."""
    scores = np.zeros(len(BARS))
    for piece in pieces:
        down = at_phase(piece.downbeats, phase)
        rows = piece.place.first + np.arange(down.size)
        for k, (length, first) in enumerate(BARS):
            begins = rows % length == first
            if begins.any() and not begins.all():
                scores[k] += piece.place.weight * (down[begins].mean() - down[~begins].mean())
    scores *= config.bar_scale / max(1e-9, sum(piece.place.weight for piece in pieces))
    share = np.exp(scores - scores.max())
    return np.asarray(share / share.sum())


def at_phase(logits: Logits, phase: float) -> NDArray[np.float64]:
    """(n_beats,) logits (n_beats, n_phases) at a phase of each beat [beats]."""
    n = logits.shape[1]
    place = phase * n - 0.5
    k = math.floor(place)
    after = place - k
    return np.asarray((1 - after) * logits[:, k % n] + after * logits[:, (k + 1) % n])


def _changing(pieces: Sequence[Piece]) -> tuple[Grid | None, float]:
    """Grid of a track whose tempo changes and its confidence, from pieces in order of time."""
    found = [(piece, *phase_of([piece])) for piece in pieces]
    sure = [(p, phase, c) for p, phase, c in found if c >= LEAST_OF_WINDOW and p.place.weight > 0]
    confidence = float(np.mean([c for *_, c in found]))
    if not sure:
        return None, confidence
    sections: list[Section] = []
    for piece, phase, _ in sure:
        period = piece.place.period
        begin = piece.place.time(0, phase)
        if sections:
            last = sections[-1]
            n = round((begin - last.begin) / last.period)
            off = (begin - last.begin) / last.period - n
            if abs(period / last.period - 1) <= NEW_TEMPO and _keeps(off):
                # The same tempo goes on, and is now known from a longer stretch.
                if n > 0 and abs(off) <= NEAR:
                    sections[-1] = replace(last, bpm=60 * n / (begin - last.begin))
                continue
        sections.append(Section(begin, 60 / period))
    first = sections[0]
    sections[0] = replace(first, begin=first.begin % first.period)
    kept = [a for a, b in pairwise(sections) if b.begin - a.begin >= b.period] + sections[-1:]
    return Grid(tuple(kept)), confidence


def _logsumexp(logits: Logits) -> Logits:
    """Logarithm of the sum of exponentials of each row (n, n_phases) → (n, 1)."""
    most = logits.max(axis=1, keepdims=True)
    return np.asarray(most + np.log(np.exp(logits - most).sum(axis=1, keepdims=True)))


def _keeps(difference: float) -> bool:
    """Whether a difference of two phases [beats] is none, or half a beat."""
    return abs((2 * difference + 0.5) % 1 - 0.5) / 2 <= NEAR
