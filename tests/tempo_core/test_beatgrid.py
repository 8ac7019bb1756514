"""Tests of beat grids as values: beats of sections, and their text."""

from __future__ import annotations

import pytest

from tempo_core.beatgrid import Grid, Section, counted, parse_grid, retimed, steady, within


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


def places(grid: Grid | None, end: float) -> list[tuple[float, int | None]]:
    assert grid is not None
    return [(round(time, 4), place) for time, place in grid.beats(end)]


def test_double_time_adds_the_beats_between() -> None:
    grid = counted(steady(0.25, 120, downbeat=0.75), 2)
    assert places(grid, 1.3) == [(0.25, 3), (0.5, 4), (0.75, 1), (1.0, 2), (1.25, 3)]
    assert grid is not None
    assert grid.sections[0].bpm == 240


@pytest.mark.parametrize("first_place", [1, 2, 3, 4])
def test_half_time_keeps_the_downbeats(first_place: int) -> None:
    """Whatever beat of the bar is the first, every old downbeat is a beat at half time."""
    old = Grid((Section(0.5, 120, first_place),))
    new = counted(old, 0.5)
    downbeats = {time for time, place in places(old, 9.0) if place == 1}
    beats = dict(places(new, 9.0))
    assert downbeats <= beats.keys() <= dict(places(old, 9.0)).keys()
    assert min(beats) <= 1.0
    # Every second of the old downbeats is one, the first of them among these.
    assert {time for time, place in beats.items() if place == 1} == set(sorted(downbeats)[::2])


def test_half_and_double_are_inverse_up_to_the_first_beat() -> None:
    grid = steady(0.5, 120, downbeat=0.5)
    assert counted(counted(grid, 0.5) or grid, 2) == grid
    quarter, twice = counted(grid, 0.25), counted(counted(grid, 0.5) or grid, 0.5)
    assert quarter == twice
    assert places(counted(grid, 4), 1.1) == [
        (0.5, 1), (0.625, 2), (0.75, 3), (0.875, 4), (1.0, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("place", [2, 4])
def test_a_quarter_begins_at_a_downbeat(place: int) -> None:
    old = Grid((Section(0.0, 120, place),))
    first, *_ = places(counted(old, 0.25), 9.0)
    assert first == (dict(map(reversed, reversed(places(old, 9.0))))[1], 1)  # type: ignore[arg-type]


def test_without_bars_the_first_beat_stays() -> None:
    for ratio in (1 / 4, 1 / 3, 1 / 2, 1.0, 2.0, 3.0, 4.0):
        grid = counted(steady(0.25, 120), ratio)
        assert grid == Grid((Section(0.25, 120 * ratio),))


def test_three_to_one_leaves_no_bars_of_four() -> None:
    for ratio in (1 / 3, 3.0):
        grid = counted(steady(0.25, 120, downbeat=0.25), ratio)
        assert grid == Grid((Section(0.25, 120 * ratio),))


@pytest.mark.parametrize("ratio", [0.99, 1.0, 1.01, 1.03])
def test_a_nudge_keeps_the_anchor(ratio: float) -> None:
    assert counted(steady(0.25, 120, 1.25), ratio) == Grid((Section(0.25, 120 * ratio, 3),))


def test_a_simple_multiple_that_is_not_exact_is_taken_as_it_is() -> None:
    grid = counted(steady(0.25, 174.02, 0.25), 87 / 174.02)
    assert grid is not None
    assert grid.sections[0] == Section(0.25, pytest.approx(87), 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("ratio", [0.01, 0.8, 1.1, 2 / 3, 3 / 2, 5.0])
def test_another_pulse_has_no_known_beats(ratio: float) -> None:
    assert counted(steady(0.25, 120, 0.25), ratio) is None


def test_a_changing_grid_is_counted_section_by_section() -> None:
    old = Grid((Section(0.0, 120, 2), Section(10.3, 126, 1), Section(11.0, 60, 4)))
    new = counted(old, 0.5)
    assert new == Grid((Section(0.5, 60, 4), Section(10.3, 63, 1), Section(12.0, 30, 1)))
    short = Grid((Section(0.0, 120, 2), Section(0.3, 126, 1)))
    assert counted(short, 0.5) == Grid((Section(0.3, 63, 1),))
    assert counted(Grid((Section(0.0, 120, 1), Section(2.5, 60, 2), Section(3.0, 61, 1))), 2) == (
        Grid((Section(0.0, 240, 1), Section(2.5, 120, 3), Section(3.0, 122, 1)))
    )


def test_what_makes_no_sense_in_a_track_is_left_out() -> None:
    sections = tuple(Section(0.5 + k / 64, 120.0, 1) for k in range(64))
    grid = within(Grid((*sections, Section(99.0, 130.0))), 60.0)
    assert grid is not None
    assert [section.begin for section in grid.sections] == pytest.approx([0.5, 0.75, 1.0, 1.25])
    assert within(steady(99.0, 120.0), 60.0) is None
    assert within(steady(59.0, 120.0), 60.0) == steady(59.0, 120.0)
