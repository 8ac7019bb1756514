"""Tests that each variant of the ablation differs from the shipped network as described."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tempo_core.config import FrontEnd
from tempo_core.tasks.tempo.axis import tempo_axis
from tempo_core.tasks.tempo.config import Model, TempoConfig
from tempo_core.tasks.tempo.decode import encode
from tempo_core.tasks.tempo.periodicity import N_MAPS
from trainer.making.tempo import TempoRecipe
from trainer.research.ablation import VARIANTS, LinearAxis, Variant, Without, hierarchical_loss

FRONT_END, CONFIG = FrontEnd(), TempoConfig(model=Model(channels=(4, 4, 4)))
GRID = CONFIG.grid


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_every_variant_gives_one_logit_a_tempo(variant: Variant) -> None:
    network = variant.make(FRONT_END, CONFIG).eval()
    logits = network(torch.rand(2, N_MAPS, 40, GRID.n_bins), torch.rand(2, 160))
    assert logits.shape == (2, GRID.n_bins)
    shares = dict(variant.recipe(TempoRecipe()).shares)
    assert sum(share > 0 for share in shares.values()) >= 3


def test_only_the_named_input_is_taken_away() -> None:
    class Spy(torch.nn.Module):
        def forward(self, maps: torch.Tensor, statistics: torch.Tensor) -> torch.Tensor:
            self.seen = maps, statistics
            return statistics

    maps, statistics = torch.rand(1, N_MAPS, 4, 6) + 1, torch.rand(1, 8) + 1
    spy = Spy()
    Without(spy, map_=1)(maps, statistics)
    assert (spy.seen[0] == 0).all(dim=-1).all(dim=-1).tolist() == [[False, True, False]]
    assert torch.equal(spy.seen[1], statistics)
    Without(spy, statistics=True)(maps, statistics)
    assert torch.equal(spy.seen[0], maps)
    assert not spy.seen[1].any()


def test_the_linear_axis_puts_a_tempo_where_it_belongs() -> None:
    network = LinearAxis(FRONT_END, CONFIG)
    tempi = tempo_axis(GRID)
    k = int(np.abs(tempi - 300).argmin())
    bump = torch.exp(-0.5 * ((torch.arange(GRID.n_bins) - k) / 4.0) ** 2)
    linear = bump @ network.to_linear
    assert 20 + int(linear.argmax()) * 620 / (GRID.n_bins - 1) == pytest.approx(300, rel=0.03)
    back = linear @ network.to_log
    assert int(back.argmax()) == pytest.approx(k, abs=2)


def test_the_hierarchical_loss_forgives_octaves_only_in_its_second_part() -> None:
    target = torch.from_numpy(encode([(120.0, 1.0)], CONFIG))[None]

    def loss(bpm: float) -> float:
        logits = 20 * torch.from_numpy(encode([(bpm, 1.0)], CONFIG)).sum(dim=0)[None]
        return float(hierarchical_loss(logits, target, GRID.bins_per_octave))

    assert loss(120) < loss(60) < loss(90)
