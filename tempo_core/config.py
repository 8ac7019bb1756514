"""Settings as data: small frozen dataclasses that travel inside every checkpoint.

`to_dict` and `from_dict` are exact inverses; an unknown key is an error, so that a checkpoint of a
newer layout is refused instead of half understood. `digest` names a configuration, which is what
keys a cache of anything computed under it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import ConfigError

C = TypeVar("C", bound="_Config")


@dataclass(frozen=True)
class _Config:
    def to_dict(self) -> dict[str, Any]:
        """Plain values only, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls: type[C], values: dict[str, Any]) -> C:
        """Rebuild a configuration written by `to_dict`.

        Raises
        ------
        ConfigError
            If a key is unknown or missing.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if set(values) != known:
            raise ConfigError(
                f"{cls.__name__} needs exactly the keys {sorted(known)}, got {sorted(values)}"
            )
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the sorted JSON form."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class FrontEnd(_Config):
    """From audio to features: a log-compressed mel spectrogram."""

    sr: int = 11025  # [Hz], mono
    n_fft: int = 1024  # [samples] 93 ms
    hop_length: int = 128  # [samples] 11.6 ms
    n_mels: int = 40
    fmin: float = 30.0  # [Hz]
    fmax: float = 5400.0  # [Hz]

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.sr / self.hop_length


@dataclass(frozen=True)
class Windows(_Config):
    """How a track is cut into model inputs."""

    duration: float = 12.0  # [s] of one window
    hop: float = 6.0  # [s] between windows where audio is contiguous


@dataclass(frozen=True)
class TempoGrid(_Config):
    """A logarithmic tempo axis: equal ratios are equal distances."""

    bpm_min: float = 20.0
    n_bins: int = 180
    bins_per_octave: int = 36
    # Tempi outside this range are never answered; the axis itself is wider so that the harmonics
    # and sub-harmonics of an answer are still on it.
    answer_min: float = 30.0
    answer_max: float = 300.0


@dataclass(frozen=True)
class Model(_Config):
    """The size of the network, and how many of them answer together (see model.py)."""

    channels: tuple[int, ...] = (16, 32, 40)
    n_rate: int = 48
    n_timbre: int = 32
    n_prior: int = 16
    dropout: float = 0.1
    n_members: int = 2
    # Whether the prior decides among the octaves of a tempo only, so that learning another prior
    # cannot cost the rate.
    separate_octave: bool = False


@dataclass(frozen=True)
class PaceModel(_Config):
    """The fold and the size of the pace network (see pace_model.py)."""

    n_beats: int = 16
    n_phases: int = 24  # of a beat: in two, three and four
    n_channels: int = 24
    n_hidden: int = 48
    n_context: int = 23
    dropout: float = 0.15
