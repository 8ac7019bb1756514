"""Tests of beat grids as values: beats of sections, and their text."""

from __future__ import annotations

import pytest

from tempo_core.beatgrid import Grid, Section, parse_grid, retimed, steady


def test_beats_of_a_steady_grid_count_bars() -> None:
    grid = steady(0.25, 120, downbeat=1.25)
    assert list(grid.beats(2.5)) == [(0.25, 3), (0.75, 4), (1.25, 1), (1.75, 2), (2.25, 3)]


def test_a_section_ends_where_the_next_begins() -> None:
    grid = Grid((Section(0.0, 60), Section(2.9, 120, 1)))
    assert list(grid.beats(4.0)) == [
        (0.0, None), (1.0, None), (2.0, None), (2.9, 1), (3.4, 2), (3.9, 3),
    ]  # fmt: skip


def test_text_and_grid_are_the_same() -> None:
    grid = Grid((Section(0.5124, 127.98, 2), Section(61.02, 126.5)))
    assert parse_grid(str(grid)) == grid
    assert str(grid) == "0.5124 127.98 2; 61.0200 126.50"


@pytest.mark.parametrize(
    "text", ["", "0.5", "x 120", "0.5 120 0", "0.5 9000", "2.0 120; 1.0 120", "0.5 120;1.0 120"]
)
def test_another_text_is_no_grid(text: str) -> None:
    assert parse_grid(text) is None


def test_sections_must_be_in_order() -> None:
    with pytest.raises(ValueError, match="in order"):
        Grid((Section(1.0, 120), Section(1.0, 120)))


def test_a_retimed_grid_keeps_its_middle() -> None:
    grid = steady(0.3, 127.98, downbeat=0.3 + 2 * 60 / 127.98)
    new = retimed(grid, 128.0, 100.0)
    old_beats = [b for b in grid.beats(200.0) if abs(b[0] - 100) < 0.3]
    new_beats = [b for b in new.beats(200.0) if abs(b[0] - 100) < 0.3]
    assert [round(t, 3) for t, _ in new_beats] == pytest.approx(
        [round(t, 3) for t, _ in old_beats], abs=1e-3
    )
    assert [beat for _, beat in new_beats] == [beat for _, beat in old_beats]
    assert 0 <= new.first_beat < 60 / 128
    assert new.sections[0].bpm == 128.0
