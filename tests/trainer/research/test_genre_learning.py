"""Tests of the imagined people who count by genre, and of what is measured about them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempo_core import checkpoint
from tempo_core.tasks.tempo.axis import tempo_axis
from tempo_core.tasks.tempo.config import TempoGrid
from trainer.inputs.recordings import Recording
from trainer.learning import guard as guards
from trainer.learning.frozen import Frozen, freeze
from trainer.research.genre_learning import WAYS, by_genre, line, one_fold, read_charts_with_genre
from trainer.research.genre_prior import densities, multiplied, of_genre, where_unsure
from trainer.research.learning_curve import CurveTrack

GRID = TempoGrid()


def recording(k: int, bpm: float, genre: str) -> Recording:
    return Recording(Path(f"{k}"), "songs", ((bpm, 1.0),), "validation", f"A{k}", (), genre)


@pytest.mark.parametrize(
    ("bpm", "genre", "expected"),
    [
        (90, "hip-hop/trap", 180), (90, "Rap/Hip Hop", 180), (140, "hip-hop", 140),
        (174, "Drum & Bass", 87), (87, "dnb", 87), (90, "pop", 90), (90, "", 90),
    ],
)  # fmt: skip
def test_who_counts_by_genre(bpm: float, genre: str, expected: float) -> None:
    assert by_genre(recording(0, bpm, genre)) == expected


def test_charts_with_a_genre(tmp_path: Path) -> None:
    (tmp_path / "charts.tsv").write_text(
        "file\tsplit\tartist\tgenre\tbpm\tdoubtful\n"
        "a.opus\ttrain\tA\t~dance/pop\t120\t\nb.opus\ttrain\tB\t\t120\t\n"
        "c.opus\tvalidation\t\trock\t90\tyes\nd.opus\tvalidation\t\trock\t90\t\n"
    )
    first, second = read_charts_with_genre(tmp_path)
    assert (first.genre, first.group, first.bpm) == ("dance/pop", "A", 120)
    assert (second.genre, second.group, second.split) == ("rock", "d.opus", "validation")


def test_a_line_says_what_is_counted_otherwise() -> None:
    told = [recording(k, bpm, "pop") for k, bpm in enumerate((180, 120, 100))]
    text = line("known", told, [90, 120, 100], [180, 60, 101])
    assert text.startswith("known: 66.7 (")
    assert text.endswith("counted otherwise 100.0 of 1, alike 50.0 of 2")


@pytest.mark.slow
def test_one_fold_is_measured_in_every_way() -> None:
    base = checkpoint.load(checkpoint.resolve("shipped"))
    guard = guards.load(base)
    frozen = freeze(base.network, *guard.part(replay=False).inputs())
    tracks = [
        CurveTrack(
            recording(k, bpm, ("rock", "pop", "hip hop")[k % 3]),
            Frozen(frozen.rate[k : k + 1], frozen.pooled[k : k + 1], frozen.statistics[k : k + 1]),
        )
        for k, bpm in enumerate(guard.part(replay=False).bpm)
    ]
    found = one_fold(tracks, 1, 40, 0, base, guard)
    assert 0.15 < len(found["measured"]) / len(tracks) < 0.25
    assert all(len(found[way]) == len(found["measured"]) for way in WAYS)
    assert found["genres"] == ["hip hop", "pop", "rock"]
    assert found["guard"] > 0.97


def test_how_a_genre_is_counted_follows_from_its_titles() -> None:
    titles = [
        *((90.0 + k % 5, frozenset({"hip hop"})) for k in range(40)),
        *((120.0 + k % 9, frozenset({"pop"})) for k in range(200)),
        *((60.0, frozenset({"rare"})) for _ in range(5)),
    ]
    known = densities(titles, GRID)
    assert sorted(known) == ["hip hop", "pop"]
    tempi = tempo_axis(GRID)
    hip_hop = of_genre("Hip-Hop", known, GRID)
    assert 70 < tempi[hip_hop.argmax()] < 100
    assert not of_genre("rare", known, GRID).any()
    np.testing.assert_allclose(
        of_genre("hip-hop; pop", known, GRID), (known["hip hop"] + known["pop"]) / 2
    )


@pytest.mark.parametrize(("sure", "expected"), [(0.55, 90), (0.9, 180)])
def test_a_prior_changes_an_octave_that_is_not_sure(sure: float, expected: float) -> None:
    posterior = np.full(GRID.n_bins, 1e-6)
    tempi = tempo_axis(GRID)
    fast, slow = (int(np.abs(tempi - bpm).argmin()) for bpm in (180, 90))
    posterior[fast], posterior[slow] = sure, 1 - sure
    prior = np.where(np.abs(np.log2(tempi / 90)) < 0.2, 1.0, 0.0)
    assert where_unsure(posterior, prior, 1.0, 0.8, GRID) == pytest.approx(expected, rel=0.02)
    assert where_unsure(posterior, prior, 0.0, 0.8, GRID) == pytest.approx(180, rel=0.02)
    assert multiplied(posterior, prior, 5.0, GRID) == pytest.approx(90, rel=0.02)
