"""A draft as a tab-separated table, or as JSON."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from ..keys import PITCH_CLASSES
from ..tasks.notes.events import Note
from .drafts import Draft

COLUMNS = ("start", "end", "pitch", "name", "velocity", "confidence")


def pitch_name(pitch: int) -> str:
    """Name of a MIDI pitch: 60 is C4, 66 F#4."""
    return f"{PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"


def values(note: Note) -> dict[str, Any]:
    """Values of the columns: times in seconds to the microsecond."""
    return {
        "start": round(note.start, 6),
        "end": round(note.end, 6),
        "pitch": note.pitch,
        "name": pitch_name(note.pitch),
        "velocity": note.velocity,
        "confidence": round(note.confidence, 4),
    }


def plain(draft: Draft) -> dict[str, Any]:
    """A draft as plain values for JSON."""
    return {
        "title": draft.title,
        "part": draft.part,
        "bpm": None if draft.bpm is None else round(draft.bpm, 4),
        "quantized": draft.grid is not None,
        "notes": [values(note) for note in draft.notes],
    }


def tsv_rows(draft: Draft) -> list[list[Any]]:
    """Rows of the table, without its header."""
    return [list(values(note).values()) for note in draft.notes]


def encode_tsv(draft: Draft) -> bytes:
    """The content of a table: a header line, then a row for each note."""
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows([COLUMNS, *tsv_rows(draft)])
    return text.getvalue().encode()


def encode_json(draft: Draft) -> bytes:
    """The content of a JSON file: an object with the notes in it."""
    return (json.dumps(plain(draft), indent=1) + "\n").encode()
