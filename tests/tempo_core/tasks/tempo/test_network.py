"""Tests of the layers of the tempo network."""

from __future__ import annotations

import numpy as np
import pytest

from tempo_core.config import FrontEnd
from tempo_core.errors import ConfigError
from tempo_core.tasks.tempo.axis import answerable
from tempo_core.tasks.tempo.config import Model, TempoConfig, TempoGrid
from tempo_core.tasks.tempo.decode import activate
from tempo_core.tasks.tempo.network import Ensemble, Member, build, pair_bands
from tests.models import random_network

FRONT_END = FrontEnd()
SMALL = Model(channels=(4, 6, 5), n_rate=8, n_timbre=7, n_members=2)


@pytest.mark.parametrize("n_bands", [2, 5, 20])
def test_bands_in_pairs_are_what_pooling_gives(n_bands: int) -> None:
    x = np.random.default_rng(0).standard_normal((3, 4, n_bands, 7))
    pooled = x[:, :, : n_bands // 2 * 2].reshape(3, 4, n_bands // 2, 2, 7).max(axis=3)
    np.testing.assert_array_equal(pair_bands(x, np.maximum), pooled)


def inputs(rng: np.random.Generator, n: int = 2) -> tuple[np.ndarray, np.ndarray]:
    maps = rng.standard_normal((n, 3, 40, 180)).astype(np.float32)
    return maps, rng.standard_normal((n, 160)).astype(np.float32)


def test_neighbouring_bands_are_averaged_before_all_else(rng: np.random.Generator) -> None:
    """The network averages neighbouring bands first, so the guard set may keep half of them."""
    network = random_network(Member(FRONT_END, TempoConfig()))
    maps, statistics = inputs(rng)
    paired = np.repeat((maps[:, :, 0::2] + maps[:, :, 1::2]) / 2, 2, axis=2)
    np.testing.assert_allclose(
        network(maps, statistics), network(paired, statistics), rtol=1e-4, atol=1e-4
    )


def test_an_ensemble_is_the_mean_of_its_members(rng: np.random.Generator) -> None:
    whole = random_network(build(FRONT_END, TempoConfig(model=SMALL)))
    member = Member(FRONT_END, TempoConfig(model=SMALL))
    given = inputs(rng)
    alone = [member.forward(whole.ops.at(f"members.{k}"), *given) for k in range(2)]
    assert np.abs(alone[0] - alone[1]).max() > 0.1
    np.testing.assert_allclose(whole(*given), np.mean(alone, axis=0), rtol=1e-4, atol=1e-5)


def test_the_rate_is_found_alike_everywhere_on_the_axis(rng: np.random.Generator) -> None:
    """Shifting the map shifts the logits, away from the ends of the axis."""
    network = random_network(Member(FRONT_END, TempoConfig(model=SMALL)))
    member, maps = network.definition, np.zeros((1, 3, 40, 180), np.float32)
    assert isinstance(member, Member)
    maps[..., 88:92] = rng.standard_normal((1, 3, 40, 4))
    found, _ = member.find_rate(network.ops, maps)
    moved, _ = member.find_rate(network.ops, np.roll(maps, 5, axis=-1))
    np.testing.assert_allclose(moved[0, 85:100], found[0, 80:95], rtol=1e-4, atol=1e-5)
    assert np.ptp(found[0, 80:95]) > 1e-3


def test_kept_separate_the_prior_only_shares_an_octave_out(rng: np.random.Generator) -> None:
    config = TempoConfig(model=Model(n_members=1, separate_octave=True))
    ensemble = build(FRONT_END, config)
    assert isinstance(ensemble, Ensemble)
    ops = random_network(ensemble).ops
    rate, prior = (rng.standard_normal((2, 180)).astype(np.float32) for _ in range(2))

    def octaves(logits: np.ndarray) -> np.ndarray:
        return activate(logits, config).reshape(2, -1, 36).sum(axis=1)

    with_prior = ensemble.combine(ops, rate, prior)
    np.testing.assert_allclose(octaves(with_prior), octaves(rate), rtol=1e-4)
    assert np.abs(activate(with_prior, config) - activate(rate, config)).max() > 1e-3
    together = build(FRONT_END, TempoConfig(model=Model(n_members=1)))
    assert isinstance(together, Ensemble)
    np.testing.assert_array_equal(together.combine(ops, rate, prior), rate + prior)


def test_octaves_are_kept_separate_on_whole_ones_only() -> None:
    grid = TempoGrid(n_bins=170)
    build(FRONT_END, TempoConfig(grid))
    with pytest.raises(ConfigError, match="170 bins are not a whole number of octaves of 36"):
        build(FRONT_END, TempoConfig(grid, Model(separate_octave=True)))


def test_what_is_unanswerable_to_the_network_is_to_the_decoder() -> None:
    ensemble = build(FRONT_END, TempoConfig())
    np.testing.assert_array_equal(ensemble.unanswerable, ~answerable(TempoGrid()))
