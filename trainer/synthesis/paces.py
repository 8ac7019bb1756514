"""What is true of a synthesised clip's paces, by what its notes do.

The definition (also in `docs/how-it-works.md`). Let a track be counted at B beats a minute, and a
pace be r times that. One can move at it if

1. it is a level of the metre: r = 1; 1/k where every k-th beat groups the bar (2 or 4 in bars of
   two or four beats, 3 in bars of three); or k where the beat is cut in k = 2, 3 or 4. All else,
   such as 3/2 or 3/4, runs against the metre;
2. it is heard: at `ONSETS` of its pulses at least, in the better phase, something audible begins.
   Of a faster level only the pulses *between* those of the next slower one count, because those of
   that level are there anyway. That also tells duple music from triple;
3. a body can do it: within 40 to 320 BPM. Below `SLOW` BPM, and for every fourth beat, the pulse
   must also be accented (from `SLOWER` BPM down `CONTRAST` times the pulses that the next faster
   level has between), as without that one falls back to the faster one. Above `FAST` BPM it must
   be nearly gapless (`ONSETS_FAST`).

What people count is always compatible. How well the definition agrees with what a person found is
in `docs/archive/experiments.md`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tempo_core.paces import FASTEST_PACE, SAME_PACE, SLOWEST_PACE

from .notes import Composition, Note

ONSETS = 0.6  # share of the pulses of a level that must be heard
ONSETS_FAST, FAST = 0.85, 250.0  # the same above so many BPM
ONSETS_SLOW = 0.5  # of a level slower than the beat: what is felt need not sound each time
SLOW, SLOWER = 56.0, 48.0  # [BPM] between them the need for an accent sets in
CONTRAST = 1.4
# An onset may be off its pulse by so much [s], or so much of a beat where that is less: what is
# nearer to a sixteenth or a thirty-second is no triplet.
TOLERANCE, NEAR = 0.04, 0.03
SOFTNESS = 0.08  # of the step from incompatible to compatible, for targets
AUDIBLE = 0.15  # salience of an onset that counts as heard
# Salience of a note at full velocity, by what plays it.
SALIENCE = {
    "kick": 1.0, "snare": 1.0, "hat": 0.45, "perc": 0.45, "tom": 0.8, "crash": 0.8, "bass": 0.7,
    "chords": 0.6, "melody": 0.6,
}  # fmt: skip
# What the sampled loops play, in sixteenths of four beats.
LOOP_PATTERNS = {
    "loop_amen": {
        "kick": "x.x.......xx....", "snare": "....x..-.-..x..-", "hat": "x.x.x.x.x.x.x.x.",
    },
    "loop_breakbeat": {
        "kick": "x.x.......x.....", "snare": "....x.......x...", "hat": "x.x.x.x.x.x.x.x.",
    },
}  # fmt: skip
LOOP_PATTERNS["loop_amen_full"] = LOOP_PATTERNS["loop_amen"]
LOOP_ACCENTS = {"x": 1.0, "-": 0.3}


@dataclass(frozen=True)
class Score:
    """The onsets of a clip: (n,) `beats` ascending and their `salience` > 0, one row a note.

    `origin` is the time of beat 0 [s], `bar` the number of beats in a bar.
    """

    bpm: float
    bar: int
    origin: float
    duration: float
    beats: NDArray[np.float64]
    salience: NDArray[np.float64]

    def to_json(self) -> str:
        """Plain values; positions to a thousandth of a beat."""
        values = asdict(self)
        for name in ("beats", "salience"):
            values[name] = values[name].round(3).tolist()
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> Score:
        """The inverse of `to_json`."""
        values = json.loads(text)
        for name in ("beats", "salience"):
            values[name] = np.array(values[name], float)
        return cls(**values)


def score_of(clip: Composition) -> Score:
    """The onsets of a composition."""
    notes: list[tuple[float, float]] = []

    def add(part: str, played: Sequence[Note]) -> None:
        # The notes of a chord are one onset, as loud as its loudest note.
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
    """The same clip played faster by a factor."""
    return replace(
        score, bpm=score.bpm * speed, origin=score.origin / speed, duration=score.duration / speed
    )


def _loop_hits(name: str, clip: Composition) -> dict[str, list[Note]]:
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
    """Which metrical level a pace at `ratio` of the beat is.

    0 is the beat, k > 1 the beat cut in k, -k groups of k beats; None if it is no level, rule 1.
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
    """Whether one can move to a clip at `bpm`, 1 or 0 by the rules above.

    Parameters
    ----------
    span
        (start, end) [s] of the part of the clip to look at; None for all of it. A level slower than
        the beat is always looked for in all of it: it has one phase throughout, and in a few bars
        there is an accent by chance.
    soft
        Instead of a step from 0 to 1 a smooth one, `SOFTNESS` wide: a target that does not force
        the network to tell 59 % from 61 %.
    """
    level = level_of(bpm / score.bpm, score.bar)
    if level == 0:
        return 1.0
    if level is None or not SLOWEST_PACE <= bpm <= FASTEST_PACE:
        return 0.0
    start, end = span if span and level > 0 else (0.0, score.duration)
    first, last = ((t - score.origin) * score.bpm / 60 for t in (start, end))
    if level > 0:
        needed = ONSETS_FAST if bpm > FAST else ONSETS
        cuts = (2, 4) if level == 4 else (level,)
        margin = min(_onsets(score, _between(cut, first, last), cut == 3) for cut in cuts) - needed
    else:
        margin = max(_grouping(score, -level, k, first, last, bpm) for k in range(-level))
    return 1 / (1 + math.exp(-margin / SOFTNESS)) if soft else float(margin >= 0)


def _grouping(score: Score, k: int, phase: int, first: float, last: float, bpm: float) -> float:
    """By how much every k-th beat from `phase` on passes (≥ 0) or fails rules 2 and 3."""
    beats = np.arange(math.ceil(first), math.floor(last) + 1)
    on = beats % k == phase
    margin = _onsets(score, beats[on].astype(float)) - ONSETS_SLOW
    if bpm >= SLOW and k < 4:
        return margin
    # Against the pulses that the next faster level has beside these.
    rivals = beats % k == (phase + (k // 2 if k == 4 else 1)) % k
    if k == 3:
        rivals = ~on
    if not on.any() or not rivals.any():
        return -ONSETS_SLOW
    accents = _accents(score, beats.astype(float))
    contrast = accents[on].mean() / max(1e-9, float(accents[rivals].mean()))
    slowness = min(1.0, max(0.0, (SLOW - bpm) / (SLOW - SLOWER))) if k < 4 else 1.0
    return min(margin, float(contrast) - 1 - slowness * (CONTRAST - 1))


def _between(k: int, first: float, last: float) -> NDArray[np.float64]:
    """The pulses that a cut of the beat in k adds to the next slower level."""
    pulses = np.arange(math.ceil(first * k), math.floor(last * k) + 1)
    coarser = 3 if k == 3 else 2
    return np.asarray(pulses[pulses % coarser != 0] / k)


def _accents(
    score: Score, beats: NDArray[np.float64], triplets: bool = False
) -> NDArray[np.float64]:
    """(n,) summed salience of what begins at each of `beats` (n,)."""
    tolerance = TOLERANCE * score.bpm / 60
    if triplets:
        tolerance = min(tolerance, NEAR)
    total = np.concatenate([[0.0], np.cumsum(score.salience)])
    low = np.searchsorted(score.beats, beats - tolerance)
    high = np.searchsorted(score.beats, beats + tolerance)
    return np.asarray(total[high] - total[low])


def _onsets(score: Score, beats: NDArray[np.float64], triplets: bool = False) -> float:
    """Share of `beats` at which something audible begins; stops of the music do not count."""
    if not beats.size:
        return 0.0
    # Where nothing at all begins for two beats around, everybody waits.
    near = np.searchsorted(score.beats, beats + 2) > np.searchsorted(score.beats, beats - 2)
    if not near.any():
        return 0.0
    return float((_accents(score, beats[near], triplets) >= AUDIBLE).mean())
