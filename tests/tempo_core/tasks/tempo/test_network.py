"""The tempo network's own layer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tempo_core.config import FrontEnd, Model, TempoGrid
from tempo_core.model import PairBands, TempoNet


@pytest.mark.parametrize("n_bands", [2, 5, 20])
def test_bands_in_pairs_are_what_pooling_gives(n_bands: int) -> None:
    x = torch.randn(3, 4, n_bands, 7)
    torch.testing.assert_close(PairBands(torch.maximum)(x), nn.MaxPool2d((2, 1))(x), rtol=0, atol=0)


def test_neighbouring_bands_are_averaged_before_all_else() -> None:
    """The guard set relies on it: it keeps one of two bands."""
    network = TempoNet(FrontEnd(), TempoGrid(), Model()).eval()
    maps, statistics = torch.randn(2, 3, 40, 180), torch.randn(2, 160)
    paired = nn.AvgPool2d((2, 1))(maps).repeat_interleave(2, dim=2)
    with torch.inference_mode():
        torch.testing.assert_close(network(maps, statistics), network(paired, statistics))
