"""Tests of the ratios at which two tempi count the same pulse."""

from __future__ import annotations

import pytest

from tempo_core import levels


def test_levels_of_one_pulse() -> None:
    one = levels.OF_ONE_PULSE
    assert all(levels.is_level(120 * r, 121, one) for r in (1 / 3, 1 / 2, 1, 2, 3))
    assert not any(levels.is_level(120 * r, 120, one) for r in (2 / 3, 3 / 4, 1.1, 3 / 2))


@pytest.mark.parametrize(
    ("bpm", "same"), [(103.9, True), (104.1, False), (96.1, True), (95.9, False)]
)
def test_the_same_is_within_four_percent(bpm: float, same: bool) -> None:
    assert levels.is_same(bpm, 100.0) == same
    assert levels.is_level(2 * bpm, 100.0, (1.0, 2.0)) == same
    assert levels.is_same(bpm, 100.0, 0.05)
