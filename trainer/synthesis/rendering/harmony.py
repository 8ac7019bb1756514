"""Melody, chords and bass of a synthesised clip, made of a pop song and figures on its chords."""

from __future__ import annotations

import numpy as np

from ..notes import InstrumentPart, Note, Sources
from ..songs import Chord, load_song
from ..styles import Style

# General MIDI programs for melodies.
MELODY_PROGRAMS = (0, 4, 11, 24, 26, 40, 48, 52, 56, 65, 73, 80, 81, 82, 85, 88)
VOICE_PROGRAM = -1  # program of a part that is sung
# Onsets [beats] in a bar of four beats, and the length of each note [beats], by the name of the
# accompaniment figure.
ACCOMPANIMENTS: dict[str, tuple[tuple[float, ...], float]] = {
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
# Figures that play one note at a time.
BROKEN_FIGURES = ("arp8", "arp16", "pick", "triplet", "pick3", "walk", "montuno")


def figure_notes(
    figure: str,
    chords: list[Chord],
    beats: int,
    rng: np.random.Generator,
) -> list[Note]:
    """The notes [beats] of an accompaniment figure on the chords.

    Parameters
    ----------
    figure
        A key of `ACCOMPANIMENTS`, or `none`.
    beats
        Number of beats in a bar.
    """
    if figure == "none" or not chords:
        return []
    onsets, length = ACCOMPANIMENTS[figure]
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
                chosen = [octave - 12 + pitches[0]]  # the bass note, played with the thumb
            elif figure in BROKEN_FIGURES:
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


_BASS_RHYTHMS: dict[int, tuple[tuple[float, ...], ...]] = {  # onsets in a bar [beats] by its beats
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
    rhythms = _BASS_RHYTHMS[style.beats]
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
    """A position [beats] in straight eighths, moved so that the eighths become triplets."""
    whole, part = divmod(beat, 1.0)
    return whole + (part * 4 / 3 if part < 0.5 else 2 / 3 + (part - 0.5) * 2 / 3)


def _in_three(beat: float) -> float | None:
    """A position [beats] of a song in bars of four beats, mapped to bars of three.

    The fourth beat of each bar is left out: positions in it become None.
    """
    bar, position = divmod(beat, 4.0)
    return 3 * bar + position if position < 3 else None


def harmony_parts(
    style: Style, n_beats: float, sources: Sources, rng: np.random.Generator
) -> list[InstrumentPart]:
    """Melody, chords and bass for `n_beats` of a clip, from a random passage of some pop song."""
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
    return _draw_parts(style, [moved(part) for part in song.parts], chords, rng)


def _draw_parts(
    style: Style, melodies: list[list[Note]], chords: list[Chord], rng: np.random.Generator
) -> list[InstrumentPart]:
    """Choose which parts of a song are played, by which instruments, and add accompaniment.

    Parameters
    ----------
    melodies
        Notes of the song's parts, the melody first.
    """
    program = int(rng.choice(style.programs))
    parts: list[InstrumentPart] = []
    sung = rng.random() < style.vocal
    if sung:
        parts.append(InstrumentPart("melody", VOICE_PROGRAM, melodies[0]))
    figure = style.figures[rng.integers(len(style.figures))]
    instrumental = range(1 if sung else 0, len(melodies))
    if figure == "none":  # one instrument, alone
        choices = [0] if rng.random() < 0.5 else list(instrumental)
        programs = [int(rng.choice([*MELODY_PROGRAMS, int(rng.integers(0, 104))])) for _ in choices]
        if sung:
            return parts
        return [
            InstrumentPart("melody", p, melodies[i]) for i, p in zip(choices, programs, strict=True)
        ]
    for i in instrumental:
        # A soloist plays the song's own piano part, or the figure alone.
        if rng.random() < (0.5 if style.solo else 0.6 if sung else 0.75):
            other = int(rng.choice([*MELODY_PROGRAMS, int(rng.integers(0, 104)), *style.programs]))
            parts.append(InstrumentPart("melody", program if style.solo else other, melodies[i]))
    parts.append(InstrumentPart("chords", program, figure_notes(figure, chords, style.beats, rng)))
    if style.bass and not style.solo and rng.random() < 0.75:
        parts.append(
            InstrumentPart("bass", int(rng.choice(style.bass)), bass_notes(chords, style, rng))
        )
    return parts
