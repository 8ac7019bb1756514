"""A draft as a Standard MIDI File of type 1."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass

import mido

from ..tasks.notes.events import Note
from .drafts import Draft
from .grid import Grid

RESOLUTION = 480  # ticks in a quarter note
DEFAULT_BPM = 120.0  # as MIDI files have it without a tempo; used where it is not known
SLOWEST, FASTEST = 4.0, 1000.0  # [BPM] that programs accept in a file


@dataclass(frozen=True)
class TempoMap:
    """Ticks and seconds of a file: a first beat of `pickup` [s], then beats of `beat` [s].

    With a grid the first beat is as long as it takes for all further beats to lie on ticks that are
    multiples of the resolution, where music programs draw their bars, and for the notes to stay in
    time with the recording. Without one all beats are equal.
    """

    pickup: float
    beat: float

    @classmethod
    def of(cls, draft: Draft) -> TempoMap:
        """Tempo map of a draft."""
        if draft.grid is not None:
            return cls(_pickup(draft.grid), draft.grid.beat)
        bpm = min(max(draft.bpm or DEFAULT_BPM, SLOWEST), FASTEST)
        beat = mido.bpm2tempo(bpm) / 1e6  # as exact as a file states it, or ticks would drift
        return cls(beat, beat)

    def tick(self, seconds: float) -> int:
        """The tick that is nearest to a time [s]."""
        if seconds < self.pickup:
            return round(max(0.0, seconds) / self.pickup * RESOLUTION)
        return RESOLUTION + round((seconds - self.pickup) / self.beat * RESOLUTION)

    def messages(self) -> list[mido.MetaMessage]:
        """The tempo, and where it changes."""
        first, rest = (round(1e6 * beat) for beat in (self.pickup, self.beat))
        messages = [mido.MetaMessage("set_tempo", tempo=first, time=0)]
        if first != rest:
            messages.append(mido.MetaMessage("set_tempo", tempo=rest, time=RESOLUTION))
        return messages


def _pickup(grid: Grid) -> float:
    """Length of the first beat [s], between a half and one and a half of the others."""
    return grid.phase if grid.phase >= grid.beat / 2 else grid.phase + grid.beat


def encode(draft: Draft) -> bytes:
    """The content of a MIDI file: a track with title and tempo, and a track with the notes."""
    tempo_map = TempoMap.of(draft)
    file = mido.MidiFile(type=1, ticks_per_beat=RESOLUTION, charset="utf-8")
    file.tracks.append(mido.MidiTrack([_named(draft.title), *tempo_map.messages()]))
    file.tracks.append(
        mido.MidiTrack([_named(_PART_NAMES[draft.part]), *_events(draft, tempo_map)])
    )
    data = io.BytesIO()
    file.save(file=data)
    return data.getvalue()


_PART_NAMES = {"all": "Notes", "bass": "Bass", "top": "Melody"}


def _named(name: str) -> mido.MetaMessage:
    """Name of a track; characters that UTF-8 lacks, from bytes of a file's name, are replaced."""
    clean = name.encode("utf-8", "replace").decode("utf-8")
    return mido.MetaMessage("track_name", name=clean, time=0)


def _events(draft: Draft, tempo_map: TempoMap) -> list[mido.Message]:
    """Messages of the notes, each with the ticks since the one before."""
    events = []
    for start, end, note in separate(draft.notes, tempo_map):
        # A note ends before another of its pitch begins on the same tick.
        events.append((end, 0, note.pitch, 0))
        events.append((start, 1, note.pitch, note.velocity))
    now, messages = 0, []
    for tick, begins, pitch, velocity in sorted(events):
        kind = "note_on" if begins else "note_off"
        messages.append(mido.Message(kind, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    return messages


def separate(notes: Iterable[Note], tempo_map: TempoMap) -> list[tuple[int, int, Note]]:
    """(first tick, last tick, note) of every note, of which no two of one pitch overlap.

    In MIDI the end of a note ends whatever sounds at its pitch. So a note that begins while one of
    its pitch sounds ends that, and of two that begin on one tick the longer one stays.
    """
    found: list[tuple[int, int, Note]] = []
    last: dict[int, int] = {}  # index in `found` of the last note of each pitch
    for note in sorted(notes, key=lambda note: (note.start, -note.end)):
        start, end = tempo_map.tick(note.start), tempo_map.tick(note.end)
        if note.pitch in last:
            begun, until, other = found[last[note.pitch]]
            if begun == start:
                found[last[note.pitch]] = begun, max(until, end), other
                continue
            found[last[note.pitch]] = begun, min(until, start), other
        last[note.pitch] = len(found)
        found.append((start, max(end, start + 1), note))
    return found
