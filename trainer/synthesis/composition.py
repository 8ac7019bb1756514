"""All of a synthesised clip before it is rendered: `Composition`."""

from __future__ import annotations

from dataclasses import dataclass

from .notes import Drums, InstrumentPart, Section
from .styles import Style


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
