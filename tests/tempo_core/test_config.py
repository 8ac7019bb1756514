"""Tests of the configuration classes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tempo_core.config import UNSCALED, Config, FrontEnd, OddsScaling, Windows
from tempo_core.errors import ConfigError
from tempo_core.tasks.pace.config import PaceConfig, PaceModel
from tempo_core.tasks.tempo.config import Model, TempoConfig, TempoGrid

ALL: list[Config] = [
    FrontEnd(), Windows(), TempoGrid(), Model(), PaceModel(), TempoConfig(), PaceConfig(),
    OddsScaling(1.3, -0.2),
]  # fmt: skip


@pytest.mark.parametrize(
    "genres", ["rock", ("rock", "rock"), ("",), (1,), ("a\nb",), ("x" * 61,), [["rock"]],
               tuple(map(str, range(65)))],
)  # fmt: skip
def test_names_are_checked(genres: object) -> None:
    values = TempoConfig().to_dict()
    again = TempoConfig.from_dict({**values, "genres": ["hip hop", "r&b"]})
    assert again.genres == ("hip hop", "r&b")
    with pytest.raises(ConfigError, match=r"TempoConfig.genres is .* at most 64 different names"):
        TempoConfig.from_dict({**values, "genres": genres})


@pytest.mark.parametrize("config", ALL, ids=lambda c: type(c).__name__)
def test_round_trip_through_json(config: Config) -> None:
    again = type(config).from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert again.digest() == config.digest()


def test_an_unknown_or_missing_key_is_an_error() -> None:
    with pytest.raises(ConfigError, match="colour"):
        Windows.from_dict({**Windows().to_dict(), "colour": "red"})
    with pytest.raises(ConfigError, match="duration"):
        Windows.from_dict({"hop": 6.0})


def test_the_digest_tells_configurations_apart() -> None:
    assert FrontEnd().digest() != FrontEnd(n_mels=41).digest()


def test_a_part_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"TempoConfig.model .* must be a configuration"):
        TempoConfig(model=PaceModel())  # type: ignore[arg-type]
    values = TempoConfig().to_dict()
    with pytest.raises(ConfigError, match="n_bins"):
        TempoConfig.from_dict({**values, "grid": {**values["grid"], "n_bins": -1}})


def test_log_odds_are_scaled() -> None:
    assert UNSCALED(0.73) == pytest.approx(0.73)
    assert OddsScaling(2.0, 0.0)(0.8) == pytest.approx(16 / 17)  # odds of 4 become 4²
    assert OddsScaling(1.0, math.log(3))(0.5) == pytest.approx(0.75)
    wildest = OddsScaling(1e3, -20.0)
    assert [wildest(p) for p in (0.0, 1e-300, 1 - 1e-12, 1.0)] == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "values", [(0.0, 0.0), (-1.0, 0.0), (1.0, 21.0), (math.nan, 0.0), ("1", 0)]
)
def test_a_scaling_that_turns_probabilities_round_is_refused(values: tuple[Any, Any]) -> None:
    with pytest.raises(ConfigError, match="OddsScaling"):
        OddsScaling(*values)
