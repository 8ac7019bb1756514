"""What can be chosen about a transcription: parts, note values and formats, and their defaults.

This module imports nothing large, so that commands can name the choices before there is work.
"""

from __future__ import annotations

from dataclasses import dataclass

ALL, BASS, TOP = "all", "bass", "top"
PARTS = (ALL, BASS, TOP)
# Steps of a grid in one beat, a quarter note, by the name of the note value; t is for triplets.
STEPS = {"4": 1, "8": 2, "8t": 3, "16": 4, "16t": 6, "32": 8}
DEFAULT_VALUE = "16"
MIDI, TSV, JSON = "midi", "tsv", "json"
FORMATS = (MIDI, TSV, JSON)
ENDINGS = {MIDI: ".mid", TSV: ".tsv", JSON: ".json"}
# Formats by the ending of a file; `.midi` is another ending that programs know.
BY_ENDING = {**{ending: name for name, ending in ENDINGS.items()}, ".midi": MIDI}
PICTURE_FORMATS = ("png", "svg")  # which are also the endings of their names


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a transcription.

    `part` is one of `PARTS`. The notes are put on a grid if `quantize`, whose step is the note
    value `value`, a key of `STEPS`. `threshold` in 0..1 is the least posterior of an onset; None
    for that of the model.
    """

    part: str = ALL
    quantize: bool = False
    value: str = DEFAULT_VALUE
    threshold: float | None = None
