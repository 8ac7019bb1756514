"""Tests of the range that the tempo of a track covers."""

from __future__ import annotations

import pytest

from tempo_core.tasks.tempo.columns import format_range
from tempo_core.tasks.tempo.course import FEWEST, TempoPoint, tempo_range


def points(*tempi: float | None, confidence: float = 0.9) -> list[TempoPoint]:
    return [
        TempoPoint(6.0 * k, bpm, 0.0 if bpm is None else confidence) for k, bpm in enumerate(tempi)
    ]


def test_a_steady_tempo_has_no_range() -> None:
    assert tempo_range(points(*[128.0] * 10)) is None
    assert tempo_range(points(127.2, 128.0, 128.9, 128.1, 127.4, 128.6)) is None


def test_one_window_is_no_change() -> None:
    for place in range(10):
        tempi = [128.0] * 10
        tempi[place] = 140.0
        assert tempo_range(points(*tempi)) is None, place


def test_too_few_windows_say_nothing() -> None:
    assert tempo_range(()) is None
    assert tempo_range(points(*[None] * 20)) is None
    assert tempo_range(points(None, *[100.0, 120.0, 110.0], None)) is None
    assert tempo_range(points(*[100.0, 120.0] * (FEWEST // 2), 120.0, 100.0)) is not None


def test_two_tempi_are_the_ends() -> None:
    assert tempo_range(points(*[96.0] * 6, None, *[128.0] * 8)) == (96.0, 128.0)


def test_the_ends_of_a_drift_are_robust() -> None:
    low, high = tempo_range(points(*[100 + k / 10 for k in range(201)])) or (0, 0)
    assert low == pytest.approx(101, abs=0.1)
    assert high == pytest.approx(119, abs=0.1)


def test_sure_windows_count_more() -> None:
    some = [*points(*[100.0] * 20), *points(*[130.0] * 20, confidence=0.02)]
    assert tempo_range(some) is None


def test_a_range_as_text() -> None:
    assert format_range((118.0, 131.52)) == "118.0-131.5"
