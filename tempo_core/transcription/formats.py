"""Drafts in the formats that can be chosen."""

from __future__ import annotations

from . import midi, tables
from .choices import JSON, MIDI, TSV
from .drafts import Draft

ENCODERS = {MIDI: midi.encode, TSV: tables.encode_tsv, JSON: tables.encode_json}


def encode(draft: Draft, form: str) -> bytes:
    """The content of a file in a format, one of `choices.FORMATS`."""
    return ENCODERS[form](draft)
