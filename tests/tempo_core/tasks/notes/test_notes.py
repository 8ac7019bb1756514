"""Tests of the shipped notes model on sounds whose notes are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempo_core.errors import AudioError
from tempo_core.estimate import Estimator
from tempo_core.tasks.notes.decode import notes_of
from tempo_core.tasks.notes.events import Note, Thresholds, Transcription
from tests.audio import applause, write_audio
from tests.rows import mostly_slow
from trainer.evaluation.notes import measure_notes
from trainer.synthesis.studies import Played
from trainer.synthesis.tones import play

SR = 22050


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator(tasks=["notes"], windows="all")


def transcribed(estimator: Estimator, path: Path, audio: np.ndarray) -> Transcription:
    write_audio(path, audio, SR)
    found: Transcription = estimator.results(path)["notes"]
    return found


def tune(shift: float = 0.0) -> list[Played]:
    """Chords under a melody, three notes at a time."""
    notes = []
    for k, pitch in enumerate((60, 64, 67, 72, 71, 67, 65, 62)):
        start = 0.5 + 0.5 * k
        notes.append(Played(start, start + 0.45, pitch + 12, 90))
        if k % 2 == 0:
            notes += [Played(start, start + 0.9, p, 70) for p in (48 + k, 55 + k)]
    return [Played(n.start, n.end, int(n.pitch + shift), n.velocity) for n in notes]


def known(notes: list[Played]) -> list[Note]:
    return [Note(n.start, n.end, n.pitch) for n in notes]


def heard(notes: list[Played], seconds: float = 6.0) -> np.ndarray:
    return play(notes, seconds, SR, np.random.default_rng(3))


def test_plain_tones_are_found(estimator: Estimator, tmp_path: Path) -> None:
    found = transcribed(estimator, tmp_path / "a.flac", heard(tune()))
    assert measure_notes(known(tune()), found.notes, 6.0).f > 0.9
    assert list(found.notes) == sorted(found.notes, key=lambda n: (n.start, n.pitch))
    assert all(1 <= n.velocity <= 127 and 0 <= n.confidence <= 1 for n in found.notes)


@mostly_slow("shift", [-12, -1, 1, 7, 12], quick=(0, 3))
def test_what_is_moved_by_semitones_is_found_there(
    estimator: Estimator, tmp_path: Path, shift: int
) -> None:
    found = transcribed(estimator, tmp_path / "a.flac", heard(tune(shift)))
    assert measure_notes(known(tune(shift)), found.notes, 6.0).f > 0.85


@mostly_slow("cents", [-30, 30], quick=1)
def test_music_out_of_tune_keeps_its_notes(
    estimator: Estimator, tmp_path: Path, cents: int
) -> None:
    audio = heard(tune())
    speed = 2 ** (cents / 1200)
    place = np.arange(int(len(audio) / speed) - 1) * speed
    detuned = np.interp(place, np.arange(len(audio)), audio).astype(np.float32)
    found = transcribed(estimator, tmp_path / "a.flac", detuned)
    expected = [Note(n.start / speed, n.end / speed, n.pitch) for n in tune()]
    assert measure_notes(expected, found.notes, 6.0).f > 0.8


@pytest.mark.slow
def test_louder_and_softer_is_the_same(estimator: Estimator, tmp_path: Path) -> None:
    loud = transcribed(estimator, tmp_path / "a.wav", 0.9 * heard(tune()))
    soft = transcribed(estimator, tmp_path / "b.wav", 0.02 * heard(tune()))
    assert [n.pitch for n in loud.notes] == [n.pitch for n in soft.notes]


def test_the_threshold_can_be_changed_afterwards(estimator: Estimator, tmp_path: Path) -> None:
    found = transcribed(estimator, tmp_path / "a.flac", heard(tune()))
    assert notes_of(found.stretches, found.thresholds) == found.notes
    assert len(notes_of(found.stretches, Thresholds(0.95, 0.5))) < len(found.notes)


@pytest.mark.slow
def test_noise_and_applause_have_hardly_any_notes(estimator: Estimator, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = (0.1 * rng.standard_normal(8 * SR)).astype(np.float32)
    assert len(transcribed(estimator, tmp_path / "noise.wav", noise).notes) <= 2
    clapping = applause(8.0, SR, rng)
    assert len(transcribed(estimator, tmp_path / "clapping.wav", clapping).notes) <= 2


def test_silence_and_scraps_are_one_message(estimator: Estimator, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="silent"):
        transcribed(estimator, tmp_path / "silent.wav", np.zeros(3 * SR, np.float32))
    with pytest.raises(AudioError, match="too short"):
        transcribed(estimator, tmp_path / "short.wav", heard(tune())[: SR // 2])


def test_silence_before_the_music_moves_the_notes(estimator: Estimator, tmp_path: Path) -> None:
    audio = heard(tune())
    later = np.concatenate([np.zeros(3 * SR, np.float32), audio])
    before = transcribed(estimator, tmp_path / "a.wav", audio).notes
    after = transcribed(estimator, tmp_path / "b.wav", later).notes
    moved = [Note(n.start + 3, n.end + 3, n.pitch) for n in before]
    assert measure_notes(moved, after, 9.0).f > 0.95


@pytest.mark.slow
def test_pieces_in_which_a_file_is_heard_leave_no_trace(
    estimator: Estimator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = np.concatenate([heard(tune())] * 6)
    whole = transcribed(estimator, tmp_path / "a.wav", audio).notes
    monkeypatch.setattr("tempo_core.listening.STREAMED_PIECE", 14.3)
    in_pieces = transcribed(estimator, tmp_path / "a.wav", audio).notes
    assert measure_notes(whole, in_pieces, 36.0).f > 0.95


@pytest.mark.slow
def test_twenty_minutes_are_transcribed_from_end_to_end(
    estimator: Estimator, tmp_path: Path
) -> None:
    minute = np.concatenate([heard(tune())] * 10)
    found = transcribed(estimator, tmp_path / "long.flac", np.concatenate([minute] * 20))
    starts = np.array([n.start for n in found.notes])
    counts, _ = np.histogram(starts, bins=np.arange(0, 1201, 60))
    assert counts.min() > 0.8 * 10 * len(tune())
    assert np.ptp(counts) <= 4
