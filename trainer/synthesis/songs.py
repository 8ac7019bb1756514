"""Reading pop songs of POP909 as notes and chords in beats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pretty_midi

from .notes import Note

Chord = tuple[float, float, tuple[int, ...]]  # start, end [beats], pitch classes


@dataclass(frozen=True)
class Song:
    """A song of POP909, with times in beats."""

    parts: tuple[tuple[Note, ...], ...]  # the melody first
    chords: tuple[Chord, ...]
    n_beats: float


# Intervals above the root [semitones], by the quality of a chord.
_QUALITIES = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
}
_PITCHES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def read_chord(name: str) -> tuple[int, tuple[int, ...]]:
    """Root 0..11 of a chord like `F#:min7/b3` or a key like `Gb:maj`, and the intervals above it.

    There are none for `N`, no chord.
    """
    if name == "N":
        return 0, ()
    root, _, quality = name.partition(":")
    pitch = _PITCHES[root[0]] + root.count("#") - root.count("b")
    quality = quality.split("/")[0].split("(")[0]
    intervals = _QUALITIES.get(quality) or _QUALITIES["min" if quality.startswith("min") else "maj"]
    return pitch % 12, intervals


def _chord(name: str) -> tuple[int, ...]:
    """Pitch classes of a chord, root first; () for no chord."""
    root, intervals = read_chord(name)
    return tuple((root + i) % 12 for i in intervals)


def load_song(folder: Path) -> Song:
    """Read one song of POP909; its seconds are mapped to beats by its beat annotation."""
    times = np.array(
        [float(line.split()[0]) for line in (folder / "beat_midi.txt").read_text().splitlines()]
    )
    beats = np.arange(len(times), dtype=float)

    def to_beats(seconds: float) -> float:
        if seconds < times[0]:
            return float((seconds - times[0]) / (times[1] - times[0]))
        if seconds > times[-1]:
            return float(beats[-1] + (seconds - times[-1]) / (times[-1] - times[-2]))
        return float(np.interp(seconds, times, beats))

    score = pretty_midi.PrettyMIDI(str(folder / f"{folder.name}.mid"))
    parts = tuple(
        tuple(
            Note(to_beats(n.start), to_beats(n.end), n.pitch, n.velocity) for n in instrument.notes
        )
        for instrument in score.instruments
    )
    chords = []
    for line in (folder / "chord_midi.txt").read_text().splitlines():
        start, end, name = line.split("\t")
        chords.append(
            (round(to_beats(float(start)), 2), round(to_beats(float(end)), 2), _chord(name))
        )
    return Song(parts, tuple(chords), float(beats[-1]))
