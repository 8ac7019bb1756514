"""A draft: the notes that are written of a track, by the part and the grid that are wanted."""

from __future__ import annotations

from dataclasses import dataclass

from ..tasks.notes.events import Note
from .choices import STEPS, Wanted
from .grid import Grid, fit, quantized
from .lines import part_of


@dataclass(frozen=True)
class Transcribed:
    """The notes of a track, and its tempo [BPM] and how steady it is, None where not known."""

    notes: tuple[Note, ...]
    bpm: float | None = None
    stability: float | None = None


@dataclass(frozen=True)
class Draft:
    """Notes of a part of a track, ready to be written.

    `title` is that of the track. `bpm` is its tempo, None if it is not known. `grid` is what the
    notes lie on, None if they are as played; if a grid was wanted, `problem` says in words why
    there is none.
    """

    title: str
    part: str
    notes: tuple[Note, ...]
    bpm: float | None
    grid: Grid | None = None
    problem: str | None = None


def draft(transcribed: Transcribed, wanted: Wanted, title: str) -> Draft:
    """The draft of a track."""
    notes = part_of(transcribed.notes, wanted.part)
    bpm = transcribed.bpm or None
    if not wanted.quantize:
        return Draft(title, wanted.part, notes, bpm)
    # All notes say where the grid is, so that all parts of a track have the same.
    steps = STEPS[wanted.value]
    grid = fit(transcribed.notes, bpm or 0.0, steps, transcribed.stability)
    if isinstance(grid, str):
        return Draft(title, wanted.part, notes, bpm, problem=f"{grid}: the notes stay as played")
    return Draft(title, wanted.part, quantized(notes, grid), grid.bpm, grid)
