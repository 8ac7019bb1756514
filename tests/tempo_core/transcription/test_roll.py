"""Tests of what a piano roll shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempo_core.errors import AudioError
from tempo_core.transcription import roll as roll_module
from tempo_core.transcription.choices import Wanted
from tempo_core.transcription.drafts import Transcribed, draft
from tempo_core.transcription.roll import LOWEST, roll

from ...audio import write_audio
from ...known_notes import MELODY, played, song

NOTES = song(4)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_audio(tmp_path_factory.mktemp("roll") / "a.flac", played(NOTES), 22050)


def test_the_notes_lie_on_their_partials(recording: Path) -> None:
    made = draft(Transcribed(NOTES), Wanted(), "a")
    found = roll(recording, made)
    assert (found.begin, found.end) == (0, pytest.approx(NOTES[-1].end + 0.5, abs=0.3))
    for note in NOTES[:20]:
        frame = round((note.start + note.end) / 2 * found.fps)
        bands = found.levels[:, frame]
        own = (note.pitch - LOWEST) * found.bands_per_semitone + 1
        assert bands[own] > np.median(bands) + 30
    assert [note.pitch for note in found.notes if (note.start, note.pitch) in found.top] == [
        *MELODY, *MELODY,
    ]  # fmt: skip
    assert {pitch for _, pitch in found.bass} == {36, 41, 43, 45}


def test_a_part_of_a_track_is_shown(recording: Path) -> None:
    made = draft(Transcribed(NOTES), Wanted("top"), "a")
    found = roll(recording, made, (2.0, 4.0))
    assert found.levels.shape[1] == round(2.0 * found.fps)
    assert all(note.end > 2 and note.start < 4 for note in found.notes)
    assert not found.bass
    assert roll(recording, made, (6.0, None)).end == pytest.approx(NOTES[-1].end + 0.5, abs=0.3)


def test_there_must_be_music_and_not_too_much(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = draft(Transcribed(NOTES), Wanted(), "a")
    with pytest.raises(AudioError, match=r"there is no music from 60 s on; --from must be"):
        roll(recording, made, (60.0, None))
    monkeypatch.setattr(roll_module, "LONGEST", 3.0)
    monkeypatch.setattr(roll_module, "PIECE", 2.0)
    for span in ((0.0, None), (0.0, 5.0)):
        with pytest.raises(AudioError, match=r"with --from and --to"):
            roll(recording, made, span)
