"""Random composition of a clip: style, tempo, arrangement, notes and the sounds of its drums.

Drums are a programmed pattern of the style, a sampled loop, or a human performance (Groove MIDI
Dataset) scaled to the drawn tempo; a General MIDI kit or sampled hits play them. Harmony is a
passage of a pop song (POP909), mapped beat by beat to the tempo, with random instruments and
transposition, plus a bass line and an accompaniment figure on its chords.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np

from ..composition import Composition
from ..notes import (
    Drums,
    Hits,
    InstrumentPart,
    MidiSound,
    Note,
    SampleSound,
    Section,
    Sources,
)
from ..styles import STYLES, Style
from .harmony import harmony_parts
from .mixing import SR
from .performances import groove_hits
from .samples import LOOPS, read_sample
from .score import DRUMS, arrange, follow, humanise, pattern_hits

MAX_ATTEMPTS = 10  # greatest number of attempts to draw a clip that is not mostly silent
# (path, weight) of soundfonts; the last one is compressed and takes seconds to load.
SOUNDFONTS = (
    ("/usr/share/sounds/sf2/FluidR3_GM.sf2", 0.52),
    ("/usr/share/sounds/sf2/TimGM6mb.sf2", 0.42),
    ("/usr/share/sounds/sf3/MuseScore_General_Full.sf3", 0.06),
)
# Patterns of the file names of single hits, by the part of the drums.
SAMPLE_PATTERNS = {
    "kick": ("bd_*", "drum_bass_*", "drum_heavy_kick*", "elec_soft_kick*", "elec_hollow_kick*"),
    "snare": (
        "sn_*", "drum_snare_*", "elec_snare*", "elec_lo_snare*", "elec_hi_snare*",
        "elec_mid_snare*", "elec_filt_snare*", "perc_snap*",
    ),
    "hat": ("hat_*", "drum_cymbal_closed*", "drum_cymbal_pedal*", "elec_tick*", "elec_twip*"),
    "perc": (
        "perc_bell*", "drum_cowbell*", "elec_blip*", "elec_wood*", "tabla_*", "drum_tom_*",
        "elec_pop*", "perc_till*",
    ),
    "tom": ("drum_tom_*", "elec_fuzz_tom*"),
    "crash": ("drum_splash_*", "drum_cymbal_hard*", "drum_cymbal_open*", "elec_cymbal*"),
}  # fmt: skip
# Greatest duration [s] of a hit, and its level relative to the kick, by the part of the drums.
LONGEST_HITS = {"kick": 0.5, "snare": 0.4, "hat": 0.3, "perc": 0.4, "tom": 0.5, "crash": 2.5}
HIT_GAINS = {"kick": 1.0, "snare": 0.8, "hat": 0.35, "perc": 0.35, "tom": 0.6, "crash": 0.4}
# General MIDI pitches of the parts of the drums; toms from the highest.
GM_HITS = {
    "kick": (35, 36),
    "snare": (37, 38, 38, 39, 40),
    "hat": (42, 42, 44, 46, 51, 54, 69, 70),
    "perc": (54, 56, 60, 61, 62, 63, 64, 65, 67, 70, 75, 76),
    "crash": (49, 52, 55, 57),
}
GM_TOMS = (50, 47, 45, 41)
# Greatest factor between the tempo of a loop and that of a clip; jungle plays the amen break (137)
# at 170.
MOST_LOOP_STRETCH = 1.3


def draw_bpm(style: Style, rng: np.random.Generator) -> float:
    """A random tempo of the style [BPM].

    Its logarithm has a triangular distribution. A third of the tempi are whole numbers, because
    music made on a computer has such tempi and played music has not.
    """
    low, mode, high = np.log(style.bpm)
    bpm = float(np.exp(rng.triangular(low, mode, high)))
    return float(round(bpm)) if rng.random() < 0.33 else round(bpm, 3)


def draw_midi_sound(n_parts: int, drums: bool, rng: np.random.Generator) -> MidiSound:
    """A random soundfont and drum kit, and random levels of the parts.

    Raises
    ------
    ClickException
        If no soundfont is installed.
    """
    levels = tuple(rng.uniform(0.55, 1.0) for _ in range(n_parts))
    kit = int(rng.choice([0, 0, 8, 16, 24, 25, 32, 40])) if drums else 0
    fonts = [(p, w) for p, w in SOUNDFONTS if Path(p).exists()]
    if not fonts:
        raise click.ClickException(
            "no soundfont found; install the fluid-soundfont-gm and timgm6mb-soundfont packages"
        )
    weights = np.array([w for _, w in fonts])
    font = fonts[rng.choice(len(fonts), p=weights / weights.sum())][0]
    return MidiSound(levels, kit, font, bool(rng.random() < 0.4))


def to_general_midi(hits: Hits, rng: np.random.Generator) -> Hits:
    """Programmed hits, with pitches of a General MIDI kit that are drawn for each part."""
    result: Hits = {}
    for part, notes in hits.items():
        pitches = GM_TOMS if part == "tom" else (int(rng.choice(GM_HITS[part])),)
        result[part] = [
            Note(n.start, n.end, pitches[n.pitch % len(pitches)], n.velocity) for n in notes
        ]
    return result


def draw_sample_sounds(
    hits: Hits, sources: Sources, rng: np.random.Generator
) -> dict[str, SampleSound]:
    """A random sample for each part, pitched and shortened at random.

    Raises
    ------
    ClickException
        If there is no sample for a part.
    """
    sounds = {}
    for part in hits:
        files = sorted(
            p for pattern in SAMPLE_PATTERNS[part] for p in sources.samples.glob(pattern + ".flac")
        )
        if not files:
            raise click.ClickException(f"no drum samples for the {part} in {sources.samples}")
        path, speed = files[rng.integers(len(files))], rng.uniform(0.85, 1.2)
        tail = int(SR * LONGEST_HITS[part] * (rng.uniform(0.15, 1.0) if part == "hat" else 1.0))
        sounds[part] = SampleSound(path, speed, tail, HIT_GAINS[part] * rng.uniform(0.5, 1.3))
    return sounds


def draw_loop(bpm: float, sources: Sources, rng: np.random.Generator) -> Path | None:
    """A random drum loop that needs no more stretch than `MOST_LOOP_STRETCH`, None without one."""
    loops = []
    for name, beats in LOOPS.items():
        path = sources.samples / f"{name}.flac"
        if path.exists():
            speed = bpm / (60.0 * beats * SR / read_sample(path).size)
            if 1 / MOST_LOOP_STRETCH < speed < MOST_LOOP_STRETCH:
                loops.append(path)
    return loops[rng.integers(len(loops))] if loops else None


def attempts(
    index: int,
    seed: int,
    sources: Sources,
    duration: float = 30.0,
    styles: Sequence[Style] = STYLES,
    balanced: bool = False,
) -> Iterator[tuple[Composition, np.random.Generator]]:
    """Yield compositions for clip number `index` of the set `seed`, each with its random generator.

    The clip is the first of them that is not mostly silent; it is rendered with this generator. See
    `make_clip` for the parameters.
    """
    weights = np.array([s.weight for s in styles])
    for attempt in range(MAX_ATTEMPTS):
        rng = np.random.default_rng([seed, index, attempt] if attempt else [seed, index])
        drawn = int(rng.choice(len(styles), p=weights / weights.sum()))
        style = styles[index % len(styles) if balanced else drawn]
        yield compose(style, sources, duration, rng), rng


def compose(
    style: Style, sources: Sources, duration: float, rng: np.random.Generator
) -> Composition:
    """Draw the notes of a clip of a style and the sound of its drums; `duration` is in seconds."""
    bpm = draw_bpm(style, rng)
    second = 60.0 / bpm
    first_beat = float(rng.uniform(0, second))
    # The clip may begin within a bar: beat 0 then lies before it.
    skipped = int(rng.integers(0, style.beats))
    n_beats = duration / second + skipped + 1
    has_drums = bool(style.kick or style.snare)
    harmony = not has_drums or rng.random() < style.harmony
    if has_drums and harmony and rng.random() < 0.05 and min(style.stretch) < 2.0:
        # As in an intro or a breakdown. Styles that are counted twice as fast as their harmony
        # keep their drums, which are what tells.
        has_drums = False
    sections = arrange(style, n_beats, harmony, rng)
    drums = _draw_drums(style, bpm, n_beats, sections, sources, rng) if has_drums else None
    arranged: tuple[InstrumentPart, ...] = ()
    if harmony:
        parts = harmony_parts(style, n_beats, sources, rng)
        deviation = 0.0 if rng.random() < style.electronic else rng.uniform(0.0, 0.015)
        arranged = tuple(
            InstrumentPart(
                p.role, p.program, humanise(follow(p.notes, p.role, sections), deviation, rng)
            )
            for p in parts
        )
    return Composition(
        style, bpm, duration, first_beat, skipped, sections, drums, arranged, harmony
    )


def _draw_drums(
    style: Style,
    bpm: float,
    n_beats: float,
    sections: Sequence[Section],
    sources: Sources,
    rng: np.random.Generator,
) -> Drums:
    """The hits of the style's drums in this arrangement, and what plays them."""
    if rng.random() < style.loop:
        loop = draw_loop(bpm, sources, rng)
        if loop is not None:
            return Drums("loop", {}, loop)
    human = style.groove and rng.random() < 0.5
    performance = groove_hits(style, bpm, n_beats, sources, rng) if human else None
    hits = performance or pattern_hits(style, n_beats, sections, rng)
    hits = {part: follow(hits[part], part, sections) for part in DRUMS if part in hits}
    if performance is None and rng.random() < style.electronic:
        return Drums("sampled", hits, draw_sample_sounds(hits, sources, rng))
    if performance is None:
        hits = to_general_midi(hits, rng)
    sound = draw_midi_sound(0, bool(hits), rng)
    return Drums("human" if performance else "midi", hits, sound)
