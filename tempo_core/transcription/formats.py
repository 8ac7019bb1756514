"""The formats in which a draft can be written: their names, endings and encoders."""

from __future__ import annotations

from .drafts import Draft

MIDI, TSV, JSON = "midi", "tsv", "json"
FORMATS = (MIDI, TSV, JSON)
ENDINGS = {MIDI: ".mid", TSV: ".tsv", JSON: ".json"}
# Formats by the ending of a file; `.midi` is another ending that programs know.
BY_ENDING = {**{ending: name for name, ending in ENDINGS.items()}, ".midi": MIDI}


def encode(draft: Draft, form: str) -> bytes:
    """The content of a file in a format, one of `FORMATS`."""
    from . import midi, tables

    encoders = {MIDI: midi.encode, TSV: tables.encode_tsv, JSON: tables.encode_json}
    return encoders[form](draft)
