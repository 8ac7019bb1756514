"""Tests of the figures of transcriptions."""

from __future__ import annotations

import pytest

from tempo_core.tasks.notes.events import Note
from trainer.evaluation.notes import mean, measure_notes

KNOWN = [Note(0.0, 1.0, 60), Note(1.0, 2.0, 64), Note(2.0, 3.0, 67), Note(2.0, 3.0, 72)]


def test_the_same_notes_are_all_right() -> None:
    figures = measure_notes(KNOWN, KNOWN, 3.0)
    assert set(vars(figures).values()) == {1.0}


def test_no_notes_are_all_wrong() -> None:
    figures = measure_notes(KNOWN, [], 3.0)
    assert figures.f == figures.f_with_offset == figures.frame_f == figures.right == 0
    # One note is missing in the first two seconds.
    assert figures.one_wrong == pytest.approx(2 / 3, abs=0.01)
    assert figures.two_wrong == 1


def test_starts_may_be_50_ms_off_and_ends_a_fifth_of_the_length() -> None:
    late = [Note(n.start + 0.045, n.end + 0.15, n.pitch) for n in KNOWN]
    assert measure_notes(KNOWN, late, 3.2).f == 1
    assert measure_notes(KNOWN, late, 3.2).f_with_offset == 1
    later = [Note(n.start + 0.055, n.end, n.pitch) for n in KNOWN]
    assert measure_notes(KNOWN, later, 3.0).f == 0
    longer = [Note(n.start, n.end + 0.25, n.pitch) for n in KNOWN]
    assert measure_notes(KNOWN, longer, 3.3).f == 1
    assert measure_notes(KNOWN, longer, 3.3).f_with_offset == 0


def test_an_octave_is_wrong_but_for_the_octave() -> None:
    lower = [Note(n.start, n.end, n.pitch - 12) for n in KNOWN]
    figures = measure_notes(KNOWN, lower, 3.0)
    assert figures.f == figures.right == 0
    assert figures.right_chroma == 1


def test_precision_and_recall_are_not_exchanged() -> None:
    figures = measure_notes(KNOWN, KNOWN[:2], 3.0)
    assert (figures.precision, figures.recall) == (1.0, 0.5)
    assert figures.right == pytest.approx(2 / 3, abs=0.01)


def test_the_mean_is_that_of_each_figure() -> None:
    both = mean([measure_notes(KNOWN, KNOWN, 3.0), measure_notes(KNOWN, [], 3.0)])
    assert both.f == 0.5
    assert both.two_wrong == 1
