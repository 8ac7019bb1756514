"""Invented piano music: figures of all kinds over random chords, on the whole keyboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Rng = np.random.Generator

LOWEST, HIGHEST = 21, 108  # pitches of a piano
CHORDS = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 7, 10), (0, 4, 7, 11), (0, 3, 6, 9))
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11), tuple(range(12)))
PHRASE = (1.5, 5.0)  # [s] for which a figure goes on


@dataclass(frozen=True, order=True)
class Played:
    """A note from `start` to `end` [s]; pitch and velocity are MIDI's."""

    start: float
    end: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Hand:
    """What a figure is made of: pitches of a chord and of a scale, a place, a pace, a length."""

    chord: tuple[int, ...]  # pitch classes
    scale: tuple[int, ...]  # pitch classes
    middle: int  # pitch
    step: float  # [s] between notes
    n_steps: int

    def near(self, pitch: float, classes: tuple[int, ...]) -> int:
        """The pitch of one of the classes that is nearest to a pitch."""
        return min(range(128), key=lambda p: (p % 12 not in classes, abs(p - pitch)))


Figured = Sequence[tuple[float, float, int]]  # starts, lengths [steps], pitches
Figure = Callable[[Hand, Rng], Figured]


def _chords(hand: Hand, rng: Rng) -> Figured:
    """Repeated chords of two to five notes."""
    spread = rng.uniform(5, 12)
    found = []
    for k in range(0, hand.n_steps, int(rng.choice([1, 2, 4]))):
        places = hand.middle + rng.uniform(-spread, spread, int(rng.integers(2, 6)))
        pitches = {hand.near(p, hand.chord) for p in places}
        found += [(k, rng.choice([0.5, 1, 2, 4]), p) for p in pitches]
    return found


def _arpeggio(hand: Hand, rng: Rng) -> Figured:
    """Broken chords up and down."""
    n = int(rng.integers(3, 12))
    climb = [hand.near(hand.middle - 12 + 4 * k, hand.chord) for k in range(n)]
    order = climb + climb[-2:0:-1] if rng.random() < 0.6 else climb
    held = float(rng.choice([0.8, 1, 3]))
    return [(k, held, order[k % len(order)]) for k in range(hand.n_steps)]


def _run(hand: Hand, rng: Rng) -> Figured:
    """A walk through a scale, sometimes in octaves or thirds."""
    place, direction = float(hand.middle), rng.choice([-1, 1])
    second = int(rng.choice([0, 0, 12, 4]))
    found = []
    for k in range(hand.n_steps):
        pitch = hand.near(place, hand.scale)
        found += [(k, 0.9, pitch)] + ([(k, 0.9, pitch + second)] if second else [])
        if rng.random() < 0.12 or abs(pitch - hand.middle) > 18:
            direction = (
                -np.sign(pitch - hand.middle) if abs(pitch - hand.middle) > 18 else -direction
            )
        place = pitch + direction * 2
    return found


def _trill(hand: Hand, rng: Rng) -> Figured:
    """Two notes by turns: a trill, or a tremolo of an octave."""
    low = hand.near(hand.middle, hand.scale)
    high = low + int(rng.choice([1, 2, 3, 12]))
    return [(k, 0.9, (low, high)[k % 2]) for k in range(hand.n_steps)]


def _melody(hand: Hand, rng: Rng) -> Figured:
    """A line with long and short notes, sometimes with the octave."""
    found, k, place = [], 0.0, float(hand.middle)
    octave = rng.random() < 0.3
    while k < hand.n_steps:
        length = float(rng.choice([1, 1, 2, 2, 3, 4, 8]))
        place = np.clip(place + rng.normal(0, 4), hand.middle - 14, hand.middle + 14)
        pitch = hand.near(place, hand.scale)
        found += [(k, 0.95 * length, pitch)] + ([(k, 0.95 * length, pitch + 12)] if octave else [])
        k += length + (rng.random() < 0.15) * float(rng.choice([1, 2]))
    return found


def _repeats(hand: Hand, rng: Rng) -> Figured:
    """One note struck again and again."""
    pitch = hand.near(hand.middle, hand.chord)
    return [(k, 0.7, pitch) for k in range(hand.n_steps)]


def _scatter(hand: Hand, rng: Rng) -> Figured:
    """Notes anywhere."""
    n = int(hand.n_steps * rng.uniform(0.5, 2))
    return [
        (rng.uniform(0, hand.n_steps), rng.uniform(0.3, 6), int(rng.normal(hand.middle, 12)))
        for _ in range(n)
    ]


FIGURES: tuple[tuple[Figure, float], ...] = (
    (_chords, 0.2), (_arpeggio, 0.22), (_run, 0.13), (_trill, 0.05), (_melody, 0.28),
    (_repeats, 0.04), (_scatter, 0.08),
)  # fmt: skip


def draw_study(
    seconds: float, rng: Rng
) -> tuple[tuple[Played, ...], tuple[tuple[float, float], ...]]:
    """Notes of a random study, and when the pedal is down, (down, up) [s]."""
    hands = [_hand(seconds, middle, rng) for middle in _places(rng)]
    notes = tuple(sorted(note for hand in hands for note in hand))
    if rng.random() < 0.3:
        return notes, ()
    length = rng.uniform(0.6, 3.5)
    edges = np.arange(0, seconds + length, length)
    pedal = [(float(a) + 0.03, float(b) - 0.03) for a, b in pairwise(edges) if rng.random() < 0.85]
    return notes, tuple(pedal)


def _places(rng: Rng) -> list[int]:
    """Where one to three hands play."""
    middles = [int(rng.integers(64, 92)), int(rng.integers(36, 60)), int(rng.integers(30, 100))]
    return middles[: int(rng.choice([1, 2, 2, 2, 3]))]


def _hand(seconds: float, middle: int, rng: Rng) -> list[Played]:
    """What one hand plays: figure after figure, with its own dynamics."""
    loudness = rng.uniform(30, 105)
    root = int(rng.integers(12))
    scale = tuple(
        (root + k) % 12 for k in SCALES[int(rng.choice(len(SCALES), p=[0.5, 0.35, 0.15]))]
    )
    chances = np.array([chance for _, chance in FIGURES])
    found: list[Played] = []
    now = float(rng.uniform(0, 0.5))
    while now < seconds:
        length = rng.uniform(*PHRASE)
        if rng.random() < 0.12:  # a rest
            now += length / 2
            continue
        chord_root = int(rng.choice(scale))
        chord = tuple((chord_root + k) % 12 for k in CHORDS[int(rng.integers(len(CHORDS)))])
        step = float(np.exp(rng.uniform(np.log(0.07), np.log(0.45))))
        place = int(np.clip(middle + rng.normal(0, 6), 28, 102))
        hand = Hand(chord, scale, place, step, max(1, int(length / step)))
        figure = FIGURES[int(rng.choice(len(FIGURES), p=chances / chances.sum()))][0]
        loudness = float(np.clip(loudness + rng.normal(0, 14), 22, 118))
        growth = rng.normal(0, 12)
        for start, steps, pitch in figure(hand, rng):
            begin = now + start * step + rng.normal(0, 0.006)
            end = begin + max(0.05, steps * step)
            if not (0 <= begin < seconds - 0.05 and LOWEST <= pitch <= HIGHEST):
                continue
            velocity = loudness + growth * start / hand.n_steps + rng.normal(0, 6)
            found.append(
                Played(begin, min(end, seconds), int(pitch), int(np.clip(velocity, 8, 126)))
            )
        now += length
    return found
