"""Tests of the picture of a transcription."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tempo_core.tasks.notes.events import Note
from tempo_core.transcription.roll import FRONT_END, Roll
from trainer.evaluation.piano_roll import clock, draw, figure_of

from ...known_notes import song


def make_roll(end: float, notes: tuple[Note, ...], title: str = "a", begin: float = 0.0) -> Roll:
    levels = np.zeros((FRONT_END.n_bands, round((end - begin) * FRONT_END.fps)), np.uint8)
    top = frozenset((note.start, note.pitch) for note in notes if note.pitch > 66)
    return Roll(title, begin, end, notes, frozenset(), top, levels, FRONT_END.fps, 3)


@pytest.mark.parametrize(("end", "n_rows"), [(8.0, 1), (30.0, 1), (31.0, 2), (75.0, 3)])
def test_there_is_a_row_for_every_30_seconds(end: float, n_rows: int) -> None:
    rows = figure_of(make_roll(end, song(4))).axes
    assert len(rows) == n_rows
    for k, axes in enumerate(rows):
        assert axes.get_xlim() == (k * min(30, end), (k + 1) * min(30, end))
        names = [axes.yaxis.get_major_formatter()(y) for y in axes.get_yticks()]
        assert names == ["C2", "C3", "C4", "C5"]


def test_a_picture_says_what_its_colours_are() -> None:
    figure = figure_of(make_roll(8.0, song(4)))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["melody line", "other notes"]
    assert not figure_of(make_roll(8.0, ())).legends


@pytest.mark.slow
@pytest.mark.parametrize("title", ["a $ b $", "$\\frac", "夜 \x1b[2J", "\udcff"])
def test_any_title_is_drawn(title: str) -> None:
    data = draw(make_roll(2.0, song(1), title), "svg")
    assert b"<svg" in data
    assert data == draw(make_roll(2.0, song(1), title), "svg")


def test_png_is_png() -> None:
    assert re.match(rb"\x89PNG", draw(make_roll(2.0, song(1)), "png"))


@pytest.mark.parametrize(("time", "text"), [(0, "0:00"), (65, "1:05"), (65.5, "1:05.5")])
def test_times_are_minutes_and_seconds(time: float, text: str) -> None:
    assert clock(time) == text
