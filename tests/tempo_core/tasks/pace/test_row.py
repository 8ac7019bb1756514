"""The pace task: how tracks are folded at candidates, and what comes out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tempo_core import Estimator, checkpoint
from tempo_core.config import FrontEnd, PaceModel, TempoGrid
from tempo_core.estimate import judge_candidates
from tempo_core.paces import COMPATIBLE
from tempo_core.tasks import TASKS, pace

from ..conftest import MakeAudio

FPS, GRID, MODEL = FrontEnd().fps, TempoGrid(), PaceModel()


@given(st.floats(40, 320), st.integers(100, 3000))
def test_folds_lie_inside_the_window(bpm: float, n_frames: int) -> None:
    n = pace.n_beats(bpm, n_frames, FPS, 16)
    if n == 0:
        assert 4 * 60 * FPS / bpm > n_frames - 1e-3
        return
    assert n in (4, 8, 16)
    for start in pace.places(n, bpm, n_frames, FPS):
        assert start >= -1e-3
        assert start + n * 60 * FPS / bpm <= n_frames + 1e-3


def test_slow_candidates_get_fewer_rows_and_too_slow_ones_none() -> None:
    window = torch.rand(40, round(12 * FPS) + 1)
    assert [f.shape[2:] for _, f in pace.view([window], [80.0, 60.0, 41.0], FPS, MODEL)] == [
        (16, 24), (8, 24),
    ]  # fmt: skip
    short = torch.rand(40, round(3 * FPS))
    (found,) = pace.view([short], [60.0, 100.0], FPS, MODEL)
    assert (found[0], found[1].shape[2]) == ([1], 4)
    assert pace.view([short], [60.0], FPS, MODEL) == []


def test_a_candidate_that_no_window_is_long_enough_for_is_not_offered() -> None:
    model = checkpoint.load(checkpoint.resolve("default", "pace"))
    short = [torch.rand(40, round(3 * FPS))]
    strength = torch.zeros(GRID.n_bins)
    slow, fast = judge_candidates(short, [50.0, 200.0], 200.0, strength, GRID, model)
    assert slow is None
    assert fast is not None
    assert 0 <= fast <= 1


def test_a_short_track_has_the_paces_that_fit(make_audio: MakeAudio) -> None:
    for duration in (1.2, 3.3, 5.3, 8.3):
        found = (
            Estimator().estimate(make_audio(f"{duration}.wav", bpm=140, duration=duration)).paces
        )
        assert all(0 <= p.probability <= 1 for p in found)
        assert all(p.bpm >= 4 * 60 / duration - 1 for p in found) or duration > 3


def test_all_candidates_at_once_are_as_one_by_one() -> None:
    model = checkpoint.load(checkpoint.resolve("default", "pace"))
    windows = [torch.rand(40, 1034, generator=torch.Generator().manual_seed(k)) for k in range(2)]
    strength = torch.linspace(0, 1, GRID.n_bins)
    tempi = [128.0, 64.0, 256.0, 192.0]
    together = judge_candidates(windows, tempi, 128.0, strength, GRID, model)
    alone = [judge_candidates(windows, [t], 128.0, strength, GRID, model)[0] for t in tempi]
    assert together == pytest.approx(alone, abs=1e-5)


def test_context_says_place_relation_and_pulse() -> None:
    strength = torch.zeros(GRID.n_bins)
    strength[GRID.bins_per_octave * 2] = 1.0  # 80 BPM
    rows = pace.context([160.0, 80.0, 47.0], 160.0, strength, GRID)
    assert rows.shape == (3, pace.N_CONTEXT)
    assert MODEL.n_context == pace.N_CONTEXT
    relations = rows[:, : len(pace.RELATIONS)]
    assert [pace.RELATIONS[k] for k in relations[:2].argmax(dim=1)] == [1.0, 0.5]
    assert not relations[2].any()
    assert not pace.context([160.0], None, strength, GRID)[0, : len(pace.RELATIONS)].any()
    places = rows[:, len(pace.RELATIONS) :][:, : len(pace.KNOTS)]
    torch.testing.assert_close(places.sum(dim=1), torch.ones(3))
    knots = torch.log2(torch.tensor(pace.KNOTS))
    # Linear in the logarithm: the knots average to the place itself.
    torch.testing.assert_close(places @ knots, torch.log2(torch.tensor([160.0, 80.0, 47.0])))
    pulses = rows[:, -len(pace.PULSES) :]
    assert pulses[0].tolist() == [0, 1, 0, 0, 0]  # its half
    assert pulses[1].tolist() == [0, 0, 1, 0, 0]


def test_the_task_is_a_row_of_the_table() -> None:
    task = TASKS["pace"]
    logits = torch.tensor([-2.0, 0.0, 3.0])
    scores = task.activate(logits, 2.0)
    torch.testing.assert_close(scores, torch.sigmoid(logits / 2))
    assert float(task.pool(scores)) == pytest.approx(float(scores.mean()))
    assert [p.bpm for p in task.decode([60.0, 120.04], [0.2, 0.876])] == [120.0, 60.0]
    targets = task.encode([1.0, 0.0])
    assert task.loss(torch.tensor([9.0, -9.0]), targets) < 0.01
    assert task.loss(torch.tensor([-9.0, 9.0]), targets) > 8


@pytest.mark.parametrize(
    ("bpm", "style", "compatible", "incompatible"),
    [
        (124, "house", (124, 62), (186, 82.7, 93)),
        (172, "dnb", (172, 86), (258, 114.7, 129)),
        (120, "rock", (120, 60, 240), (180, 80, 90)),
    ],
)
def test_what_one_can_move_to(
    bpm: float, style: str, compatible: tuple[float, ...], incompatible: tuple[float, ...],
    make_audio: MakeAudio,
) -> None:  # fmt: skip
    """Half time of house is a pace, three halves of it is none."""
    found = Estimator().estimate(make_audio("a.flac", bpm=bpm, style=style, duration=40)).paces

    def probability(tempo: float) -> float:
        return next((p.probability for p in found if abs(p.bpm / tempo - 1) < 0.01), 0.0)

    for tempo in compatible:
        assert probability(tempo) >= COMPATIBLE, (tempo, found)
    for tempo in incompatible:
        assert probability(tempo) < COMPATIBLE, (tempo, found)
