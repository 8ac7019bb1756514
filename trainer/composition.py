"""What a clip of the synthesis plays, before any sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .score import Hits, Part, Section
from .styles import Style


@dataclass(frozen=True)
class MidiSound:
    """How fluidsynth plays some parts: levels, drum kit, soundfont, with effects or without."""

    levels: tuple[float, ...]
    kit: int
    font: str
    effects: bool


@dataclass(frozen=True)
class SampleSound:
    """How a sampled drum sounds: the hit, its speed, its longest duration [samples], its level."""

    path: Path
    speed: float
    tail: int
    gain: float


@dataclass(frozen=True)
class Drums:
    """The drums of a clip: who plays them (`sampled`, `loop`, `midi` or `human`), and what."""

    kind: str
    hits: Hits
    sound: MidiSound | dict[str, SampleSound] | Path  # for a loop the file


@dataclass(frozen=True)
class Composition:
    """What a clip plays, before any sound; times in beats of `bpm`."""

    style: Style
    bpm: float
    duration: float  # [s]
    first_beat: float  # [s]
    skipped: int  # so many beats of the first bar lie before the clip
    sections: tuple[Section, ...]
    drums: Drums | None
    parts: tuple[Part, ...]  # of the harmony, as arranged
    harmony: bool

    @property
    def origin(self) -> float:
        """Where beat 0, the beginning of a bar, lies [s]: at the clip's beginning or before it."""
        return self.first_beat - self.skipped * 60.0 / self.bpm
