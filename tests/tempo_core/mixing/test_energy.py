"""Tests of energy and its curves."""

from __future__ import annotations

import numpy as np
import pytest

from tempo_core.mixing import CURVES
from tempo_core.mixing.energy import course, energies


def test_faster_and_louder_is_more() -> None:
    found = energies([100, 110, 110, 110], [-10.0, -12.0, -10.0, -8.0])
    assert (np.diff(found) > 0).all()
    assert (found.min(), found.max()) == (0, 10)


def test_one_decibel_is_three_per_cent_of_tempo() -> None:
    tempi = [80, 100, 100 * np.exp(-0.03), 140]
    found = energies(tempi, [-10.0, -10.0, -9.0, -10.0])
    assert found[1] == pytest.approx(found[2])


def test_unknown_loudness_is_in_the_middle() -> None:
    tempi = [100.0, 120.0, 120.0, 120.0, 140.0]
    found = energies(tempi, [-10, -12, None, -8, -10])
    assert found[1] < found[2] < found[3]
    assert energies(tempi, 5 * [None])[1:4] == pytest.approx(5.0, abs=1.0)


def test_extremes_do_not_stretch_the_scale() -> None:
    usual = list(np.linspace(120, 130, 98))
    found = energies([*usual, 40, 400], 100 * [None])
    assert found[0] < 1
    assert found[97] > 9
    assert found[98:].tolist() == [0, 10]


def test_equal_tracks_and_none_at_all() -> None:
    assert energies([120, 120], [None, None]).tolist() == [5, 5]
    assert energies([], []).size == 0


@pytest.mark.parametrize(
    ("curve", "start", "expected"),
    [
        ("up", None, [0, 2.5, 5, 7.5, 10]),
        ("up", 6.0, [6, 7, 8, 9, 10]),
        ("down", None, [10, 7.5, 5, 2.5, 0]),
        ("down", 4.0, [4, 3, 2, 1, 0]),
        ("wave", None, [0, 10, 0, 10, 0]),
        ("wave", 4.0, [4, 10, 4, 10, 4]),
        ("wave", 8.0, [8, 0, 8, 0, 8]),
        ("flat", None, [5, 5, 5, 5, 5]),
        ("flat", 7.0, [7, 7, 7, 7, 7]),
    ],
)
def test_curves(curve: str, start: float | None, expected: list[float]) -> None:
    assert course(curve, 5, start) == pytest.approx(expected)


@pytest.mark.parametrize("curve", CURVES)
def test_a_curve_of_one_track(curve: str) -> None:
    assert course(curve, 1, 3.0).tolist() == [3.0]
