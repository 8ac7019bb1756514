"""Tests of pieces whose notes are known."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.synthesis.rendering.pieces import Part, Piece, sounding
from trainer.synthesis.studies import Played, draw_study
from trainer.synthesis.tones import play


def piece(*parts: Part) -> Piece:
    return Piece("band", 10.0, parts)


def test_equal_pitches_that_begin_together_are_one_note() -> None:
    two = piece(
        Part(0, (Played(1.0, 2.0, 60, 50),)),
        Part(40, (Played(1.04, 3.0, 60, 90), Played(1.04, 2.0, 72, 90))),
    )
    rows = sounding(two)
    assert rows[:, 2].tolist() == [60, 72]
    np.testing.assert_allclose(rows[0], [1.0, 3.0, 60, 90])


def test_a_note_ends_where_its_pitch_is_struck_again() -> None:
    rows = sounding(piece(Part(0, (Played(1.0, 4.0, 60, 80), Played(2.0, 3.0, 60, 80)))))
    np.testing.assert_allclose(rows[:, :2], [[1.0, 2.0], [2.0, 3.0]])


def test_the_pedal_holds_notes_of_its_own_part_only() -> None:
    pedalled = Part(0, (Played(1.0, 1.5, 60, 80), Played(3.0, 3.2, 64, 80)), ((1.2, 2.5),))
    free = Part(40, (Played(1.0, 1.5, 67, 80),))
    ends = {int(pitch): end for _, end, pitch, _ in sounding(piece(pedalled, free))}
    assert ends == pytest.approx({60: 2.5, 64: 3.2, 67: 1.5})


def test_notes_end_with_the_piece() -> None:
    assert sounding(piece(Part(0, (Played(9.0, 12.0, 60, 80),))))[0, 1] == 10.0


def test_no_notes_are_an_empty_table() -> None:
    assert sounding(piece()).shape == (0, 4)


@pytest.mark.parametrize("seed", range(12))
def test_studies_stay_on_the_keyboard_and_in_time(seed: int) -> None:
    notes, pedal = draw_study(10.0, np.random.default_rng(seed))
    assert len(notes) > 5
    assert all(21 <= n.pitch <= 108 and 1 <= n.velocity <= 127 for n in notes)
    assert all(0 <= n.start < n.end <= 10.0 for n in notes)
    assert all(down < up for down, up in pedal)
    assert draw_study(10.0, np.random.default_rng(seed)) == (notes, pedal)


def test_studies_differ_and_cover_the_keyboard_and_the_dynamics() -> None:
    drawn = [draw_study(20.0, np.random.default_rng(k))[0] for k in range(40)]
    pitches = np.array([n.pitch for notes in drawn for n in notes])
    loudness = np.array([n.velocity for notes in drawn for n in notes])
    assert pitches.min() < 32
    assert pitches.max() > 98
    assert np.percentile(loudness, 5) < 40
    assert np.percentile(loudness, 95) > 100
    assert len({len(notes) for notes in drawn}) > 20


def test_a_tone_sounds_at_its_pitch_while_it_lasts() -> None:
    sr = 11025
    audio = play([Played(1.0, 2.0, 69, 100)], 3.0, sr, np.random.default_rng(0))
    assert audio.shape == (3 * sr,)
    assert audio.dtype == np.float32
    assert not audio[: sr - 10].any()
    assert not audio[round(2.1 * sr) :].any()
    spectrum = np.abs(np.fft.rfft(audio[sr : 2 * sr]))
    # A harmonic may be louder than the fundamental.
    assert spectrum.argmax() % 440 in (0, 1, 439)
