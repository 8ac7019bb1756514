"""Tests of the way from a file to its notes, with the model in the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from tempo_core import Estimator
from tempo_core.tasks.notes.events import Note, Thresholds
from tempo_core.transcription.choices import BASS
from tempo_core.transcription.drafts import Transcribed
from tempo_core.transcription.lines import part_of
from tempo_core.transcription.transcribing import load_estimator, transcribe, with_onset

from ...audio import write_audio
from ...known_notes import BPM, played, song

SONG = song(4)


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return load_estimator()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_audio(tmp_path_factory.mktemp("played") / "a.flac", played(SONG), 22050)


@pytest.fixture(scope="module")
def heard(estimator: Estimator, recording: Path) -> Transcribed:
    return transcribe(recording, estimator)


def found(notes: tuple[Note, ...], reference: tuple[Note, ...]) -> float:
    """Share of notes of a reference that are among others, to 50 ms."""
    return sum(
        any(n.pitch == r.pitch and abs(n.start - r.start) < 0.05 for n in notes) for r in reference
    ) / len(reference)  # fmt: skip


def test_what_is_played_is_found(heard: Transcribed) -> None:
    assert heard.bpm == pytest.approx(BPM, abs=0.2)
    assert found(heard.notes, SONG) > 0.6
    assert found(part_of(heard.notes, BASS), part_of(SONG, BASS)) > 0.8


def test_a_threshold_is_heeded(estimator: Estimator, recording: Path, heard: Transcribed) -> None:
    surer = transcribe(recording, estimator, 0.9).notes
    assert 0 < len(surer) < len(heard.notes)
    assert all(note.confidence >= 0.9 for note in surer)


def test_a_loop_is_told_once(estimator: Estimator, tmp_path: Path) -> None:
    path = write_audio(tmp_path / "loop.flac", played(song(1, 0.0))[: 2 * 22050], 22050)
    assert max(note.end for note in transcribe(path, estimator).notes) < 2.5


def test_the_tempo_is_left_out_where_it_is_known(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.flac", played(song(1)), 22050)
    alone = transcribe(path, load_estimator(with_tempo=False))
    assert alone.bpm is alone.stability is None
    assert alone.notes


@pytest.mark.parametrize(("onset", "frame"), [(0.25, 0.15), (0.5, 0.3), (1.0, 0.6)])
def test_the_threshold_of_frames_follows_that_of_onsets(onset: float, frame: float) -> None:
    assert with_onset(Thresholds(0.5, 0.3), onset) == Thresholds(onset, pytest.approx(frame))


def test_a_threshold_is_at_most_1() -> None:
    assert with_onset(Thresholds(0.2, 0.5), 0.9).frame == 1.0
