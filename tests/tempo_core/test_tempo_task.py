"""Encoding, decoding and preferring tempi on the grid."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tempo_core.config import TempoGrid
from tempo_core.tasks.tempo import activate, answerable, decode, loss, mass_near, pool, prefer
from tempo_core.tasks.tempo import encode as encode_readings

GRID = TempoGrid()


def encode(readings: list[tuple[float, float]], grid: TempoGrid) -> torch.Tensor:
    """A target as one distribution (n_bins,), all readings together."""
    return encode_readings(readings, grid).sum(dim=0)


@given(st.floats(31.0, 290.0))
@settings(max_examples=200, deadline=None)
def test_decode_inverts_encode_without_bias(bpm: float) -> None:
    assert decode(encode([(bpm, 1.0)], GRID), GRID).bpm == pytest.approx(bpm, rel=1e-3)


@pytest.mark.parametrize("bpm", [30.0, 300.0, 12.0, 500.0])
def test_the_edges_decode_to_themselves(bpm: float) -> None:
    """Within half a bin: there is no neighbour on the other side to interpolate with."""
    inside = min(max(bpm, 30.0), 300.0)
    assert decode(encode([(bpm, 1.0)], GRID), GRID).bpm == pytest.approx(inside, rel=0.02)


def test_an_uncertain_octave_is_shared_out() -> None:
    target = encode([(80.0, 0.5), (160.0, 0.5)], GRID)
    assert float(target.sum()) == pytest.approx(1.0, abs=1e-5)
    assert mass_near(target, GRID, 80.0) == pytest.approx(mass_near(target, GRID, 160.0), rel=1e-2)


def test_sure_labels_decide_the_octave_of_open_ones() -> None:
    """An open label pulls towards the reading that the network already prefers."""
    logits = (4 * encode([(160.0, 0.8), (80.0, 0.2)], GRID)).clone().requires_grad_()
    masked = logits.masked_fill(~answerable(GRID), -torch.inf)
    loss(masked[None], encode_readings([(80.0, 0.5), (160.0, 0.5)], GRID)[None]).backward()
    assert logits.grad is not None
    k80, k160 = (round(36 * math.log2(bpm / 20)) for bpm in (80, 160))
    assert logits.grad[k160] < logits.grad[k80] < 0


def test_the_loss_is_least_at_the_label() -> None:
    target = encode_readings([(120.0, 1.0)], GRID)[None]
    right, wrong = (
        float(loss(encode([(bpm, 1.0)], GRID).clamp_min(1e-9).log()[None], target))
        for bpm in (120.0, 126.0)
    )
    assert right < wrong


def test_only_answerable_tempi_get_probability() -> None:
    scores = activate(torch.zeros(3, GRID.n_bins), GRID)
    assert float(scores[:, ~answerable(GRID)].abs().max()) == 0.0
    torch.testing.assert_close(scores.sum(dim=1), torch.ones(3))


def test_a_higher_temperature_is_less_sure() -> None:
    logits = torch.randn(1, GRID.n_bins, generator=torch.Generator().manual_seed(1)) * 3
    assert float(activate(logits, GRID, 2.0).max()) < float(activate(logits, GRID, 1.0).max())


def test_pool_is_the_mean_over_windows() -> None:
    scores = torch.stack([encode([(100.0, 1.0)], GRID), encode([(140.0, 1.0)], GRID)])
    pooled = pool(scores)
    assert float(pooled.sum()) == pytest.approx(1.0, abs=1e-5)
    assert mass_near(pooled, GRID, 100.0) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ("bpm", "bounds", "expected"),
    [
        (160.0, (70.0, 140.0), 80.0),
        (80.0, (100.0, 200.0), 160.0),
        (120.0, (70.0, 140.0), 120.0),
        (44.0, (90.0, 180.0), 176.0),
        (100.0, (60.0, 70.0), 100.0),  # no octave of it lies there: left as it is
    ],
)
def test_a_preferred_range_moves_by_octaves(
    bpm: float, bounds: tuple[float, float], expected: float
) -> None:
    posterior = prefer(encode([(bpm, 1.0)], GRID), GRID, bounds)
    assert decode(posterior, GRID).bpm == pytest.approx(expected, rel=0.01)
    assert float(posterior.sum()) == pytest.approx(1.0, abs=1e-4)


def test_preferring_leaves_its_argument_alone() -> None:
    posterior = encode([(160.0, 1.0)], GRID)
    before = posterior.clone()
    prefer(posterior, GRID, (70.0, 140.0))
    assert torch.equal(posterior, before)


def test_mass_near_counts_four_percent() -> None:
    posterior = torch.zeros(GRID.n_bins)
    k = 93
    posterior[k] = 1.0
    bpm = GRID.bpm_min * 2 ** (k / GRID.bins_per_octave)
    assert mass_near(posterior, GRID, bpm * 1.039) == 1.0
    assert mass_near(posterior, GRID, bpm * 1.045) == 0.0
    assert math.isclose(decode(posterior, GRID).bpm, bpm, rel_tol=1e-6)
