"""Settings as data: small frozen dataclasses that travel inside every checkpoint.

`to_dict` and `from_dict` are exact inverses; an unknown key is an error, so that a checkpoint of a
newer layout is refused instead of half understood. So is a value of another type or beyond what
makes sense: a model file may hold anything, and nothing is to be computed or allocated by it.
`digest` names a configuration, which is what keys a cache of anything computed under it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import ConfigError

C = TypeVar("C", bound="_Config")
LONGEST_TOLD = 60  # characters of a value in a message


def _setting(default: Any, low: float, high: float) -> Any:
    """A field with a default, and the least and the most it may be."""
    return dataclasses.field(default=default, metadata={"limits": (low, high)})


def told(value: object) -> str:
    """Any value as a short piece of one line."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        text = "a number of thousands of digits"
    return text if len(text) <= LONGEST_TOLD else f"{text[: LONGEST_TOLD - 1]}…"


def check_number(value: object, where: str, default: Any, low: float, high: float) -> None:
    """Refuse what is no number of the kind of the default, or outside low..high.

    Raises
    ------
    ConfigError
        Saying where it stands, what it is and what it may be.
    """
    kind = "a whole number" if isinstance(default, int) else "a number"
    accepted = int if isinstance(default, int) else (int, float)
    right = isinstance(value, accepted) and not isinstance(value, bool) and low <= value <= high
    if not right:
        raise ConfigError(f"{where} is {told(value)}; {kind} from {low:g} to {high:g} is needed")


@dataclass(frozen=True)
class _Config:
    def __post_init__(self) -> None:
        """Check every value.

        Raises
        ------
        ConfigError
            If one is of another type than its default, or outside its limits.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            where = f"{type(self).__name__}.{field.name}"
            if isinstance(field.default, tuple):
                if not isinstance(value, tuple) or len(value) != len(field.default):
                    raise ConfigError(
                        f"{where} is {told(value)}; {len(field.default)} numbers are needed"
                    )
                for part in value:
                    check_number(part, where, field.default[0], *field.metadata["limits"])
            elif isinstance(field.default, bool):
                self.require(isinstance(value, bool), field.name, "must be true or false")
            else:
                check_number(value, where, field.default, *field.metadata["limits"])

    def require(self, right: bool, name: str, expected: str) -> None:
        """Raise `ConfigError` about a field unless it is right."""
        if not right:
            value = told(getattr(self, name))
            raise ConfigError(f"{type(self).__name__}.{name} is {value}; it {expected}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values only, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls: type[C], values: dict[str, Any]) -> C:
        """Rebuild a configuration written by `to_dict`.

        Raises
        ------
        ConfigError
            If a key is unknown or missing, or a value makes no sense.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(values, dict):
            raise ConfigError(f"{cls.__name__} is {told(values)}; an object is needed")
        if set(values) != known:
            lacking, odd = sorted(known - set(values)), sorted(set(values) - known)
            raise ConfigError(
                f"{cls.__name__} needs exactly the keys {sorted(known)}; "
                f"missing are {told(lacking)}, unknown {told(odd)}"
            )
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the sorted JSON form."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class FrontEnd(_Config):
    """From audio to features: a log-compressed mel spectrogram."""

    sr: int = _setting(11025, 4000, 192000)  # [Hz], mono
    n_fft: int = _setting(1024, 64, 65536)  # [samples] 93 ms
    hop_length: int = _setting(128, 16, 65536)  # [samples] 11.6 ms
    n_mels: int = _setting(40, 8, 512)
    fmin: float = _setting(30.0, 0.0, 96000.0)  # [Hz]
    fmax: float = _setting(5400.0, 1.0, 96000.0)  # [Hz]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.hop_length <= self.n_fft, "hop_length", "must not exceed n_fft")
        # Less cannot show the fastest tempo, more is only work.
        self.require(20 <= self.fps <= 1000, "hop_length", "must make 20 to 1000 frames a second")
        self.require(self.fmin < self.fmax, "fmin", "must be below fmax")
        self.require(self.fmax <= self.sr / 2, "fmax", "must not exceed half of sr")

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.sr / self.hop_length


@dataclass(frozen=True)
class Windows(_Config):
    """How a track is cut into model inputs."""

    duration: float = _setting(12.0, 1.0, 120.0)  # [s] of one window
    hop: float = _setting(6.0, 0.1, 600.0)  # [s] between windows where audio is contiguous


@dataclass(frozen=True)
class TempoGrid(_Config):
    """A logarithmic tempo axis: equal ratios are equal distances."""

    bpm_min: float = _setting(20.0, 1.0, 300.0)
    n_bins: int = _setting(180, 16, 4096)
    bins_per_octave: int = _setting(36, 4, 512)
    # Tempi outside this range are never answered; the axis itself is wider so that the harmonics
    # and sub-harmonics of an answer are still on it.
    answer_min: float = _setting(30.0, 1.0, 1000.0)
    answer_max: float = _setting(300.0, 1.0, 1000.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        octaves = self.n_bins / self.bins_per_octave
        # The network looks two octaves up and down from each tempo.
        self.require(2 < octaves <= 12, "n_bins", "must be more than 2 and at most 12 octaves")
        self.require(self.answer_min < self.answer_max, "answer_min", "must be below answer_max")
        top = self.bpm_min * 2.0 ** ((self.n_bins - 1) / self.bins_per_octave)
        self.require(self.bpm_min <= self.answer_min, "answer_min", "must be on the axis")
        self.require(self.answer_max <= top, "answer_max", f"must be on the axis, up to {top:.0f}")


@dataclass(frozen=True)
class Model(_Config):
    """The size of the network, and how many of them answer together (see model.py)."""

    channels: tuple[int, ...] = _setting((16, 32, 40), 1, 256)
    n_rate: int = _setting(48, 1, 512)
    n_timbre: int = _setting(32, 1, 512)
    n_prior: int = _setting(16, 2, 1024)
    dropout: float = _setting(0.1, 0.0, 0.95)
    n_members: int = _setting(2, 1, 64)
    # Whether the prior decides among the octaves of a tempo only, so that learning another prior
    # cannot cost the rate.
    separate_octave: bool = False


@dataclass(frozen=True)
class PaceModel(_Config):
    """The fold and the size of the pace network (see pace_model.py)."""

    n_beats: int = _setting(16, 4, 128)
    n_phases: int = _setting(24, 4, 192)  # of a beat: in two, three and four
    n_channels: int = _setting(24, 1, 256)
    n_hidden: int = _setting(48, 1, 512)
    n_context: int = _setting(23, 1, 512)
    dropout: float = _setting(0.15, 0.0, 0.95)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.n_beats % 4 == 0, "n_beats", "must be a multiple of 4")
