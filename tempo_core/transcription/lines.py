"""Parts of a transcription: all of it, the lowest line, and the melody line.

The melody line is that of the skyline algorithm (Uitdenbogerd and Zobel, 1998): of the notes that
begin together the highest, and of notes that overlap the later one, unless a higher one sounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..tasks.notes.events import Note
from .choices import BASS, TOP

TOGETHER = 0.05  # [s] notes that begin within this time of each other are one chord
BRIDGED = 0.12  # [s] a gap up to this length between two notes of a line is closed: legato
SHORTEST = 0.03  # [s] what is left of a note before the next one begins must be longer
COVERED = 0.5  # share of a note during which notes of the line sound further out: it is none of it


def part_of(notes: Iterable[Note], part: str) -> tuple[Note, ...]:
    """Notes of a part, one of `PARTS`, in the order of their starts."""
    ordered = sorted(notes, key=lambda note: (note.start, note.pitch))
    if part == TOP:
        return skyline(ordered)
    return bass_line(ordered) if part == BASS else tuple(ordered)


def skyline(notes: Sequence[Note]) -> tuple[Note, ...]:
    """The highest notes as one voice; `notes` are in the order of their starts.

    No two notes of it overlap, and short gaps between them are closed.
    """
    kept: list[Note] = []
    for chord in _chords(notes):
        note = max(chord, key=lambda note: (note.pitch, note.end))
        if _covered(note, kept) <= COVERED:
            kept.append(note)
    return _one_voice(kept)


def bass_line(notes: Sequence[Note]) -> tuple[Note, ...]:
    """The lowest notes as one voice, see `skyline`."""
    mirrored = [replace(note, pitch=-note.pitch) for note in notes]
    return tuple(replace(note, pitch=-note.pitch) for note in skyline(mirrored))


def _chords(notes: Sequence[Note]) -> Iterable[list[Note]]:
    """Groups of notes that begin together."""
    chord: list[Note] = []
    for note in notes:
        if chord and note.start > chord[0].start + TOGETHER:
            yield chord
            chord = []
        chord.append(note)
    if chord:
        yield chord


def _covered(note: Note, kept: Sequence[Note]) -> float:
    """Share of a note during which the highest note that began before it sounds."""
    longest = 0.0
    for other in reversed(kept[-4:]):  # notes further back have ended, or are held by a pedal
        if other.pitch > note.pitch:
            longest = max(longest, min(other.end, note.end) - note.start)
    return longest / max(note.end - note.start, 1e-9)


def _one_voice(line: Sequence[Note]) -> tuple[Note, ...]:
    """Notes of a line, each ending when the next one begins, without short gaps between them."""
    voice: list[Note] = []
    for note in line:
        while voice and note.start - voice[-1].start < SHORTEST:
            voice.pop()
        if voice and note.start - voice[-1].end <= BRIDGED:
            voice[-1] = replace(voice[-1], end=note.start)
        voice.append(note)
    return tuple(voice)
