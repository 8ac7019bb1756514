"""The music of a synthesised clip before it is rendered: notes, parts, sections, onsets."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


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
class Score:
    """The onsets of a clip.

    `beats` (n,) are their times [beats], ascending, and `salience` (n,) > 0 how well each is heard.
    `origin` is the time of beat 0 [s], `bar` the number of beats in a bar, and `duration` that of
    the clip [s].
    """

    bpm: float
    bar: int
    origin: float
    duration: float
    beats: NDArray[np.float64]
    salience: NDArray[np.float64]

    def to_json(self) -> str:
        """The score as JSON; times are rounded to a thousandth of a beat."""
        values = asdict(self)
        for name in ("beats", "salience"):
            values[name] = values[name].round(3).tolist()
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> Score:
        """The score in a text of `to_json`."""
        values = json.loads(text)
        for name in ("beats", "salience"):
            values[name] = np.array(values[name], float)
        return cls(**values)
