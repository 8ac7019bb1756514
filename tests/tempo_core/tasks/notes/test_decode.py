"""Tests of the way from posteriors to notes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempo_core.config import NotesFrontEnd
from tempo_core.task import Batch
from tempo_core.tasks.notes.config import NotesConfig
from tempo_core.tasks.notes.decode import _joined, encode, notes_of, pool
from tempo_core.tasks.notes.events import LOWEST, N_PITCHES, Annotation, Note, Stretch, Thresholds
from tempo_core.tasks.notes.view import Place
from tempo_core.windows import window_starts

FPS = NotesFrontEnd().fps
CONFIG = NotesConfig()
THRESHOLDS = Thresholds(0.3, 0.5)


def stretch_of(notes: list[Note], seconds: float, start: float = 0.0) -> Stretch:
    """Posteriors as of a network that is never wrong."""
    n_frames = round(seconds * FPS)
    onsets, frames = encode(Annotation(tuple(notes), n_frames, FPS), CONFIG).swapaxes(1, 2)
    levels = frames * np.float32(0.1)
    return Stretch(start, FPS, np.ascontiguousarray(onsets), np.ascontiguousarray(frames), levels)


@st.composite
def melodies(draw: st.DrawFn) -> list[Note]:
    """Notes of a few pitches, of which none begins while it sounds."""
    notes = []
    for pitch in draw(st.lists(st.integers(21, 108), min_size=1, max_size=5, unique=True)):
        now = draw(st.floats(0.1, 1.0))
        for _ in range(draw(st.integers(1, 4))):
            length = draw(st.floats(0.15, 1.0))
            notes.append(Note(now, now + length, pitch))
            now += length + draw(st.floats(0.1, 1.0))
    return sorted(notes, key=lambda n: (n.start, n.pitch))


@given(melodies())
@settings(max_examples=60, deadline=None)
def test_perfect_posteriors_give_the_notes_back(notes: list[Note]) -> None:
    seconds = max(note.end for note in notes) + 0.5
    found = notes_of([stretch_of(notes, seconds)], THRESHOLDS)
    key = sorted
    assert key(n.pitch for n in found) == key(n.pitch for n in notes)
    for pitch in {n.pitch for n in notes}:
        mine = [n for n in found if n.pitch == pitch]
        theirs = [n for n in notes if n.pitch == pitch]
        for a, b in zip(mine, theirs, strict=True):
            assert a.start == pytest.approx(b.start, abs=0.5 / FPS)
            assert a.end == pytest.approx(b.end, abs=1.1 / FPS)


def test_a_pitch_that_is_struck_again_is_two_notes() -> None:
    notes = [Note(0.5, 1.0, 60), Note(1.0, 1.5, 60)]
    found = notes_of([stretch_of(notes, 2.0)], THRESHOLDS)
    assert [round(n.start, 1) for n in found] == [0.5, 1.0]
    assert found[0].end == pytest.approx(1.0, abs=0.03)


def test_a_short_gap_does_not_end_a_note_and_a_long_one_does() -> None:
    stretch = stretch_of([Note(0.5, 2.0, 60)], 3.0)
    frames = stretch.frames.copy()
    frames[60 - LOWEST, 40:42] = 0
    (whole,) = notes_of([replace(stretch, frames=frames)], THRESHOLDS)
    assert whole.end == pytest.approx(2.0, abs=0.03)
    frames[60 - LOWEST, 40:45] = 0
    (cut,) = notes_of([replace(stretch, frames=frames)], THRESHOLDS)
    assert cut.end == pytest.approx(40 / FPS, abs=1e-6)


def test_a_threshold_decides_what_is_told() -> None:
    stretch = stretch_of([Note(0.5, 1.0, 60)], 2.0)
    faint = replace(stretch, onsets=stretch.onsets * 0.3)
    assert notes_of([faint], THRESHOLDS) == ()
    assert len(notes_of([faint], Thresholds(0.1, 0.5))) == 1


def test_louder_notes_have_a_higher_velocity() -> None:
    stretch = stretch_of([Note(0.5, 1.0, 60), Note(0.5, 1.0, 70)], 2.0)
    levels = stretch.levels.copy()
    levels[70 - LOWEST] *= 4
    soft, loud = notes_of([replace(stretch, levels=levels)], THRESHOLDS)
    assert loud.velocity == pytest.approx(2 * soft.velocity, abs=3)
    assert 1 <= soft.velocity < loud.velocity <= 127


def test_no_note_is_shorter_than_told() -> None:
    stretch = stretch_of([Note(0.5, 0.51, 60)], 2.0)
    (note,) = notes_of([stretch], THRESHOLDS, shortest=0.08)
    assert note.end - note.start == pytest.approx(0.08)


def test_windows_that_overlap_add_up_to_the_whole() -> None:
    rng = np.random.default_rng(0)
    n_frames = 700
    scores = rng.random((2, n_frames, N_PITCHES)).astype(np.float32)
    step = CONFIG.n_frames - 2 * CONFIG.margin
    scored = []
    for first in window_starts(n_frames, CONFIG.n_frames, step):
        part = scores[:, first : first + CONFIG.n_frames]
        place = Place(3.0, FPS, first, np.zeros((N_PITCHES, part.shape[1]), np.float16))
        scored.append((Batch((), np.zeros(1, int), np.ones(1), place), part[None]))
    (stretch,) = pool(scored, CONFIG)
    assert stretch.start == 3.0
    np.testing.assert_allclose(stretch.onsets.T, scores[0], atol=1e-6)
    np.testing.assert_allclose(stretch.frames.T, scores[1], atol=1e-6)


def test_the_middle_of_a_window_counts_more_than_its_end() -> None:
    first, second = np.zeros((1, 2, 100, N_PITCHES)), np.ones((1, 2, 100, N_PITCHES))
    config = replace(CONFIG, n_frames=100, margin=20)
    level = np.zeros((N_PITCHES, 100), np.float16)
    scored = [
        (Batch((), np.zeros(1, int), np.ones(1), Place(0.0, FPS, 0, level)), first),
        (Batch((), np.zeros(1, int), np.ones(1), Place(0.0, FPS, 60, level)), second),
    ]
    (stretch,) = pool(scored, config)
    line = stretch.onsets[0]
    assert (line[:60] == 0).all()
    assert (line[100:] == 1).all()
    assert (np.diff(line[59:101]) >= 0).all()
    assert line[79] == pytest.approx(0.5, abs=0.03)


def test_pieces_of_a_file_are_put_together_again() -> None:
    note = [Note(1.5, 2.5, 64)]
    whole = stretch_of(note, 4.0)
    cut = round(2.0 * FPS)
    parts = [
        Stretch(0.0, FPS, whole.onsets[:, :cut], whole.frames[:, :cut], whole.levels[:, :cut]),
        Stretch(
            cut / FPS, FPS, whole.onsets[:, cut:], whole.frames[:, cut:], whole.levels[:, cut:]
        ),
    ]
    (joined,) = _joined(parts)
    (found,) = notes_of([joined], THRESHOLDS)
    assert found.end == pytest.approx(2.5, abs=1.1 / FPS)
    apart = _joined([parts[0], replace(parts[1], start=9.0)])
    assert [s.start for s in apart] == [0.0, 9.0]


def test_no_posteriors_are_no_notes() -> None:
    assert notes_of([], THRESHOLDS) == ()
    assert pool([], CONFIG) == []
