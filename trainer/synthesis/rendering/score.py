"""Sections of a synthesised clip, and the notes of programmed drums.

Time is in beats of the clip, counted from the start of the first bar; `render` converts it to
seconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..notes import Hits, Note, Section
from ..styles import Style

ACCENTS = {"x": 1.0, "o": 0.62, "-": 0.3}  # factor on the velocity, by the mark in a pattern
DRUMS = ("kick", "snare", "hat", "perc", "tom", "crash")
# Kinds of sections: (weight, the parts that rest).
_SECTION_KINDS = (
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
    """Cut a clip into phrases of 2, 4 or 8 bars, in some of which parts rest.

    The clip may begin within a phrase. All drums rest for a whole phrase only if there is
    `harmony`. In at least one phrase no part rests.
    """
    phrase = style.beats * int(rng.choice([2, 4, 4, 4, 8]))
    start = -style.beats * int(rng.integers(0, phrase // style.beats))
    lively = rng.random() < 0.65
    weights = np.array([w for w, _ in _SECTION_KINDS])
    sections = []
    while start < n_beats:
        silent: tuple[str, ...] = ()
        if lively:
            silent = _SECTION_KINDS[rng.choice(len(weights), p=weights / weights.sum())][1]
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
    """The notes of a part that are played in this arrangement, cut where the music stops."""
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


def pattern_hits(
    style: Style, n_beats: float, sections: Sequence[Section], rng: np.random.Generator
) -> Hits:
    """Programmed drums of `style` for `n_beats`.

    A pattern is drawn for each part, and often a second one for every fourth bar. Single bars and
    single hits are left out at random, because a model that only learns from perfect loops comes to
    expect them.
    """
    hits: Hits = {}
    swing = rng.uniform(*style.swing)
    # Deviation of the timing [beats]: played drums are not exact, sequenced ones are.
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
        late = rng.normal(0.0, 0.6) * human if part != "kick" else 0.0  # [beats] behind the beat
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
    """A random MIDI velocity for a mark of a pattern; `level` is that of the part, 0..1."""
    return int(np.clip(120 * ACCENTS[mark] * level * rng.uniform(0.85, 1.05), 1, 127))


def _roll(bar: float, style: Style, level: float, rng: np.random.Generator) -> list[Note]:
    """A hat roll at a random place in the bar that begins at `bar` [beats].

    It has sextuplets or thirty-seconds for half a beat or a whole one and becomes louder or softer.
    """
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
    """Snare and tom fills at the end of phrases and some bars; crashes at the start of phrases."""
    pattern = (style.snare or style.kick)[0]
    rate = min(4, len(pattern) // style.beats)  # hits per beat: 3 in a style with triplets
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


def humanise(notes: list[Note], deviation: float, rng: np.random.Generator) -> list[Note]:
    """Notes shifted at random with a standard `deviation` [beats]; simultaneous ones stay so."""
    moves: dict[float, float] = {}
    result = []
    for n in notes:
        key = round(n.start, 3)
        if key not in moves:
            moves[key] = rng.normal() * deviation
        result.append(replace(n, start=n.start + moves[key], end=n.end + moves[key]))
    return result
