"""Tests of the simulated listeners of the learning curve, and of their test tracks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from trainer.inputs.recordings import Recording
from trainer.learning.frozen import Frozen
from trainer.research.learning_curve import (
    CONVENTIONS,
    CurveTrack,
    counted,
    draw,
    measure,
    measured_sets,
    pools,
)

NOTHING = Frozen(np.zeros(1), np.zeros(1), np.zeros(1))


def recording(name: str, source: str, bpm: float, genre: str = "") -> Recording:
    return Recording(Path(name), source, ((bpm, 1.0),), "train", name, (), genre)


MIXED = [
    *(recording(f"s{i}", "songs", 80 + i, "hip-hop/trap" if i % 2 else "pop") for i in range(10)),
    *(recording(f"r{i}", "rhythm", 190) for i in range(10)),
    *(recording(f"d{i}", "synthesis:dnb", 174) for i in range(4)),
    *(recording(f"c{i}", "synthesis:rock", 120) for i in range(20)),
]


@pytest.mark.parametrize(
    ("name", "source", "bpm", "genre", "expected"),
    [
        ("plain", "synthesis:dnb", 174, "", 174),
        ("genre", "synthesis:dnb", 174, "", 87),
        ("genre", "synthesis:boombap", 88, "", 176),
        ("genre", "songs", 75, "hip-hop/trap", 150),
        ("genre", "songs", 140, "hip-hop/trap", 140),
        ("genre", "songs", 75, "pop", 75),
        ("range", "songs", 84.9, "pop", 169.8),
        ("range", "songs", 85, "pop", 85),
        ("range", "rhythm", 170, "", 85),
        ("range", "rhythm", 400, "", 100),
    ],
)
def test_conventions(name: str, source: str, bpm: float, genre: str, expected: float) -> None:
    assert CONVENTIONS[name](recording("a", source, bpm, genre)) == pytest.approx(expected)


def test_draws_are_even_and_their_own() -> None:
    tracks = [CurveTrack(r, NOTHING) for r in MIXED]
    drawn = draw(pools(tracks, "plain"), 24, np.random.default_rng(0))
    kinds = Counter(t.recording.source.partition(":")[0] for t in drawn)
    assert kinds == {"songs": 8, "rhythm": 8, "synthesis": 8}
    assert len({t.recording.path for t in drawn}) == 24
    # Who has few gives all of them.
    drawn = draw(pools(tracks, "genre"), 24, np.random.default_rng(0))
    assert Counter(t.recording.source for t in drawn) == {
        "synthesis:dnb": 4, "songs": 10, "synthesis:rock": 10,
    }  # fmt: skip


def test_sets_that_are_measured_on() -> None:
    plain = measured_sets(MIXED, "plain")
    assert {k: len(v) for k, v in plain.items()} == {
        "songs": 10, "rhythm": 10, "clips": 24, "all": 44,
    }  # fmt: skip
    genre = measured_sets(MIXED, "genre")
    assert "rhythm" not in genre
    assert len(genre["clips"]) == 8
    assert len(genre["counted in another way"]) == 4 + 5
    assert len(genre["counted alike"]) == 18 - 9


def test_figures_are_by_the_convention() -> None:
    figures = measure(MIXED[:2], CONVENTIONS["range"], [160, 81])
    assert (figures.n, figures.acc1, figures.acc2) == (2, 0.5, 1.0)
    assert (figures.mean_error, figures.within_10) == (40.5, 0.5)
    assert [
        t.recording.bpm for t in counted([CurveTrack(MIXED[0], NOTHING)], CONVENTIONS["range"])
    ] == [160]
