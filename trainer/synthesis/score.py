"""What a synthesised clip plays: notes in beats, from patterns, performances and songs.

Time is in beats of the clip, counted from the first bar's start, until `render` makes sound
of it. Nothing here knows of seconds or of sound.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pretty_midi

from .notes import Hits, InstrumentPart, Note, Section, Sources
from .styles import Style

ACCENT = {"x": 1.0, "o": 0.62, "-": 0.3}
DRUMS = ("kick", "snare", "hat", "perc", "tom", "crash")
# General MIDI programs for melodies.
MELODIC = (0, 4, 11, 24, 26, 40, 48, 52, 56, 65, 73, 80, 81, 82, 85, 88)
VOICE = -1  # the program of a part that is sung


# --- arrangement ----------------------------------------------------------------------------------


_KINDS = (  # weight, the parts that rest
    (0.52, ()),
    (0.09, ("hat", "perc")),
    (0.07, ("snare", "hat", "tom")),
    (0.05, ("kick", "perc")),
    (0.05, ("kick", "snare", "tom", "perc")),
    (0.10, ("kick", "snare", "hat", "perc", "tom")),
    (0.07, ("chords", "bass", "melody")),
    (0.05, ("melody",)),
)


def arrange(
    style: Style, n_beats: float, harmony: bool, rng: np.random.Generator
) -> tuple[Section, ...]:
    """Cut a clip into phrases of 2, 4 or 8 bars, in which parts come and go.

    The clip may begin within a phrase. Drums rest for a whole phrase only over `harmony`, and at
    least one phrase is complete.
    """
    phrase = style.beats * int(rng.choice([2, 4, 4, 4, 8]))
    start = -style.beats * int(rng.integers(0, phrase // style.beats))
    lively = rng.random() < 0.65
    weights = np.array([w for w, _ in _KINDS])
    sections = []
    while start < n_beats:
        silent = _KINDS[rng.choice(len(_KINDS), p=weights / weights.sum())][1] if lively else ()
        if "kick" in silent and "snare" in silent and not harmony:
            silent = ()
        stop = float(rng.choice([1, 2, style.beats])) if rng.random() < 0.12 else 0.0
        sections.append(Section(max(0.0, start), float(start + phrase), silent, stop))
        start += phrase
    if all(s.silent for s in sections):
        k = int(np.argmax([min(s.end, n_beats) - s.start for s in sections]))
        sections[k] = replace(sections[k], silent=())
    return tuple(sections)


def follow(notes: list[Note], part: str, sections: Sequence[Section]) -> list[Note]:
    """The notes that sound in this arrangement; a stop cuts those that ring into it."""
    starts = [s.start for s in sections]
    kept = []
    for note in notes:
        # A hit a little before the first beat of a section belongs to it.
        section = sections[max(0, bisect_right(starts, note.start + 0.1) - 1)]
        end = section.end - section.stop
        if part in section.silent or (section.stop and note.start + 0.1 >= end):
            continue
        cut = section.stop and note.end > end
        kept.append(replace(note, end=end) if cut else note)
    return kept


# --- drums ----------------------------------------------------------------------------------------


def pattern_hits(
    style: Style, n_beats: float, sections: Sequence[Section], rng: np.random.Generator
) -> Hits:
    """Programmed drums of `style` over `n_beats`.

    A pattern is drawn for each part, and often a second one for every fourth bar. Single bars drop
    out and single hits are missed, since a model that only ever sees perfect loops learns to expect
    them.
    """
    hits: Hits = {}
    swing = rng.uniform(*style.swing)
    # [beats] deviation of the timing: played drums waver, sequenced ones do not
    human = rng.choice([0.0, 0.006, 0.012, 0.02]) if rng.random() >= style.electronic else 0.0
    for part in ("kick", "snare", "hat", "perc"):
        choices = getattr(style, part)
        if (
            not choices
            or (part == "hat" and rng.random() < 0.08)
            or (part == "perc" and rng.random() < 0.5)
        ):
            continue
        usual, other = (choices[i] for i in rng.integers(len(choices), size=2))
        varied = rng.random() < 0.4
        late = rng.normal(0.0, 0.6) * human if part != "kick" else 0.0  # pushed or laid back
        level = 1.0 if part != "hat" else rng.uniform(0.5, 1.0)
        notes = hits.setdefault(part, [])
        for bar in range(int(np.ceil(n_beats / style.beats))):
            if rng.random() < 0.03:
                continue
            pattern = other if varied and bar % 4 == 3 else usual
            step = style.beats / len(pattern)
            for i, mark in enumerate(pattern):
                if mark == "." or rng.random() < 0.02:
                    continue
                offset = late + swing * step * (i % 2) + rng.normal() * human
                start = bar * style.beats + i * step + offset
                notes.append(Note(start, start + step, 0, _velocity(mark, level, rng)))
            if part == "hat" and rng.random() < style.rolls:
                notes += _roll(bar * style.beats, style, level, rng)
    fills, crashes = _fills(style, n_beats, sections, rng)
    for part, notes in fills.items():
        hits.setdefault(part, []).extend(notes)
    if rng.random() < 0.6:
        hits["crash"] = crashes
    return hits


def _velocity(mark: str, level: float, rng: np.random.Generator) -> int:
    return int(np.clip(120 * ACCENT[mark] * level * rng.uniform(0.85, 1.05), 1, 127))


def _roll(bar: float, style: Style, level: float, rng: np.random.Generator) -> list[Note]:
    """Hats in sextuplets or thirty-seconds for half a beat or a whole one, rising or falling."""
    rate = int(rng.choice([6, 8, 8]))
    length = float(rng.choice([0.5, 1.0]))
    begin = bar + 0.5 * int(rng.integers(0, 2 * style.beats))
    times = begin + np.arange(round(rate * length)) / rate
    low, high = (0.4, 0.9) if rng.random() < 0.5 else (0.9, 0.4)
    ramp = np.linspace(low, high, len(times))
    return [
        Note(t, t + 1 / rate, 0, int(np.clip(120 * level * v, 1, 127)))
        for t, v in zip(times.tolist(), ramp.tolist(), strict=True)
    ]


def _fills(
    style: Style, n_beats: float, sections: Sequence[Section], rng: np.random.Generator
) -> tuple[Hits, list[Note]]:
    """Snare and tom fills at the end of phrases and of some bars, and the crashes that follow."""
    pattern = (style.snare or style.kick)[0]
    rate = min(4, len(pattern) // style.beats)  # triplets stay triplets
    fills: Hits = {"snare": [], "tom": []}
    crashes = []
    ends = {round(s.end) for s in sections if not s.stop}
    for bar_end in range(style.beats, int(n_beats) + 1, style.beats):
        if rng.random() >= (0.6 if bar_end in ends else 0.05):
            continue
        length = int(rng.integers(1, min(style.beats, 3)))  # [beats]
        toms = rng.random() < 0.4 * (1.0 - style.electronic / 2)
        for i in range(rate * length):
            if rng.random() < 0.2:
                continue
            start = bar_end - length + i / rate
            note = Note(start, start + 0.2, i * 4 // (rate * length), int(rng.integers(60, 118)))
            fills["tom" if toms and i else "snare"].append(note)
    for section in sections:
        if rng.random() < 0.6:
            crashes.append(Note(section.start, section.start + 4, 0, int(rng.integers(80, 120))))
    return fills, crashes


# The pitches of the Groove MIDI Dataset (a Roland TD-11) by part, and General MIDI's for those that
# it does not know.
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
    """A human performance of a fitting style, looped; None if none lies within 35 % of `bpm`.

    The pitches are General MIDI's.
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
    # Loop whole bars, so that the metre goes through the seam.
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


# --- harmony --------------------------------------------------------------------------------------


Chord = tuple[float, float, tuple[int, ...]]  # start, end [beats], pitch classes


@dataclass(frozen=True)
class Song:
    """A POP909 song in beats."""

    parts: tuple[tuple[Note, ...], ...]
    chords: tuple[Chord, ...]
    n_beats: float


_QUALITIES = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
}
_PITCHES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def _chord(name: str) -> tuple[int, ...]:
    """Pitch classes of a chord like `F#:min7/b3`, root first; () for no chord."""
    if name == "N":
        return ()
    root, _, quality = name.partition(":")
    pitch = _PITCHES[root[0]] + root.count("#") - root.count("b")
    quality = quality.split("/")[0].split("(")[0]
    intervals = _QUALITIES.get(quality) or _QUALITIES["min" if quality.startswith("min") else "maj"]
    return tuple((pitch + i) % 12 for i in intervals)


def load_song(folder: Path) -> Song:
    """Read one POP909 song and map its seconds to beats by its beat annotation."""
    times = np.array(
        [float(line.split()[0]) for line in (folder / "beat_midi.txt").read_text().splitlines()]
    )
    beats = np.arange(len(times), dtype=float)

    def to_beats(seconds: float) -> float:
        if seconds < times[0]:
            return float((seconds - times[0]) / (times[1] - times[0]))
        if seconds > times[-1]:
            return float(beats[-1] + (seconds - times[-1]) / (times[-1] - times[-2]))
        return float(np.interp(seconds, times, beats))

    score = pretty_midi.PrettyMIDI(str(folder / f"{folder.name}.mid"))
    parts = tuple(
        tuple(
            Note(to_beats(n.start), to_beats(n.end), n.pitch, n.velocity) for n in instrument.notes
        )
        for instrument in score.instruments
    )
    chords = []
    for line in (folder / "chord_midi.txt").read_text().splitlines():
        start, end, name = line.split("\t")
        chords.append(
            (round(to_beats(float(start)), 2), round(to_beats(float(end)), 2), _chord(name))
        )
    return Song(parts, tuple(chords), float(beats[-1]))


# Onsets in beats of one bar of four for each accompaniment figure, and how long each note sounds.
FIGURES: dict[str, tuple[tuple[float, ...], float]] = {
    "pad": ((0,), 4.0),
    "halfpad": ((0,), 8.0),
    "quarters": ((0, 1, 2, 3), 0.9),
    "backbeat": ((1, 3), 0.3),
    "pulse": (tuple(i / 2 for i in range(8)), 0.4),
    "pulse16": (tuple(i / 4 for i in range(16)), 0.2),
    "offbeat": ((0.5, 1.5, 2.5, 3.5), 0.3),
    "skank": ((0.5, 1.5, 2.5, 3.5), 0.2),
    "bubble": ((0.5, 0.75, 1.5, 1.75, 2.5, 2.75, 3.5, 3.75), 0.15),
    "pump": ((0.25, 0.5, 0.75, 1.25, 1.5, 1.75, 2.25, 2.5, 2.75, 3.25, 3.5, 3.75), 0.2),
    "stab": ((0, 1.5, 3), 0.25),
    "log": ((0.75, 1.5, 2.75, 3.5), 0.4),
    "tresillo": ((0, 0.75, 1.5, 2, 2.75, 3.5), 0.4),
    "montuno": ((0, 0.5, 1, 1.5, 2.5, 3.5), 0.35),
    "strum": ((0, 1, 1.5, 2.5, 3, 3.5), 0.45),
    "strum16": ((0, 0.5, 0.75, 1, 1.5, 1.75, 2, 2.5, 2.75, 3, 3.5, 3.75), 0.3),
    "funk16": ((0, 0.5, 0.75, 1.25, 1.5, 2, 2.5, 2.75, 3.25, 3.5), 0.15),
    "octaves": (tuple(i / 2 for i in range(8)), 0.3),
    "arp8": (tuple(i / 2 for i in range(8)), 0.5),
    "arp16": (tuple(i / 4 for i in range(16)), 0.25),
    "pick": (tuple(i / 2 for i in range(8)), 0.9),
    "triplet": (tuple(i / 3 for i in range(12)), 0.33),
    "pick3": (tuple(i / 3 for i in range(12)), 0.6),
    "chop3": (tuple(i / 3 for i in range(12)), 0.25),
    "walk": ((0, 1, 2, 3), 0.9),
    "oompah": ((0, 1, 2, 3), 0.5),
}
BROKEN = ("arp8", "arp16", "pick", "triplet", "pick3", "walk", "montuno")  # one note at a time


def figure_notes(
    figure: str,
    chords: list[Chord],
    beats: int,
    rng: np.random.Generator,
) -> list[Note]:
    """An accompaniment figure played on the chords, [beats]; `beats` in a bar."""
    if figure == "none" or not chords:
        return []
    onsets, length = FIGURES[figure]
    octave = 12 * int(rng.integers(4, 7))
    span = 3.0 if beats == 3 else 8.0 if figure == "halfpad" else 4.0
    onsets = tuple(o for o in onsets if o < span)
    notes = []
    k = 0
    for bar in np.arange(0.0, chords[-1][1], span).tolist():
        for onset in onsets:
            position = bar + onset
            pitches = next((p for s, e, p in chords if s <= position < e and p), ())
            if not pitches:
                continue
            velocity = int((98 if onset % 1 == 0 else 82) * rng.uniform(0.85, 1.1))
            if figure.startswith("pick") and onset % 1 == 0 and onset % 2 == 0:
                chosen = [octave - 12 + pitches[0]]  # the thumb
            elif figure in BROKEN:
                up = 12 if k % 8 >= 4 and figure == "arp16" else 0
                chosen = [octave + pitches[k % len(pitches)] + up]
            elif figure == "octaves":
                chosen = [octave - 12 + pitches[0] + 12 * (k % 2)]
            elif figure == "oompah" and onset == 0:
                chosen = [octave - 24 + pitches[0]]
            else:
                chosen = [octave + p for p in pitches]
            notes += [Note(position, position + length, int(p), min(127, velocity)) for p in chosen]
            k += 1
    return notes


_BASS: dict[int, tuple[tuple[float, ...], ...]] = {  # onsets in a bar [beats] by its beats
    3: ((0,), (0, 2), (0, 1, 2)),
    2: ((0,), (0, 1), (0, 2 / 3, 1, 5 / 3)),
    4: (
        (0,),
        (0, 2),
        (0, 1, 2, 3),
        (0, 1.5, 2, 3.5),
        (0.5, 1.5, 2.5, 3.5),
        tuple(i / 2 for i in range(8)),
        (0, 0.75, 1.5, 2.5, 3.25),
    ),
}


def bass_notes(chords: list[Chord], style: Style, rng: np.random.Generator) -> list[Note]:
    """A bass line on the roots of the chords, in one rhythm for the whole clip.

    Half of the time it plays with one of the style's kick patterns.
    """
    rhythms = _BASS[style.beats]
    onsets = rhythms[rng.integers(len(rhythms))]
    if style.kick and rng.random() < 0.5:
        pattern = style.kick[rng.integers(len(style.kick))]
        kicks = tuple(i * style.beats / len(pattern) for i, m in enumerate(pattern) if m != ".")
        onsets = kicks if 0 < len(kicks) <= 8 else onsets
    length = float(rng.choice([0.4, 0.45, 0.9]))
    notes = []
    for bar in np.arange(0.0, chords[-1][1] if chords else 0.0, float(style.beats)).tolist():
        for onset in onsets:
            start = bar + onset
            pitches = next((p for s, e, p in chords if s <= start < e and p), ())
            if pitches:
                notes.append(
                    Note(start, start + length, 36 + pitches[0], int(rng.integers(85, 115)))
                )
    return notes


def _swung(beat: float) -> float:
    """A position with straight eighths [beats], moved to where triplets have them."""
    whole, part = divmod(beat, 1.0)
    return whole + (part * 4 / 3 if part < 0.5 else 2 / 3 + (part - 0.5) * 2 / 3)


def _in_three(beat: float) -> float | None:
    """A position of a song in four [beats] in one in three: the fourth beat is left out."""
    bar, position = divmod(beat, 4.0)
    return 3 * bar + position if position < 3 else None


def harmony_parts(
    style: Style, n_beats: float, sources: Sources, rng: np.random.Generator
) -> list[InstrumentPart]:
    """Melody, chords, figure and bass of a pop song's stretch over `n_beats`."""
    folders = sorted(p for p in (sources.midi / "POP909").iterdir() if p.is_dir())
    song = load_song(folders[rng.integers(len(folders))])
    stretch = float(rng.choice(style.stretch))
    needed = n_beats / stretch * (4 / 3 if style.beats == 3 else 1)
    begin = 4.0 * int(rng.integers(0, max(1, int((song.n_beats - needed) // 4))))
    transpose = int(rng.integers(-5, 7))

    def place(beat: float) -> float | None:
        position = (beat - begin) * stretch
        if style.beats == 3:
            return _in_three(position)
        return _swung(position) if style.triplets else position

    def moved(notes: tuple[Note, ...]) -> list[Note]:
        result = []
        for n in notes:
            start = place(n.start)
            if start is not None and 0 <= start < n_beats:
                end = start + (n.end - n.start) * stretch
                result.append(Note(start, end, n.pitch + transpose, n.velocity))
        return result

    def bar_line(beat: float) -> float:
        position = (beat - begin) * stretch
        return position // 4 * 3 + min(3.0, position % 4) if style.beats == 3 else position

    chords = [
        (bar_line(s), bar_line(e), tuple((p + transpose) % 12 for p in pitches))
        for s, e, pitches in song.chords
        if e > begin and bar_line(s) < n_beats
    ]
    program = int(rng.choice(style.programs))
    parts: list[InstrumentPart] = []
    sung = rng.random() < style.vocal
    if sung:
        parts.append(InstrumentPart("melody", VOICE, moved(song.parts[0])))
    figure = style.figures[rng.integers(len(style.figures))]
    instrumental = range(1 if sung else 0, len(song.parts))
    if figure == "none":  # one instrument, alone
        choices = [0] if rng.random() < 0.5 else list(instrumental)
        programs = [int(rng.choice([*MELODIC, int(rng.integers(0, 104))])) for _ in choices]
        if sung:
            return parts
        return [
            InstrumentPart("melody", p, moved(song.parts[i]))
            for i, p in zip(choices, programs, strict=True)
        ]
    for i in instrumental:
        # A soloist plays the song's own piano part, or the figure alone.
        if rng.random() < (0.5 if style.solo else 0.6 if sung else 0.75):
            other = int(rng.choice([*MELODIC, int(rng.integers(0, 104)), *style.programs]))
            parts.append(
                InstrumentPart("melody", program if style.solo else other, moved(song.parts[i]))
            )
    parts.append(InstrumentPart("chords", program, figure_notes(figure, chords, style.beats, rng)))
    if style.bass and not style.solo and rng.random() < 0.75:
        parts.append(
            InstrumentPart("bass", int(rng.choice(style.bass)), bass_notes(chords, style, rng))
        )
    return parts


def humanise(notes: list[Note], deviation: float, rng: np.random.Generator) -> list[Note]:
    """Notes moved at random by a normal `deviation` [beats]; the notes of a chord stay together."""
    moves: dict[float, float] = {}
    result = []
    for n in notes:
        key = round(n.start, 3)
        if key not in moves:
            moves[key] = rng.normal() * deviation
        result.append(replace(n, start=n.start + moves[key], end=n.end + moves[key]))
    return result
