"""Tests of the parts of a transcription: the lowest line and the melody line."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tempo_core.tasks.notes.events import Note
from tempo_core.transcription.choices import ALL, BASS, PARTS, TOP
from tempo_core.transcription.lines import part_of

NOTES = st.lists(
    st.builds(
        lambda start, length, pitch: Note(start, start + length, pitch),
        st.floats(0, 20), st.floats(0.03, 4), st.integers(21, 108),
    ),
    max_size=40,
)  # fmt: skip


def pitches(notes: tuple[Note, ...]) -> list[int]:
    return [note.pitch for note in notes]


def test_a_melody_over_chords_and_bass_is_taken_apart() -> None:
    melody = [Note(0.5 * k, 0.5 * k + 0.45, pitch) for k, pitch in enumerate((76, 74, 72, 74))]
    chords = [Note(0.01, 1.9, pitch) for pitch in (60, 64, 67)]
    bass = [Note(0.0, 0.98, 36), Note(1.0, 1.98, 43)]
    played = [*melody, *chords, *bass]
    assert pitches(part_of(played, TOP)) == [76, 74, 72, 74]
    assert pitches(part_of(played, BASS)) == [36, 43]
    assert sorted(part_of(played, ALL), key=repr) == sorted(played, key=repr)


def test_short_gaps_are_closed_and_rests_stay() -> None:
    first, second, third = part_of([Note(0, 0.4, 70), Note(0.5, 1, 72), Note(1.5, 2, 71)], TOP)
    assert (first.end, second.end, third.end) == (0.5, 1, 2)


def test_a_tail_of_the_note_before_does_not_hide_the_next() -> None:
    high, low = part_of([Note(0, 0.6, 72), Note(0.5, 1, 67)], TOP)
    assert (high.end, low.start, low.end) == (0.5, 0.5, 1)


def test_what_moves_below_a_held_note_is_not_melody() -> None:
    held = Note(0, 2, 80)
    below = [Note(0.5 * k, 0.5 * k + 0.5, 60 + k) for k in range(1, 4)]
    assert part_of([held, *below], TOP) == (held,)


@given(NOTES)
def test_a_line_is_one_voice_of_notes_that_were_there(notes: list[Note]) -> None:
    for part in (TOP, BASS):
        line = part_of(notes, part)
        assert {(note.start, note.pitch) for note in line} <= {(n.start, n.pitch) for n in notes}
        assert all(note.end > note.start for note in line)
        assert all(one.end <= two.start for one, two in pairwise(line))
        assert bool(line) == bool(notes)


@given(NOTES)
def test_the_order_of_the_notes_does_not_matter(notes: list[Note]) -> None:
    def plain(part: str, given: list[Note]) -> list[tuple[float, int]]:
        return [(note.start, note.pitch) for note in part_of(given, part)]

    for part in PARTS:
        assert plain(part, notes) == plain(part, notes[::-1])
