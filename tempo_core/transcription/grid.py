"""The metrical grid of a track, and notes put on it (quantization)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..tasks.notes.events import Note

STEADY = 0.9  # stability from which one grid can hold for a whole track; a band strays as far
TEMPO_ERROR = 0.6  # [BPM] by which a tempo may be wrong: it may be rounded to a whole number
FEWEST = 8  # notes below which nothing can be said about a grid
# Least mean resultant length of the onsets within a step, 0 (anywhere) to 1 (all on the grid).
LEAST_FIT = 0.3
CHANCE = 10.0  # n times its square that onsets anywhere do not reach, at the best of all tempi

LONG = 1.0  # [s] from which a longer note marks the beat no more than a shorter one
BASS, BASS_ACCENT = 55, 3.0  # MIDI pitch below which a note counts so much more for the beat


@dataclass(frozen=True)
class Grid:
    """A grid: the first beat at `phase` [s], in 0..`beat`; then one every `beat` [s].

    A beat has `n_steps` steps. The first step of the track may lie before the first beat.
    """

    phase: float
    beat: float
    n_steps: int

    @property
    def step(self) -> float:
        """Length of a step [s]."""
        return self.beat / self.n_steps

    @property
    def bpm(self) -> float:
        """Tempo [BPM]."""
        return 60 / self.beat

    def nearest(self, time: float) -> int:
        """Number of the step that is nearest to a time [s], counted from the first beat."""
        return round((time - self.phase) / self.step)

    def time(self, number: int) -> float:
        """Time of a step [s], by its number."""
        return self.phase + number * self.step

    @property
    def first(self) -> int:
        """Number of the first step that does not lie before the track."""
        return -int((self.phase + 1e-9) / self.step)


def fit(notes: Sequence[Note], bpm: float, n_steps: int, stability: float | None) -> Grid | str:
    """The grid on which the notes of a track begin, near a tempo; or why there is none, in words.

    Parameters
    ----------
    bpm
        Tempo [BPM]; one that the onsets fit better is looked for within `TEMPO_ERROR`.
    n_steps
        Steps in a beat.
    stability
        How steady the tempo is, 0..1; None if that is not known.
    """
    if not bpm > 0:
        return "the tempo is not known"
    if stability is not None and stability < STEADY:
        return f"the tempo is not steady (stability {stability:.2f})"
    if len(notes) < FEWEST:
        return "there are too few notes to find the beat"
    onsets = np.array([note.start for note in notes])
    weights = np.array([float(note.velocity) for note in notes])
    frequency, mean = _best(onsets, weights, bpm, n_steps)
    if abs(mean) < max(LEAST_FIT, (CHANCE / len(notes)) ** 0.5):
        return f"the notes are not on a grid of {bpm:.2f} BPM"
    step = 1 / frequency
    offset = float(np.angle(mean) / (2 * np.pi)) * step
    numbers = np.round((onsets - offset) / step).astype(int)
    accents = [_accent(note) for note in notes]
    strength = np.bincount(numbers % n_steps, accents, minlength=n_steps)
    beat = n_steps * step
    return Grid((offset + int(strength.argmax()) * step) % beat, beat, n_steps)


def _accent(note: Note) -> float:
    """How much a note marks the beat: long notes and those of the bass do so most."""
    length = min(note.end - note.start, LONG)
    return note.velocity * length * (BASS_ACCENT if note.pitch < BASS else 1.0)


def _best(
    onsets: NDArray[np.float64], weights: NDArray[np.float64], bpm: float, n_steps: int
) -> tuple[float, complex]:
    """Steps a second at which the onsets lie closest to a grid, and their mean phasor there."""
    width = n_steps * TEMPO_ERROR / 60
    spacing = 1 / (8 * max(float(np.ptp(onsets)), 1.0))  # a quarter turn of the last onset, at most
    n = int(width / spacing)
    frequencies = n_steps * bpm / 60 + spacing * np.arange(-n, n + 1)
    means = np.array(
        [(weights * np.exp(2j * np.pi * f * onsets)).sum() for f in frequencies]
    ) / weights.sum()  # fmt: skip
    best = int(np.abs(means).argmax())
    return float(frequencies[best]), complex(means[best])


def quantized(notes: Iterable[Note], grid: Grid) -> tuple[Note, ...]:
    """Notes whose starts and ends lie on a grid, none shorter than a step.

    Equal pitches that would begin on one step are one note, and of those that would overlap the
    first ends where the second begins.
    """
    placed: dict[tuple[int, int], tuple[int, Note]] = {}
    for note in notes:
        start = max(grid.nearest(note.start), grid.first)
        end = max(grid.nearest(note.end), start + 1)
        known = placed.get((start, note.pitch))
        placed[start, note.pitch] = (end, note) if known is None else _merged(known, end, note)
    found: list[Note] = []
    following: dict[int, int] = {}  # start of the next note of each pitch
    for (start, pitch), (end, note) in sorted(placed.items(), reverse=True):
        end = min(end, following.get(pitch, end))
        following[pitch] = start
        found.append(replace(note, start=grid.time(start), end=grid.time(end)))
    return tuple(reversed(found))


def _merged(known: tuple[int, Note], end: int, note: Note) -> tuple[int, Note]:
    """One note in place of two of a pitch: the longer end, the louder velocity."""
    end_known, other = known
    return max(end, end_known), replace(
        note,
        velocity=max(note.velocity, other.velocity),
        confidence=max(note.confidence, other.confidence),
    )
