"""The music of a synthesised clip before it is rendered: notes, parts, sections, compositions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .styles import Style


@dataclass(frozen=True)
class Sources:
    """Folders with the raw material: `midi` has Groove MIDI and POP909, `samples` has drum hits."""

    midi: Path
    samples: Path


@dataclass(frozen=True)
class Note:
    """A note, with times in beats; pitch and velocity are those of MIDI."""

    start: float
    end: float
    pitch: int
    velocity: int


# Notes by the part of the drums. The pitch of toms counts from the highest one, 0.
Hits = dict[str, list[Note]]


@dataclass(frozen=True)
class InstrumentPart:
    """The notes of one instrument; `role` is `melody`, `chords` or `bass`."""

    role: str
    program: int  # of General MIDI, or `harmony.VOICE_PROGRAM`
    notes: list[Note]


@dataclass(frozen=True)
class Section:
    """A phrase of the clip from `start` to `end` [beats]."""

    start: float
    end: float
    silent: tuple[str, ...] = ()  # parts that rest in it
    stop: float = 0.0  # length of complete silence at its end [beats]


@dataclass(frozen=True)
class MidiSound:
    """Settings with which fluidsynth plays some parts."""

    levels: tuple[float, ...]  # factor on the velocities of each part
    kit: int  # General MIDI program of the drum kit
    font: str  # path of the soundfont
    effects: bool  # whether there is reverberation and chorus


@dataclass(frozen=True)
class SampleSound:
    """The sound of one part of sampled drums."""

    path: Path  # file of the hit
    speed: float  # factor on its speed, and so on its pitch
    tail: int  # greatest duration [samples]
    gain: float  # factor on the amplitude


@dataclass(frozen=True)
class Drums:
    """The drums of a clip."""

    kind: str  # `sampled`, `loop`, `midi` or `human`
    hits: Hits  # empty for a loop
    sound: MidiSound | dict[str, SampleSound] | Path  # for a loop its file


@dataclass(frozen=True)
class Composition:
    """The music of a clip before it is rendered; times are in beats of `bpm` unless stated."""

    style: Style
    bpm: float
    duration: float  # [s]
    first_beat: float  # [s]
    skipped: int  # number of beats of the first bar that lie before the clip
    sections: tuple[Section, ...]
    drums: Drums | None
    parts: tuple[InstrumentPart, ...]  # melody, chords and bass as arranged
    harmony: bool  # whether there are any of these parts

    @property
    def origin(self) -> float:
        """Time [s] of beat 0, the beginning of a bar, which may lie before the clip."""
        return self.first_beat - self.skipped * 60.0 / self.bpm
