"""Tests of the grid of a track, and of notes that are put on it."""

from __future__ import annotations

import numpy as np
import pytest

from tempo_core.tasks.notes.events import Note
from tempo_core.transcription.choices import STEPS
from tempo_core.transcription.grid import Grid, fit, quantized


def music(
    rng: np.random.Generator, bpm: float, offset: float, n_bars: int = 32, jitter: float = 0.01
) -> list[Note]:
    """Eighths and some sixteenths of a tempo, played a little off, the beats louder."""
    sixteenth = 15 / bpm
    notes = []
    for k in range(16 * n_bars):
        if k % 2 == 0 or rng.random() < 0.3:
            start = max(0.0, offset + k * sixteenth + rng.normal(0, jitter))
            notes.append(
                Note(start, start + 1.7 * sixteenth, 60 + k % 12, 100 if k % 4 == 0 else 60)
            )
    return notes


@pytest.mark.parametrize("bpm", [62.3, 120.0, 174.9])
@pytest.mark.parametrize("offset", [0.0, 0.07, 0.31])
def test_tempo_and_phase_are_found(bpm: float, offset: float, rng: np.random.Generator) -> None:
    notes = music(rng, bpm, offset)
    grid = fit(notes, bpm + 0.3, STEPS["16"], 0.98)  # as if rounded
    assert isinstance(grid, Grid)
    assert grid.bpm == pytest.approx(bpm, abs=0.02)
    distance = (grid.phase - offset + grid.beat / 2) % grid.beat - grid.beat / 2
    assert distance == pytest.approx(0, abs=0.006)
    assert 0 <= grid.phase < grid.beat


def test_the_last_note_of_a_long_track_is_on_its_step(rng: np.random.Generator) -> None:
    notes = music(rng, 127.98, 0.2, n_bars=150)
    grid = fit(notes, 128.0, STEPS["16"], 1.0)
    assert isinstance(grid, Grid)
    placed = quantized(notes, grid)
    moved = [abs(one.start - two.start) for one, two in zip(notes, placed, strict=True)]
    assert max(moved) < 0.06


@pytest.mark.parametrize(
    ("bpm", "stability", "n", "told"),
    [
        (0.0, None, 200, "the tempo is not known"),
        (120.0, 0.71, 200, "the tempo is not steady (stability 0.71)"),
        (120.0, None, 5, "there are too few notes to find the beat"),
    ],
)
def test_there_is_no_grid(
    bpm: float, stability: float | None, n: int, told: str, rng: np.random.Generator
) -> None:
    assert fit(music(rng, 120, 0.1)[:n], bpm, 4, stability) == told


@pytest.mark.parametrize("n", [10, 40, 300, 2000])
def test_notes_anywhere_are_on_no_grid(n: int, rng: np.random.Generator) -> None:
    for _ in range(3):
        notes = [Note(t, t + 0.2, 60) for t in np.sort(rng.uniform(0, n / 5, n)).tolist()]
        assert fit(notes, 120.0, 4, None) == "the notes are not on a grid of 120.00 BPM"


def test_no_note_is_shorter_than_a_step_or_before_the_track() -> None:
    grid = Grid(0.3, 0.5, 4)
    notes = [Note(0.0, 0.01, 60), Note(0.31, 0.32, 62), Note(0.95, 2.0, 64)]
    placed = quantized(notes, grid)
    assert [(round(n.start, 6), round(n.end, 6)) for n in placed] == [
        (0.05, 0.175), (0.3, 0.425), (0.925, 2.05),
    ]  # fmt: skip


def test_equal_pitches_on_one_step_are_one_note() -> None:
    grid = Grid(0.0, 0.5, 4)
    notes = [Note(0.01, 0.2, 60, 50, 0.3), Note(0.04, 0.5, 60, 90, 0.2), Note(0.26, 0.8, 60, 70)]
    first, second = quantized(notes, grid)
    assert (first.start, first.end, first.velocity, first.confidence) == (0.0, 0.25, 90, 0.3)
    assert (second.start, second.end) == (0.25, 0.75)
