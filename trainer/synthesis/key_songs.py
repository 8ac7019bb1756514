"""Short songs of a known key from rules: chords, a melody on them, and now and then another voice.

They are what `painted` paints where there are no songs of others at hand.
"""

from __future__ import annotations

import numpy as np

from tempo_core.keys import Key

from .painted import BRIDGE, MELODY, PIANO, KeyedSong

BAR = 2.0  # [s]
N_BARS = 16
TRIAD, MINOR_TRIAD, SEVENTH, MINOR_SEVENTH = (0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 7, 10)
Progression = tuple[tuple[int, tuple[int, ...]], ...]  # root above the tonic, intervals above it
MAJOR_PROGRESSIONS: tuple[Progression, ...] = (
    ((0, TRIAD), (7, TRIAD), (9, MINOR_TRIAD), (5, TRIAD)),
    ((0, TRIAD), (9, MINOR_TRIAD), (5, TRIAD), (7, SEVENTH)),
    ((0, TRIAD), (5, TRIAD), (7, TRIAD), (0, TRIAD)),
    ((0, TRIAD), (2, MINOR_SEVENTH), (7, SEVENTH), (0, TRIAD)),
    ((0, TRIAD), (4, MINOR_TRIAD), (5, TRIAD), (7, TRIAD)),
    ((0, TRIAD), (10, TRIAD), (5, TRIAD), (0, TRIAD)),
)
MINOR_PROGRESSIONS: tuple[Progression, ...] = (
    ((0, MINOR_TRIAD), (5, MINOR_TRIAD), (7, TRIAD), (0, MINOR_TRIAD)),
    ((0, MINOR_TRIAD), (10, TRIAD), (8, TRIAD), (7, SEVENTH)),
    ((0, MINOR_TRIAD), (8, TRIAD), (3, TRIAD), (10, TRIAD)),
    ((0, MINOR_TRIAD), (5, MINOR_TRIAD), (10, TRIAD), (3, TRIAD)),
    ((0, MINOR_TRIAD), (8, TRIAD), (5, MINOR_TRIAD), (7, TRIAD)),
    ((0, MINOR_TRIAD), (7, MINOR_TRIAD), (8, TRIAD), (7, SEVENTH)),
)
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))  # of major and minor
RHYTHMS = ((0, 1, 2, 3), (0, 1.5, 2, 3.5), (0, 0.5, 1, 2, 3), (0, 2))  # onsets [beats] in a bar
BEATS = 4  # of a bar


def compose(rng: np.random.Generator, minor: bool) -> KeyedSong:
    """A song of one progression that goes round, in a random key of a mode."""
    progressions = MINOR_PROGRESSIONS if minor else MAJOR_PROGRESSIONS
    progression = progressions[int(rng.integers(len(progressions)))]
    tonic = int(rng.integers(12))
    chords = [
        (BAR * k, BAR * (k + 1), (tonic + root) % 12, intervals)
        for k in range(N_BARS)
        for root, intervals in [progression[k % len(progression)]]
    ]
    notes = _accompaniment(chords, rng) + _melody(chords, tonic, SCALES[minor], rng)
    if rng.random() < 0.5:
        notes += [
            (BRIDGE, begin, end, 72 + (root + intervals[-1]) % 12, 70)
            for begin, end, root, intervals in chords
        ]
    keys = ((0.0, BAR * N_BARS, Key(tonic, minor)),)
    return KeyedSong(np.array(notes, float), tuple(chords), keys)


Chord = tuple[float, float, int, tuple[int, ...]]
Played = tuple[int, float, float, int, int]  # part, start and end [s], pitch, velocity


def _accompaniment(chords: list[Chord], rng: np.random.Generator) -> list[Played]:
    """The chords in a rhythm that stays."""
    onsets = RHYTHMS[int(rng.integers(len(RHYTHMS)))]
    return [
        (PIANO, begin + start * BAR / BEATS, begin + end * BAR / BEATS, 48 + root + interval,
         int(rng.integers(60, 100)))
        for begin, _, root, intervals in chords
        for start, end in zip(onsets, (*onsets[1:], BEATS), strict=True)
        for interval in intervals
    ]  # fmt: skip


def _melody(
    chords: list[Chord], tonic: int, scale: tuple[int, ...], rng: np.random.Generator
) -> list[Played]:
    """Notes of the chords where a bar begins, and of the scale between; the last is the tonic."""
    notes: list[Played] = []
    for begin, _, root, intervals in chords:
        onsets = RHYTHMS[int(rng.integers(len(RHYTHMS)))]
        for start, end in zip(onsets, (*onsets[1:], BEATS), strict=True):
            on_chord = start == 0 or rng.random() < 0.5
            pitch = root + rng.choice(intervals) if on_chord else tonic + rng.choice(scale)
            times = (begin + start * BAR / BEATS, begin + end * BAR / BEATS)
            notes.append((MELODY, *times, 60 + int(pitch) % 12, int(rng.integers(70, 110))))
    part, start, end, _, velocity = notes[-1]
    notes[-1] = (part, start, end, 60 + tonic, velocity)
    return notes
