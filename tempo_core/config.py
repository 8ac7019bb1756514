"""Settings as data: small frozen dataclasses that travel inside every checkpoint.

`to_dict` and `from_dict` are exact inverses. An unknown key is an error, so that a checkpoint of a
newer layout is refused instead of half understood; so is a value of another type or out of range,
since a model file may hold anything, and no work or memory must follow from that. `digest` names a
configuration; caches of what was computed under it are named so.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import ConfigError

C = TypeVar("C", bound="Config")
LONGEST_TOLD = 60  # [characters] of a value in a message
LONGEST_NAME = 60  # [characters]


def setting(default: Any, low: float, high: float) -> Any:
    """A field of a configuration: its default, and the lowest and highest value allowed."""
    return dataclasses.field(default=default, metadata={"limits": (low, high)})


def choice(default: str, *others: str) -> Any:
    """A field of a configuration that is one of several words: its default, and the others."""
    return dataclasses.field(default=default, metadata={"choices": (default, *others)})


def names(most: int) -> Any:
    """A field of a configuration: at most so many names, each other; without one by default."""
    return dataclasses.field(default=(), metadata={"names": most})


def told(value: object) -> str:
    """Any value as text of one line and at most `LONGEST_TOLD` characters, for messages."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        text = "a number of thousands of digits"
    return text if len(text) <= LONGEST_TOLD else f"{text[: LONGEST_TOLD - 1]}…"


def check_number(value: object, where: str, default: Any, low: float, high: float) -> None:
    """Refuse a value that is no number of the type of the default, or not in low..high.

    Raises
    ------
    ConfigError
        Its message has the name `where`, the value, and what is allowed.
    """
    kind = "a whole number" if isinstance(default, int) else "a number"
    accepted = int if isinstance(default, int) else (int, float)
    right = isinstance(value, accepted) and not isinstance(value, bool) and low <= value <= high
    if not right:
        # A limit that is a whole number is told with all of its digits.
        lowest, highest = (n if isinstance(n, int) else f"{n:g}" for n in (low, high))
        raise ConfigError(f"{where} is {told(value)}; {kind} from {lowest} to {highest} is needed")


def _are_names(value: object, most: int) -> bool:
    """Whether this is a tuple of at most so many different lines of text that are not too long."""
    return (
        isinstance(value, tuple)
        and len(value) <= most
        and all(isinstance(name, str) and name.isprintable() for name in value)
        and all(0 < len(name) <= LONGEST_NAME for name in value)
        and len(set(value)) == len(value)
    )


@dataclass(frozen=True)
class Config:
    """Base class of configurations, checked by `setting` or `choice` of a field and its default."""

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
            if isinstance(field.default, Config):
                self.require(
                    isinstance(value, type(field.default)), field.name, "must be a configuration"
                )
            elif "names" in field.metadata:
                most = field.metadata["names"]
                expected = f"must be at most {most} different names"
                self.require(_are_names(value, most), field.name, expected)
            elif isinstance(field.default, tuple):
                if not isinstance(value, tuple) or len(value) != len(field.default):
                    raise ConfigError(
                        f"{where} is {told(value)}; {len(field.default)} numbers are needed"
                    )
                for part in value:
                    check_number(part, where, field.default[0], *field.metadata["limits"])
            elif isinstance(field.default, bool):
                self.require(isinstance(value, bool), field.name, "must be true or false")
            elif isinstance(field.default, str):
                words = field.metadata["choices"]
                right = isinstance(value, str) and value in words
                self.require(right, field.name, f"must be one of {', '.join(words)}")
            else:
                check_number(value, where, field.default, *field.metadata["limits"])

    def require(self, right: bool, name: str, expected: str) -> None:
        """Raise `ConfigError` about the field `name` unless `right`; `expected` ends its text."""
        if not right:
            value = told(getattr(self, name))
            raise ConfigError(f"{type(self).__name__}.{name} is {value}; it {expected}")

    def to_dict(self) -> dict[str, Any]:
        """The configuration as plain values, ready for JSON."""
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
        parts = {
            field.name: type(field.default).from_dict(values[field.name])
            for field in dataclasses.fields(cls)
            if isinstance(field.default, Config)
        }
        plain = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**{**plain, **parts})

    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the sorted JSON form."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class FrontEnd(Config):
    """From audio to features: a log-compressed mel spectrogram."""

    sr: int = setting(11025, 4000, 192000)  # [Hz], mono
    n_fft: int = setting(1024, 64, 65536)  # [samples] 93 ms
    hop_length: int = setting(128, 16, 65536)  # [samples] 11.6 ms
    n_mels: int = setting(40, 8, 512)
    fmin: float = setting(30.0, 0.0, 96000.0)  # [Hz]
    fmax: float = setting(5400.0, 1.0, 96000.0)  # [Hz]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.hop_length <= self.n_fft, "hop_length", "must not exceed n_fft")
        # Fewer frames cannot show the fastest tempi, more are of no use.
        self.require(20 <= self.fps <= 1000, "hop_length", "must make 20 to 1000 frames a second")
        self.require(self.fmin < self.fmax, "fmin", "must be below fmax")
        self.require(self.fmax <= self.sr / 2, "fmax", "must not exceed half of sr")

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.sr / self.hop_length

    @property
    def filterbank_shape(self) -> tuple[int, int]:
        """Shape (n_mels, n_frequencies) of the filterbank for this front end."""
        return self.n_mels, self.n_fft // 2 + 1


@dataclass(frozen=True)
class HarmonyFrontEnd(Config):
    """From audio to features: a spectrogram whose bands are equally far apart in pitch."""

    sr: int = setting(11025, 4000, 192000)  # [Hz], mono
    n_fft: int = setting(8192, 256, 65536)  # [samples] 743 ms
    hop_length: int = setting(2205, 64, 65536)  # [samples] 200 ms
    bands_per_semitone: int = setting(3, 1, 9)
    n_octaves: int = setting(7, 1, 10)
    lowest: float = setting(32.703196, 8.0, 1000.0)  # [Hz] the first semitone: C1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.hop_length <= self.n_fft, "hop_length", "must not exceed n_fft")
        self.require(
            self.lowest * 2**self.n_octaves <= self.sr / 2, "n_octaves", "must end below half of sr"
        )

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.sr / self.hop_length

    @property
    def n_bands(self) -> int:
        """Bands of all octaves together."""
        return 12 * self.bands_per_semitone * self.n_octaves

    @property
    def filterbank_shape(self) -> tuple[int, int]:
        """(n_bands, 1): what a model file holds of the bands is their centres [Hz]."""
        return self.n_bands, 1


@dataclass(frozen=True)
class NotesFrontEnd(Config):
    """From audio to features: a constant-Q spectrogram, see `constant_q`."""

    sr: int = setting(11025, 4000, 192000)  # [Hz], mono
    hop_length: int = setting(256, 16, 65536)  # [samples] 23 ms
    bands_per_semitone: int = setting(3, 1, 9)
    n_semitones: int = setting(90, 12, 120)
    lowest: float = setting(27.5, 8.0, 1000.0)  # [Hz] the first semitone: A0
    sharpness: float = setting(2.0, 0.5, 4.0)  # of bands: lengths, where 1 just parts semitones
    longest: float = setting(0.6, 0.02, 4.0)  # [s] of the kernel of a low band

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(20 <= self.fps <= 1000, "hop_length", "must make 20 to 1000 frames a second")
        highest = self.lowest * 2 ** (self.n_semitones / 12)
        self.require(highest <= 0.46 * self.sr, "n_semitones", "must end below 0.46 of sr")

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.sr / self.hop_length

    @property
    def n_bands(self) -> int:
        """Bands of one resolution."""
        return self.bands_per_semitone * self.n_semitones

    @property
    def filterbank_shape(self) -> tuple[int, int]:
        """(n_bands, 1): what a model file holds of the bands is their centres [Hz]."""
        return self.n_bands, 1


@dataclass(frozen=True)
class OddsScaling(Config):
    """Calibration of a probability: its log odds times `slope` plus `offset`.

    The default leaves a probability as it is.

    Platt, "Probabilistic outputs for support vector machines", 1999.
    """

    slope: float = setting(1.0, 1e-3, 1e3)
    offset: float = setting(0.0, -20.0, 20.0)

    def __call__(self, probability: float) -> float:
        """A probability, 0 to 1, calibrated; 0 and 1 stay what they are."""
        if not 0 < probability < 1:
            return probability
        odds = self.slope * math.log(probability / (1 - probability)) + self.offset
        # In this form nothing overflows.
        return 0.5 * (1 + math.tanh(odds / 2))


UNSCALED = OddsScaling()


@dataclass(frozen=True)
class Windows(Config):
    """How a track is cut into model inputs."""

    duration: float = setting(12.0, 1.0, 120.0)  # [s] of one window
    hop: float = setting(6.0, 0.1, 600.0)  # [s] between windows where audio is contiguous
