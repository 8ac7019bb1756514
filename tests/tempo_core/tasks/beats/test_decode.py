"""Tests of the grid that follows from the logits of folds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from tempo_core.config import FrontEnd, Windows
from tempo_core.heard import Heard
from tempo_core.model import Checkpoint
from tempo_core.tasks.beats.cells import Place, place_of
from tempo_core.tasks.beats.config import BeatsConfig
from tempo_core.tasks.beats.decode import Beats, Piece, decode, phase_of
from tempo_core.tasks.tempo.config import TempoGrid
from tempo_core.tasks.tempo.decode import Tempo

FPS, N_PHASES = FrontEnd().fps, 24
CONFIG = BeatsConfig()


def piece(
    start: float, bpm: float, first_beat: float, downbeat: int | None = None, sure: float = 5.0
) -> Piece:
    """Logits of a fold of music with a beat at `first_beat` [s] and every beat after it.

    `downbeat` is the number of a beat, counted from that one, at which a bar of four begins.
    """
    place = place_of(start, round(12 * FPS), FPS, bpm, 1.0)
    assert place is not None
    n = int(12 / place.period)
    phase = first_beat / place.period % 1
    away = ((np.arange(N_PHASES) + 0.5) / N_PHASES - phase + 0.5) % 1 - 0.5
    beats = np.tile(sure * np.exp(-0.5 * (away * N_PHASES) ** 2), (n, 1))
    downbeats = np.zeros((n, N_PHASES))
    if downbeat is not None:
        number = place.first + np.arange(n) - np.floor(first_beat / place.period) - downbeat
        downbeats[number % 4 == 0] = sure
    return Piece(place, beats, downbeats)


def tempo(bpm: float) -> Tempo:
    return Tempo(bpm, 0.9, 1.0, np.zeros(1), TempoGrid(), Windows())


def decoded(pieces: list[Piece], bpm: float, duration: float | None = None) -> Beats:
    model = cast("Checkpoint[Any]", type("Model", (), {"config": CONFIG}))
    heard = Heard((), 11025, duration)
    heard.n_seconds = 12.0 * len(pieces)
    return decode(pieces, heard, {"tempo": tempo(bpm)}, model)


STARTS = (0.0, 6.0, 60.0, 90.0)


@pytest.mark.parametrize("first_beat", [0.011, 0.2, 0.4])
def test_a_steady_track_has_one_section(first_beat: float) -> None:
    found = decoded([piece(s, 128.0, first_beat, 2) for s in STARTS], 128.0)
    assert found.grid is not None
    assert found.grid.is_steady
    assert found.grid.first_beat == pytest.approx(first_beat, abs=2e-3)
    assert found.grid.sections[0].beat == 3
    assert found.grid.downbeat == pytest.approx(first_beat + 2 * 60 / 128, abs=2e-3)
    assert found.downbeat_confidence is not None
    assert found.downbeat_confidence > 0.9
    assert found.confidence > 0.9


def test_a_beat_at_the_beginning_is_not_lost() -> None:
    """One that is found a little before the first sample is at it, and has the place before."""
    period = 60 / 128
    found = decoded([piece(s, 128.0, period - 0.003, 0) for s in STARTS], 128.0)
    assert found.grid is not None
    assert (found.grid.first_beat, found.grid.sections[0].beat) == (0.0, 4)
    later = decoded([piece(s, 128.0, period - 0.02, 0) for s in STARTS], 128.0)
    assert later.grid is not None
    assert later.grid.first_beat == pytest.approx(period - 0.02, abs=2e-3)
    assert later.grid.sections[0].beat == 1


def test_bars_are_as_sure_as_the_beats_at_most() -> None:
    """Bars that are clear are worth nothing if it is not sure where the beats are."""
    pieces = [piece(s, 128.0, 0.2, 0) for s in STARTS]
    faint = [replace(p, beats=0.3 * p.beats) for p in pieces]
    sure, unsure = decoded(pieces, 128.0), decoded(faint, 128.0)
    assert sure.downbeat_confidence is not None
    assert sure.downbeat_confidence > 0.9
    assert unsure.confidence < 0.9 * sure.confidence
    assert unsure.downbeat_confidence is not None
    assert unsure.downbeat_confidence <= unsure.confidence


def test_without_accents_no_bars_are_counted() -> None:
    found = decoded([piece(s, 128.0, 0.2) for s in STARTS], 128.0)
    assert found.grid is not None
    assert found.grid.downbeat is None
    assert found.downbeat_confidence is None


def test_without_beats_there_is_no_grid() -> None:
    found = decoded([piece(s, 128.0, 0.2, sure=0.1) for s in STARTS], 128.0)
    assert found.grid is None
    assert found.confidence < 0.3


def test_nothing_heard_is_no_grid() -> None:
    assert decoded([], 128.0) == Beats(None, 0.0)


def test_one_window_on_the_off_beat_does_not_change_the_grid() -> None:
    pieces = [piece(s, 120.0, 0.1, 0) for s in STARTS]
    pieces[1] = piece(STARTS[1], 120.0, 0.1 + 0.25)
    found = decoded(pieces, 120.0)
    assert found.grid is not None
    assert found.grid.is_steady
    assert found.grid.first_beat == pytest.approx(0.1, abs=2e-3)


def test_another_tempo_begins_a_section() -> None:
    pieces = [piece(0.0, 120.0, 0.1), piece(6.0, 120.0, 0.1), piece(20.0, 126.0, 0.3)]
    found = decoded(pieces, 120.0)
    assert found.grid is not None
    assert [round(s.bpm, 1) for s in found.grid.sections] == [120.0, 126.0]
    assert found.downbeat_confidence is None
    beats = [time for time, _ in found.grid.beats(40.0)]
    assert beats[0] == pytest.approx(0.1, abs=3e-3)
    late = [t for t in beats if t > 22]
    assert np.allclose(((np.array(late) - 0.3) / (60 / 126) + 0.5) % 1 - 0.5, 0, atol=0.02)


def test_a_changing_track_of_which_little_was_heard_has_no_grid() -> None:
    pieces = [piece(0.0, 120.0, 0.1), piece(100.0, 126.0, 0.3)]
    assert decoded(pieces, 120.0, duration=25.0).grid is not None
    found = decoded(pieces, 120.0, duration=200.0)
    assert found.grid is None
    assert found.confidence > 0.9
    steady_one = [piece(0.0, 120.0, 0.1), piece(100.0, 120.0, 0.1)]
    assert decoded(steady_one, 120.0, duration=200.0).grid is not None


def test_the_phase_lies_between_cells() -> None:
    for phase in (0.02, 0.33, 0.99):
        one = piece(0.0, 60.0, phase)
        assert phase_of([one])[0] == pytest.approx(phase, abs=2e-3)


def test_pieces_without_weight_say_nothing() -> None:
    quiet = piece(6.0, 120.0, 0.35)
    quiet = replace(quiet, place=replace(quiet.place, weight=0.0))
    found = decoded([piece(0.0, 120.0, 0.1, 0), quiet], 120.0)
    assert found.grid is not None
    assert found.grid.first_beat == pytest.approx(0.1, abs=2e-3)


def test_a_place_knows_its_times() -> None:
    assert Place(3, 0.5, 1.0).time(2, 0.25) == pytest.approx(2.625)
