"""What a clip of the synthesis plays, before any sound: notes, parts, sections, compositions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .styles import Style


@dataclass(frozen=True)
class Sources:
    """Where the raw material lies: Groove MIDI and POP909 under `midi`, drum hits in `samples`."""

    midi: Path
    samples: Path


@dataclass(frozen=True)
class Note:
    """A note in beats: pitch and velocity as in MIDI."""

    start: float
    end: float
    pitch: int
    velocity: int


# A drum part and its notes; of toms the pitch counts from the highest.
Hits = dict[str, list[Note]]


@dataclass(frozen=True)
class InstrumentPart:
    """What one instrument plays; `role` is `melody`, `chords` or `bass`."""

    role: str
    program: int  # General MIDI, or VOICE
    notes: list[Note]


@dataclass(frozen=True)
class Section:
    """A phrase of the clip [beats] and the parts that rest in it."""

    start: float
    end: float
    silent: tuple[str, ...] = ()
    stop: float = 0.0  # the last so many beats are silent altogether


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
    parts: tuple[InstrumentPart, ...]  # of the harmony, as arranged
    harmony: bool

    @property
    def origin(self) -> float:
        """Where beat 0, the beginning of a bar, lies [s]: at the clip's beginning or before it."""
        return self.first_beat - self.skipped * 60.0 / self.bpm
