"""Tests of the results of the pace task."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from tempo_core import Estimator, checkpoint
from tempo_core.config import FrontEnd, Windows
from tempo_core.heard import Heard, Window
from tempo_core.model import Checkpoint
from tempo_core.paces import COMPATIBLE
from tempo_core.task import Batch
from tempo_core.tasks import row
from tempo_core.tasks.pace.config import PaceConfig
from tempo_core.tasks.pace.row import (
    LOOKED_AT,
    activate,
    clear_windows,
    decode,
    encode,
    pool,
    view_of,
)
from tempo_core.tasks.tempo.config import TempoGrid
from tempo_core.tasks.tempo.decode import Tempo
from tests.rows import mostly_slow

from ....conftest import MakeAudio

FPS, GRID = FrontEnd().fps, TempoGrid()


@pytest.fixture(scope="module")
def model() -> Checkpoint[PaceConfig]:
    return checkpoint.load(checkpoint.resolve("shipped", "pace"))


def judge(
    windows: Sequence[np.ndarray],
    tempi: Sequence[float],
    bpm: float | None,
    strength: np.ndarray,
    model: Checkpoint[PaceConfig],
) -> np.ndarray:
    """Probabilities by candidate."""
    scored = [
        (batch, activate(model.network(*batch.inputs), model.config, model.temperature))
        for batch in view_of(windows, tempi, bpm, strength, GRID, model)
    ]
    return pool(scored, model.config)


def test_a_candidate_that_no_window_is_long_enough_for_is_not_offered(
    model: Checkpoint[PaceConfig],
) -> None:
    short = [np.random.default_rng(0).random((40, round(3 * FPS)), np.float32)]
    strength = np.zeros(GRID.n_bins)
    slow, fast = judge(short, [50.0, 200.0], 200.0, strength, model)
    assert np.isnan(slow)
    assert 0 <= fast <= 1
    (fast_only,) = judge(short, [200.0, 50.0], 200.0, strength, model)
    assert fast_only == pytest.approx(fast, abs=1e-6)
    heard = Heard((), 11025)
    tempo = Tempo(200.0, 1.0, None, strength, GRID, Windows())
    (found,) = decode(np.array([fast]), heard, {"tempo": tempo}, model)
    assert found.bpm == 200
    found, other = decode(np.array([fast, np.nan, 1.0]), heard, {"tempo": tempo}, model)
    assert found.probability == 1
    assert other.bpm == 200


def test_a_short_track_has_the_paces_that_fit(make_audio: MakeAudio) -> None:
    for duration in (1.2, 3.3, 5.3, 8.3):
        found = (
            Estimator().estimate(make_audio(f"{duration}.wav", bpm=140, duration=duration)).paces
        )
        assert all(0 <= p.probability <= 1 for p in found)
        assert all(p.bpm >= 4 * 60 / duration - 1 for p in found) or duration > 3


def test_all_candidates_at_once_are_as_one_by_one(model: Checkpoint[PaceConfig]) -> None:
    windows = [np.random.default_rng(k).random((40, 1034), np.float32) for k in range(2)]
    strength = np.linspace(0, 1, GRID.n_bins)
    tempi = [128.0, 64.0, 256.0, 192.0]
    together = judge(windows, tempi, 128.0, strength, model)
    alone = [float(judge(windows, [t], 128.0, strength, model)[0]) for t in tempi]
    assert together.tolist() == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize("n", [1, 3, 4, 5, 40, 200])
def test_a_few_clear_windows_spread_over_the_track_are_looked_at(n: int) -> None:
    windows = [Window(np.full((2, 2), k, np.float32), 0.4 + 0.1 * (k % 2)) for k in range(n)]
    windows += [Window(np.full((2, 2), -1, np.float32), 0.1)] * 3
    chosen = [int(features[0, 0]) for features in clear_windows(windows)]
    assert len(chosen) == min(n, LOOKED_AT)
    assert chosen == sorted(set(chosen))
    assert chosen[0] == 0
    assert chosen[-1] >= 0.75 * n - 2


def test_the_task_is_a_row_of_the_table() -> None:
    task, config = row("pace"), PaceConfig()
    assert (task.name, task.needs, task.config) == ("pace", ("tempo",), PaceConfig)
    logits = np.array([-2.0, 0.0, 3.0], np.float32)
    scores = task.activate(logits, config, 2.0)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits / 2)), rtol=1e-6)
    batch = Batch((), np.zeros(3, int), np.ones(3))
    assert task.pool([(batch, scores)], config) == pytest.approx([scores.mean()])
    split = [
        (dataclasses.replace(batch, which=np.array([0, 1])), scores[:2]),
        (dataclasses.replace(batch, which=np.array([1])), scores[2:]),
    ]
    assert task.pool(split, config) == pytest.approx([scores[0], scores[1:].mean()])
    assert encode([1.0, 0.25]).tolist() == [1.0, 0.25]
    assert task.pool([], config).size == 0


def test_candidates_come_most_probable_first_and_rounded(model: Checkpoint[PaceConfig]) -> None:
    tempo = Tempo(120.04, 1.0, None, np.zeros(GRID.n_bins), GRID, Windows())
    found = decode(np.array([0.2, 0.1, 0.876]), Heard((), 11025), {"tempo": tempo}, model)
    assert [(p.bpm, p.probability) for p in found] == [(60.0, 0.88), (120.0, 0.2), (40.0, 0.1)]


@mostly_slow(
    ("bpm", "style", "compatible", "incompatible"),
    [
        (124, "house", (124, 62), (186, 82.7, 93)),
        (172, "dnb", (172, 86), (258, 114.7, 129)),
        (120, "rock", (120, 60, 240), (180, 80, 90)),
    ],
    quick=1,
)
def test_what_one_can_move_to(
    bpm: float, style: str, compatible: tuple[float, ...], incompatible: tuple[float, ...],
    make_audio: MakeAudio,
) -> None:  # fmt: skip
    """One can move to house at half time, but not at 3/2 of its tempo."""
    found = Estimator().estimate(make_audio("a.flac", bpm=bpm, style=style, duration=40)).paces

    def probability(tempo: float) -> float:
        return next((p.probability for p in found if abs(p.bpm / tempo - 1) < 0.01), 0.0)

    for tempo in compatible:
        assert probability(tempo) >= COMPATIBLE, (tempo, found)
    for tempo in incompatible:
        assert probability(tempo) < COMPATIBLE, (tempo, found)
