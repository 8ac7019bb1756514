"""Drawing what a clip plays: style, tempo, arrangement, notes and the sounds of its drums.

Drums are a programmed pattern of the style, a sampled loop, or a human performance (Groove MIDI
Dataset) scaled to the drawn tempo, played by a General MIDI kit or by sampled hits. Harmony is a
stretch of a pop song (POP909) moved beat by beat to the tempo, with random instruments and
transposition, plus a bass line and an accompaniment figure on its chords.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np

from .harmony import harmony_parts
from .mixing import SR
from .notes import (
    Composition,
    Drums,
    Hits,
    InstrumentPart,
    MidiSound,
    Note,
    SampleSound,
    Section,
    Sources,
)
from .performances import groove_hits
from .samples import LOOPS, read_sample
from .score import DRUMS, arrange, follow, humanise, pattern_hits
from .styles import STYLES, Style

MAX_ATTEMPTS = 10  # to draw a clip that is not mostly silent
SOUNDFONTS = (  # path, weight (the compressed last one takes seconds to load)
    ("/usr/share/sounds/sf2/FluidR3_GM.sf2", 0.52),
    ("/usr/share/sounds/sf2/TimGM6mb.sf2", 0.42),
    ("/usr/share/sounds/sf3/MuseScore_General_Full.sf3", 0.06),
)
SAMPLES = {  # name patterns of one-shot hits for each part
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
# [s] that a hit sounds at most, and its level.
TAILS = {"kick": 0.5, "snare": 0.4, "hat": 0.3, "perc": 0.4, "tom": 0.5, "crash": 2.5}
GAINS = {"kick": 1.0, "snare": 0.8, "hat": 0.35, "perc": 0.35, "tom": 0.6, "crash": 0.4}
GM_HITS = {
    "kick": (35, 36),
    "snare": (37, 38, 38, 39, 40),
    "hat": (42, 42, 44, 46, 51, 54, 69, 70),
    "perc": (54, 56, 60, 61, 62, 63, 64, 65, 67, 70, 75, 76),
    "crash": (49, 52, 55, 57),
}
GM_TOMS = (50, 47, 45, 41)
LOOP_STRETCH = 1.3  # at most; jungle plays the amen break (137) at 170


def draw_bpm(style: Style, rng: np.random.Generator) -> float:
    """A tempo of the style [BPM], triangular on a log axis; a third are whole numbers.

    Music made on a computer sits at whole BPM, played music anywhere.
    """
    low, mode, high = np.log(style.bpm)
    bpm = float(np.exp(rng.triangular(low, mode, high)))
    return float(round(bpm)) if rng.random() < 0.33 else round(bpm, 3)


def draw_midi_sound(n_parts: int, drums: bool, rng: np.random.Generator) -> MidiSound:
    """A random soundfont, and random levels of the parts."""
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
    """Programmed hits with the pitches of a General MIDI kit."""
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
    """A random hit for each part, pitched and shortened at random."""
    sounds = {}
    for part in hits:
        files = sorted(
            p for pattern in SAMPLES[part] for p in sources.samples.glob(pattern + ".flac")
        )
        if not files:
            raise click.ClickException(f"no drum samples for the {part} in {sources.samples}")
        path, speed = files[rng.integers(len(files))], rng.uniform(0.85, 1.2)
        tail = int(SR * TAILS[part] * (rng.uniform(0.15, 1.0) if part == "hat" else 1.0))
        sounds[part] = SampleSound(path, speed, tail, GAINS[part] * rng.uniform(0.5, 1.3))
    return sounds


def draw_loop(bpm: float, sources: Sources, rng: np.random.Generator) -> Path | None:
    """A drum loop that lies within a factor of `LOOP_STRETCH` of the tempo; None without one."""
    loops = []
    for name, beats in LOOPS.items():
        path = sources.samples / f"{name}.flac"
        if path.exists():
            speed = bpm / (60.0 * beats * SR / read_sample(path).size)
            if 1 / LOOP_STRETCH < speed < LOOP_STRETCH:
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
    """Compositions for clip number `index` of the set `seed`; the first that sounds is the clip.

    With each goes the generator that renders it.
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
    """Draw the notes of one clip of a style, see `make_clip`, and how its drums sound."""
    bpm = draw_bpm(style, rng)
    second = 60.0 / bpm
    first_beat = float(rng.uniform(0, second))
    # The clip may begin within a bar: beat 0 then lies before it.
    skipped = int(rng.integers(0, style.beats))
    n_beats = duration / second + skipped + 1
    has_drums = bool(style.kick or style.snare)
    harmony = not has_drums or rng.random() < style.harmony
    if has_drums and harmony and rng.random() < 0.05 and min(style.stretch) < 2.0:
        has_drums = False  # an intro, a breakdown; what is counted double needs its drums
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
    """The style's drums in this arrangement, and what plays them."""
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
