"""Configuration of beats models: the cells of a beat and the size of the network."""

from __future__ import annotations

from dataclasses import dataclass

from ...config import Config, setting


@dataclass(frozen=True)
class BeatsModel(Config):
    """Size of the beats network, see network.py."""

    n_phases: int = setting(24, 4, 192)  # cells of a beat; can be divided by two, three and four
    n_channels: int = setting(24, 1, 256)
    n_rounds: int = setting(3, 1, 16)  # each looks two beats further to both sides
    dropout: float = setting(0.1, 0.0, 0.95)


_MODEL = BeatsModel()


@dataclass(frozen=True)
class BeatsConfig(Config):
    """Configuration of a beats model."""

    model: BeatsModel = _MODEL
    # By how much the score of a way to count bars is multiplied so that it is a log probability.
    bar_scale: float = setting(1.0, 0.0, 100.0)
