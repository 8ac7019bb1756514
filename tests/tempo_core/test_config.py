"""Configuration as data."""

from __future__ import annotations

import json

import pytest

from tempo_core.config import FrontEnd, Model, PaceModel, TempoGrid, Windows
from tempo_core.errors import ConfigError

ALL = [FrontEnd(), Windows(), TempoGrid(), Model(), PaceModel()]


@pytest.mark.parametrize("config", ALL, ids=lambda c: type(c).__name__)
def test_round_trip_through_json(config: FrontEnd | Windows | TempoGrid | Model) -> None:
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
