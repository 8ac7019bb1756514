"""Tests of MIDI files: what other programs read in them."""

from __future__ import annotations

import io

import mido
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempo_core.tasks.notes.events import Note
from tempo_core.transcription.choices import Wanted
from tempo_core.transcription.drafts import Draft, Transcribed, draft
from tempo_core.transcription.grid import Grid, quantized
from tempo_core.transcription.midi import RESOLUTION, TempoMap, encode

NOTES = (Note(0.0, 1.013, 60, 100), Note(0.5, 0.75, 64, 33), Note(1.2503, 2.0, 67, 127))


def read(content: bytes) -> mido.MidiFile:
    return mido.MidiFile(file=io.BytesIO(content), charset="utf-8")


def sounding(content: bytes) -> list[pretty_midi.Note]:
    (instrument,) = pretty_midi.PrettyMIDI(io.BytesIO(content)).instruments
    return sorted(instrument.notes, key=lambda note: (note.start, note.pitch))


def test_a_file_has_tempo_names_velocities_and_times() -> None:
    content = encode(Draft("Übermut ♯1", "top", NOTES, 127.98))
    file = read(content)
    assert (file.type, file.ticks_per_beat, len(file.tracks)) == (1, RESOLUTION, 2)
    assert [track.name for track in file.tracks] == ["Übermut ♯1", "Melody"]
    (tempo,) = (m for m in file.tracks[0] if m.type == "set_tempo")
    assert mido.tempo2bpm(tempo.tempo) == pytest.approx(127.98, abs=1e-3)
    tick = 60 / 127.98 / RESOLUTION
    for note, heard in zip(NOTES, sounding(content), strict=True):
        assert (heard.pitch, heard.velocity) == (note.pitch, note.velocity)
        assert heard.start == pytest.approx(note.start, abs=0.51 * tick)
        assert heard.end == pytest.approx(note.end, abs=0.51 * tick)


@pytest.mark.slow
def test_times_stay_exact_in_a_long_track() -> None:
    late = Note(7000.123, 7000.5, 60)
    (heard,) = sounding(encode(Draft("a", "all", (late,), 133.337)))
    assert heard.start == pytest.approx(late.start, abs=0.51 * 60 / 133 / RESOLUTION)


@pytest.mark.parametrize("bpm", [None, 1.0, 1e9])
def test_any_tempo_gives_a_file(bpm: float | None) -> None:
    heard = sounding(encode(Draft("a", "all", (Note(0.5, 1.0, 60),), bpm)))
    assert [(n.start, n.end) for n in heard] == [
        (pytest.approx(0.5, abs=0.02), pytest.approx(1.0, abs=0.02))
    ]


def test_a_name_that_is_no_text_gives_a_file() -> None:
    assert read(encode(Draft("a\udcff", "all", NOTES, 120.0))).tracks[0].name == "a?"


def test_without_notes_there_is_an_empty_track() -> None:
    file = read(encode(Draft("a", "all", (), None)))
    assert [m.type for m in file.tracks[1]] == ["track_name", "end_of_track"]


def test_overlapping_notes_of_a_pitch_are_kept_apart() -> None:
    notes = (Note(0.0, 2.0, 60, 90), Note(1.0, 1.5, 60, 70), Note(1.0, 3.0, 62))
    heard = sounding(encode(Draft("a", "all", notes, 120.0)))
    assert [(n.pitch, n.start, n.end) for n in heard] == [(60, 0, 1), (60, 1, 1.5), (62, 1, 3)]


TIMES = st.floats(0, 60)
MANY = st.lists(
    st.builds(
        lambda start, length, pitch, velocity: Note(start, start + length, pitch, velocity),
        TIMES, st.floats(0, 5), st.integers(58, 62), st.integers(1, 127),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=50)
@given(MANY, st.floats(30, 300), st.floats(0, 0.999))
def test_every_note_ends_before_the_next_of_its_pitch(
    notes: list[Note], bpm: float, phase: float
) -> None:
    beat = 60 / bpm
    for given_ in (None, Grid(phase * beat, beat, 4)):
        placed = tuple(notes) if given_ is None else quantized(notes, given_)
        file = read(encode(Draft("a", "all", placed, bpm, given_)))
        on: dict[int, bool] = {}
        length = 0
        for message in file.tracks[1]:
            length += message.time
            if message.type == "note_on":
                assert not on.get(message.note)
                on[message.note], length = True, 0
            elif message.type == "note_off":
                assert on[message.note]
                on[message.note] = False
        assert not any(on.values())


def test_notes_on_a_grid_are_on_the_lines_of_music_programs_and_in_time() -> None:
    grid = Grid(0.31, 60 / 127.98, 4)
    notes = quantized(
        [Note(0.31 + 0.4688 * k, 0.31 + 0.4688 * k + 0.2, 60) for k in range(900)], grid
    )
    content = encode(Draft("a", "all", notes, grid.bpm, grid))
    now, ticks = 0, []
    for message in read(content).tracks[1]:
        now += message.time
        ticks += [now] if message.type == "note_on" else []
    assert ticks == [RESOLUTION * (k + 1) for k in range(900)]
    for note, heard in zip(notes, sounding(content), strict=True):
        assert heard.start == pytest.approx(note.start, abs=0.001)


@pytest.mark.parametrize("phase", [0.0, 0.01, 0.2, 0.26, 0.49])
def test_the_first_beat_has_a_tempo_that_programs_can_show(phase: float) -> None:
    tempo_map = TempoMap.of(Draft("a", "all", (), 120.0, Grid(phase, 0.5, 4)))
    assert 0.25 <= tempo_map.pickup <= 0.75
    assert tempo_map.tick(phase) % RESOLUTION == 0 or phase < tempo_map.pickup


def test_a_part_is_written_and_the_grid_is_that_of_all_notes() -> None:
    notes = tuple(
        Note(0.1 + 0.125 * k, 0.2 + 0.125 * k, pitch, 100 if k % 4 == 0 else 60)
        for k in range(64) for pitch in (40, 52, 76)
    )  # fmt: skip
    transcribed = Transcribed(notes, 120.0, 1.0)
    for part in ("all", "bass", "top"):
        made = draft(transcribed, Wanted(part, quantize=True), "a")
        assert made.grid == draft(transcribed, Wanted(quantize=True), "a").grid
        assert made.bpm == pytest.approx(120, abs=0.01)
        assert len(made.notes) == (192 if part == "all" else 64)
    played = draft(Transcribed(notes, 120.0, 0.5), Wanted(quantize=True), "a")
    assert played.problem == ("the tempo is not steady (stability 0.50): the notes stay as played")
    assert (played.notes, played.grid) == (
        tuple(sorted(notes, key=lambda n: (n.start, n.pitch))),
        None,
    )
