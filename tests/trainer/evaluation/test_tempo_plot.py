"""Tests of the picture of a track's tempo."""

from __future__ import annotations

import numpy as np
import pytest

from tempo_core.config import Windows
from tempo_core.tasks.tempo.config import TempoGrid
from tempo_core.tasks.tempo.course import TempoPoint
from tempo_core.tasks.tempo.decode import Tempo
from trainer.evaluation.tempo_over_time import N_PHASES, Folded, TempoOverTime
from trainer.evaluation.tempo_plot import draw, figure_of

GRID = TempoGrid()


def track(*tempi: float | None, title: str = "a") -> TempoOverTime:
    points = tuple(TempoPoint(6.0 * k, bpm, 0.9) for k, bpm in enumerate(tempi))
    duration = 6.0 * len(tempi) + 6
    tempo = Tempo(120.0, 0.9, 1.0, np.zeros(GRID.n_bins), GRID, Windows(), points)
    return TempoOverTime(
        title, duration, tempo, np.ones(round(duration / 0.05), np.float32),
        np.zeros((GRID.n_bins, round(duration)), np.float32), 1.0,
        Folded(np.zeros((N_PHASES, 30), np.float32), 0.5),
    )  # fmt: skip


def test_three_panels_with_one_axis_of_time() -> None:
    figure = figure_of(track(120.0, 120.0, None, 120.0))
    waveform, tempogram, folded = figure.axes
    assert waveform.get_xlim() == tempogram.get_xlim() == folded.get_xlim() == (0, 30)
    assert tempogram.get_yscale() == "log"
    names = [text.get_text() for text in tempogram.get_yticklabels()]
    assert names[:3] == ["40", "50", "60"]
    assert figure.get_suptitle() == "a: 120.00 BPM"


def test_the_line_breaks_where_there_is_no_tempo() -> None:
    _, line = figure_of(track(118.0, None, 122.0)).axes[1].lines
    assert np.asarray(line.get_xdata()).tolist() == [6, 12, 18]
    assert np.isnan(np.asarray(line.get_ydata(), float)).tolist() == [False, True, False]


def test_a_tempo_that_changes_has_its_range_in_the_title() -> None:
    figure = figure_of(track(*[96.0] * 5, *[120.0] * 5))
    assert figure.get_suptitle() == "a: 120.00 BPM (96.0-120.0)"


@pytest.mark.parametrize("title", ["a $ b $", "$\\frac", "夜 \x1b[2J", "\udcff"])
@pytest.mark.slow
def test_any_title_is_drawn(title: str) -> None:
    data = draw(track(120.0, title=title), "svg")
    assert b"<svg" in data
    assert data == draw(track(120.0, title=title), "svg")
