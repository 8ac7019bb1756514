"""Reading human drum performances of the Groove MIDI Dataset as notes in beats."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pretty_midi

from ..notes import Hits, Note, Sources
from ..styles import Style

# Parts of the drums by the pitch in the Groove MIDI Dataset (of a Roland TD-11), and General MIDI
# pitches for those that General MIDI does not have.
_GROOVE_PARTS = {
    **dict.fromkeys((35, 36), "kick"),
    **dict.fromkeys((37, 38, 39, 40), "snare"),
    **dict.fromkeys((22, 26, 42, 44, 46, 51, 53, 59), "hat"),
    **dict.fromkeys((41, 43, 45, 47, 48, 50, 58), "tom"),
    **dict.fromkeys((49, 52, 55, 57), "crash"),
}
_TO_GM = {22: 42, 26: 46, 58: 43}


@cache
def _grooves(midi: Path) -> tuple[dict[str, str], ...]:
    """Rows of the data set's table about beats in 4/4, longer than 6 s, whose file exists."""
    with (midi / "groove" / "info.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple(
        row
        for row in rows
        if row["beat_type"] == "beat"
        and row["time_signature"] == "4-4"
        and float(row["duration"]) > 6
        and (midi / "groove" / row["midi_filename"]).exists()
    )


def groove_hits(
    style: Style, bpm: float, n_beats: float, sources: Sources, rng: np.random.Generator
) -> Hits | None:
    """A random human performance in a fitting style, looped, with General MIDI pitches.

    The result is None if the tempo of no performance is within 35 % of `bpm`, or if the drawn one
    has hardly any notes.
    """
    rows = [
        row
        for row in _grooves(sources.midi)
        if row["style"].split("/")[0] in style.groove
        and abs(np.log(float(row["bpm"]) / bpm)) < np.log(1.35)
    ]
    if not rows:
        return None
    row = rows[rng.integers(len(rows))]
    performance = pretty_midi.PrettyMIDI(str(sources.midi / "groove" / row["midi_filename"]))
    per_second = float(row["bpm"]) / 60.0
    notes = [
        Note(n.start * per_second, n.end * per_second, n.pitch, n.velocity)
        for instrument in performance.instruments
        for n in instrument.notes
    ]
    if len(notes) < 8:
        return None
    # Whole bars are looped, so that the metre continues.
    length = max(4.0, np.floor(max(n.start for n in notes) / 4.0) * 4.0)
    offset = 4.0 * rng.integers(0, max(1, int(length // 4) - 3)) if length > 16 else 0.0
    hits: Hits = {}
    for k in range(int(np.ceil((n_beats + offset) / length)) + 1):
        shift = k * length - offset
        for n in notes:
            if n.start < length and 0 <= n.start + shift < n_beats:
                part = _GROOVE_PARTS.get(n.pitch, "perc")
                pitch = _TO_GM.get(n.pitch, n.pitch)
                hits.setdefault(part, []).append(
                    Note(n.start + shift, n.end + shift, pitch, n.velocity)
                )
    return hits
