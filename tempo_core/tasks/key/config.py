"""Settings of the key task."""

from __future__ import annotations

from dataclasses import dataclass

from ...config import Config, setting


@dataclass(frozen=True)
class KeyModel(Config):
    """Sizes of the network."""

    n_channels: int = setting(10, 1, 128)  # of the convolutions over the spectrum
    n_merged: int = setting(24, 1, 256)  # of a pitch class, when its octaves are put together
    n_hidden: int = setting(40, 1, 256)  # of the convolution over the circle of pitch classes
    dropout: float = setting(0.1, 0.0, 0.9)


@dataclass(frozen=True)
class KeyConfig(Config):
    """Everything that a model of keys is configured by."""

    model: KeyModel = KeyModel()
    # Below this confidence there is no key: noise, speech and drums have none.
    least_confidence: float = setting(0.3, 0.0, 1.0)
