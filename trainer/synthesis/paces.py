"""Compatible paces of a synthesised clip, computed from its notes.

The definition (also in `docs/how-it-works.md`): let a track be counted at B beats per minute, and a
pace be r times that. One can move at this pace if

1. it is a level of the metre: r = 1; r = 1/k if groups of k beats divide the bar (2 or 4 in bars of
   two or four beats, 3 in bars of three); or r = k if the beat is divided in k = 2, 3 or 4 parts.
   Other ratios, such as 3/2 or 3/4, are against the metre;
2. it is audible: at a share of at least `LEAST_ONSETS` of its pulses, in the better phase,
   something audible begins. For a faster level only the pulses *between* those of the next slower
   one count, because the others are there anyway. That also tells duple from triple music;
3. a body can follow it: it is within 40 to 320 BPM. Below `SLOW_BPM`, and for every fourth beat,
   the pulses must also be accented (from `SLOWER_BPM` down, `LEAST_CONTRAST` times as strong as the
   pulses of the next faster level between them), because otherwise people fall back to the faster
   level. Above `FAST_BPM` the pulses must be nearly without gaps (`LEAST_ONSETS_FAST`).

The tempo that people count is always compatible. `docs/archive/experiments.md` says how well the
definition agrees with the judgement of a person.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tempo_core.paces import FASTEST_PACE, SAME_PACE, SLOWEST_PACE

from .composition import Composition
from .notes import Note, Score

LEAST_ONSETS = 0.6  # share of a level's pulses that must be audible
LEAST_ONSETS_FAST, FAST_BPM = 0.85, 250.0  # the same share for paces above `FAST_BPM`
# The same share for levels slower than the beat, whose pulses can be felt without being heard.
LEAST_ONSETS_SLOW = 0.5
SLOW_BPM, SLOWER_BPM = 56.0, 48.0  # [BPM] the contrast that is needed grows from 1 between them
LEAST_CONTRAST = 1.4  # ratio of the accents of slow pulses to those between them
# Greatest distance of an onset from its pulse [s]; for triplets also [beats], so that sixteenths
# and thirty-seconds do not count as triplets.
ONSET_TOLERANCE, TRIPLET_TOLERANCE = 0.04, 0.03
MOST_ACCENT = 2.0  # greatest accent that `evidence` tells apart, as a logarithm to base 2
NO_EVIDENCE = (math.nan, math.nan)  # of a pace of which no note tells, see `evidence`
SOFTNESS = 0.08  # width of the step from incompatible to compatible in soft targets
AUDIBLE_SALIENCE = 0.15  # least salience of an audible onset
# Salience of a note at full velocity, by its part.
SALIENCE = {
    "kick": 1.0, "snare": 1.0, "hat": 0.45, "perc": 0.45, "tom": 0.8, "crash": 0.8, "bass": 0.7,
    "chords": 0.6, "melody": 0.6,
}  # fmt: skip
# Patterns of the sampled loops, in sixteenths of four beats.
LOOP_PATTERNS = {
    "loop_amen": {
        "kick": "x.x.......xx....", "snare": "....x..-.-..x..-", "hat": "x.x.x.x.x.x.x.x.",
    },
    "loop_breakbeat": {
        "kick": "x.x.......x.....", "snare": "....x.......x...", "hat": "x.x.x.x.x.x.x.x.",
    },
}  # fmt: skip
LOOP_PATTERNS["loop_amen_full"] = LOOP_PATTERNS["loop_amen"]
LOOP_ACCENTS = {"x": 1.0, "-": 0.3}  # factor on the velocity, by the mark in a pattern


def score_of(clip: Composition) -> Score:
    """The onsets of a composition."""
    notes: list[tuple[float, float]] = []

    def add(part: str, played: Sequence[Note]) -> None:
        # A chord is one onset with the salience of its loudest note.
        loudest: dict[float, int] = {}
        for note in played:
            key = round(note.start, 3)
            loudest[key] = max(loudest.get(key, 0), note.velocity)
        notes.extend((start, SALIENCE[part] * v / 127) for start, v in loudest.items())

    if clip.drums is not None:
        hits = clip.drums.hits
        if isinstance(clip.drums.sound, Path):
            hits = _loop_hits(clip.drums.sound.stem, clip)
        for part, played in hits.items():
            add(part, played)
    for harmonic in clip.parts:
        add(harmonic.role, harmonic.notes)
    array = np.array(sorted(notes)).reshape(-1, 2)
    return Score(
        clip.bpm, clip.style.beats, clip.origin, clip.duration,
        array[:, 0], array[:, 1],
    )  # fmt: skip


def stretched(score: Score, speed: float) -> Score:
    """The score of the clip played faster by a factor."""
    return replace(
        score, bpm=score.bpm * speed, origin=score.origin / speed, duration=score.duration / speed
    )


def _loop_hits(name: str, clip: Composition) -> dict[str, list[Note]]:
    """The hits of a sampled loop in a clip, by part."""
    n_beats = math.ceil((clip.duration - clip.origin) * clip.bpm / 60)
    silent = []
    for section in clip.sections:
        rests = {"kick", "snare"} <= set(section.silent)
        silent.append((section.start if rests else section.end - section.stop, section.end))
    hits: dict[str, list[Note]] = {}
    for part, pattern in LOOP_PATTERNS[name].items():
        for step in range(4 * n_beats):
            mark, beat = pattern[step % 16], step / 4
            if mark != "." and not any(begin <= beat < end for begin, end in silent):
                velocity = int(120 * LOOP_ACCENTS[mark])
                hits.setdefault(part, []).append(Note(beat, beat + 0.2, 0, velocity))
    return hits


def level_of(ratio: float, bar: int) -> int | None:
    """The metrical level of a pace at `ratio` to the beat, by rule 1.

    0 is the beat, k > 1 the beat divided in k, and -k groups of k beats; None if it is no level.
    """
    groups = (3,) if bar == 3 else (2, 4)
    levels = {0: 1.0, **{k: float(k) for k in (2, 3, 4)}, **{-k: 1.0 / k for k in groups}}
    for level, exact in levels.items():
        if abs(ratio / exact - 1) <= SAME_PACE:
            return level
    return None


def compatibility(
    score: Score, bpm: float, span: tuple[float, float] | None = None, soft: bool = False
) -> float:
    """Whether one can move to a clip at `bpm`: 1 or 0 by the rules of this module.

    Parameters
    ----------
    span
        (start, end) [s] of the part of the clip to judge; None for all of it. Levels slower than
        the beat are always judged by the whole clip: their phase does not change, and in a few bars
        there may be accents by chance.
    soft
        Whether the step from 0 to 1 is smooth, `SOFTNESS` wide. Such a target does not make the
        network learn the difference between 59 % and 61 % of the pulses.
    """
    level = level_of(bpm / score.bpm, score.bar)
    if level == 0:
        return 1.0
    if level is None or not SLOWEST_PACE <= bpm <= FASTEST_PACE:
        return 0.0
    first, last = _range(score, level, span)
    if level > 0:
        needed = LEAST_ONSETS_FAST if bpm > FAST_BPM else LEAST_ONSETS
        margin = _added(score, level, first, last) - needed
    else:
        margin = max(_grouping(score, -level, k, first, last, bpm) for k in range(-level))
    return 1 / (1 + math.exp(-margin / SOFTNESS)) if soft else float(margin >= 0)


def evidence(
    score: Score, bpm: float, span: tuple[float, float] | None = None
) -> tuple[float, float]:
    """What the notes have of a pace, before any threshold: (accent, share), NaN where none applies.

    The accent, of any level of the metre: how much stronger its pulses are than those half-way
    between them (a third and two thirds for every third beat), in the better phase, as the
    logarithm to base 2, within -`MOST_ACCENT` and `MOST_ACCENT`. Rule 3 asks for it at slow paces
    only, but it is heard alike at all. The share, of a level faster than the beat: that of the
    pulses that it adds at which something begins, 0..1. `span` is that of `compatibility`.
    """
    level = level_of(bpm / score.bpm, score.bar)
    if level is None:
        return NO_EVIDENCE
    first, last = _range(score, level, span)
    share = _added(score, level, first, last) if level > 0 else math.nan
    contrast = (
        _halves_contrast(score, level)
        if level != -3
        else max(
            _contrast(score, np.arange(math.ceil(first), math.floor(last) + 1), 3, phase)
            for phase in range(3)
        )
    )
    return max(-MOST_ACCENT, min(MOST_ACCENT, math.log2(max(contrast, 1e-9)))), share


def _halves_contrast(score: Score, level: int) -> float:
    """Greatest ratio of the accents of a level's pulses to those half-way between, in a clip."""
    first, last = _range(score, 0, None)
    half = (1 / level if level > 0 else max(1, -level)) / 2  # [beats]
    found = [0.0]
    for offset in range(max(1, int(half))):  # every fourth beat may be any of four
        places = np.arange(math.ceil(first / half), math.floor(last / half))
        accents = _accents(score, np.asarray(offset + places * half, float))
        even, odd = (float(accents[places % 2 == k].mean()) for k in (0, 1))
        found.append(max(even, odd) / max(1e-9, min(even, odd)))
    return max(found)


def _range(score: Score, level: int, span: tuple[float, float] | None) -> tuple[float, float]:
    """First and last beat by which a level is judged, see `compatibility`."""
    start, end = span if span and level > 0 else (0.0, score.duration)
    return (start - score.origin) * score.bpm / 60, (end - score.origin) * score.bpm / 60


def _added(score: Score, level: int, first: float, last: float) -> float:
    """Share of the pulses that a faster level adds that are heard, the least at any division."""
    cuts = (2, 4) if level == 4 else (level,)
    return min(_onsets(score, _between(cut, first, last), cut == 3) for cut in cuts)


def _contrast(score: Score, beats: NDArray[np.int_], k: int, phase: int) -> float:
    """Ratio of the accents of every k-th beat from `phase` on to those they are compared with.

    These are the pulses that the next faster level has between them. It is 0 if either are none.
    """
    on = beats % k == phase
    rivals = beats % k == (phase + k // 2) % k if k == 4 else ~on
    if not on.any() or not rivals.any():
        return 0.0
    accents = _accents(score, beats.astype(float))
    return float(accents[on].mean() / max(1e-9, float(accents[rivals].mean())))


def _grouping(score: Score, k: int, phase: int, first: float, last: float, bpm: float) -> float:
    """The margin by which every k-th beat from `phase` on passes (≥ 0) or fails rules 2 and 3.

    Parameters
    ----------
    first, last
        Range of the beats to judge.
    bpm
        The pace of these groups of beats.
    """
    beats = np.arange(math.ceil(first), math.floor(last) + 1)
    on = beats % k == phase
    margin = _onsets(score, beats[on].astype(float)) - LEAST_ONSETS_SLOW
    if bpm >= SLOW_BPM and k < 4:
        return margin
    contrast = _contrast(score, beats, k, phase)
    slowness = min(1.0, max(0.0, (SLOW_BPM - bpm) / (SLOW_BPM - SLOWER_BPM))) if k < 4 else 1.0
    return min(margin, contrast - 1 - slowness * (LEAST_CONTRAST - 1))


def _between(k: int, first: float, last: float) -> NDArray[np.float64]:
    """The pulses (n,) [beats] that dividing beats in k adds to those of the next slower level."""
    pulses = np.arange(math.ceil(first * k), math.floor(last * k) + 1)
    coarser = 3 if k == 3 else 2
    return np.asarray(pulses[pulses % coarser != 0] / k)


def _accents(
    score: Score, beats: NDArray[np.float64], triplets: bool = False
) -> NDArray[np.float64]:
    """Sum (n,) of the salience of all onsets at each of `beats` (n,).

    With `triplets` the tolerance is that for triplets.
    """
    tolerance = ONSET_TOLERANCE * score.bpm / 60
    if triplets:
        tolerance = min(tolerance, TRIPLET_TOLERANCE)
    total = np.concatenate([[0.0], np.cumsum(score.salience)])
    low = np.searchsorted(score.beats, beats - tolerance)
    high = np.searchsorted(score.beats, beats + tolerance)
    return np.asarray(total[high] - total[low])


def _onsets(score: Score, beats: NDArray[np.float64], triplets: bool = False) -> float:
    """Share of `beats` (n,) at which something audible begins, 0..1; pauses are left out."""
    if not beats.size:
        return 0.0
    # In a pause nothing begins for two beats before and after.
    near = np.searchsorted(score.beats, beats + 2) > np.searchsorted(score.beats, beats - 2)
    if not near.any():
        return 0.0
    return float((_accents(score, beats[near], triplets) >= AUDIBLE_SALIENCE).mean())
