"""Tests of transcriptions as tables and JSON."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tempo_core.tasks.notes.events import Note
from tempo_core.transcription.drafts import Draft
from tempo_core.transcription.formats import encode
from tempo_core.transcription.tables import pitch_name

DRAFT = Draft("a", "bass", (Note(0.1, 0.52345678, 66, 91, 0.87654), Note(1, 2, 21)), 127.98)


@pytest.mark.parametrize(
    ("pitch", "name"), [(21, "A0"), (60, "C4"), (66, "F#4"), (69, "A4"), (108, "C8")]
)
def test_pitches_are_named(pitch: int, name: str) -> None:
    assert pitch_name(pitch) == name


def test_a_table_has_a_row_for_each_note() -> None:
    rows = list(csv.DictReader(io.StringIO(encode(DRAFT, "tsv").decode()), delimiter="\t"))
    assert rows == [
        {"start": "0.1", "end": "0.523457", "pitch": "66", "name": "F#4", "velocity": "91",
         "confidence": "0.8765"},
        {"start": "1", "end": "2", "pitch": "21", "name": "A0", "velocity": "80",
         "confidence": "1.0"},
    ]  # fmt: skip


def test_json_says_what_it_is() -> None:
    found = json.loads(encode(DRAFT, "json"))
    assert [note["name"] for note in found.pop("notes")] == ["F#4", "A0"]
    assert found == {"title": "a", "part": "bass", "bpm": 127.98, "quantized": False}
