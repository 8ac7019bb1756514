"""Music with an exactly known tempo: `python -m trainer.synthesis --midi … --samples … --out …`.

A clip is drums, harmony, a synthetic voice, or some of these. Drums are a programmed pattern of
the style, a sampled loop, or a human performance (Groove MIDI Dataset) scaled to the drawn tempo,
played by a General MIDI kit or by sampled hits. Harmony is a stretch of a pop song (POP909) moved
beat by beat to the tempo, with random instruments and transposition, plus a bass line and an
accompaniment figure on its chords. `styles` says what belongs to a style, `score` writes the notes,
fluidsynth renders the MIDI, and `mixing` makes a recording of it.

Everything a clip contains follows from `(seed, index)` alone, so a run may be cut anywhere, spread
over any number of processes, and gives the same clips.
"""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import click
import joblib
import numpy as np
import pretty_midi
import scipy.signal
import soundfile
from tqdm import tqdm

from tempo_core.cli.command import Command

from .mixing import SR, compress, duck, equalise, master, reverberate, sing
from .notes import Composition, Drums, Hits, MidiSound, Note, Part, SampleSound, Section, Sources
from .paces import score_of
from .score import DRUMS, VOICE, arrange, follow, groove_hits, harmony_parts, humanise, pattern_hits
from .styles import STYLES, Style

MAX_ATTEMPTS = 10  # to draw a clip that is not mostly silent
SILENT = 1e-3  # root mean square below which there is nothing to hear
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
# Drum loops and how many beats they last: the number that puts their onsets on sixteenths and their
# snares on two and four.
LOOPS = {"loop_amen": 4, "loop_amen_full": 16, "loop_breakbeat": 4}
LOOP_STRETCH = 1.3  # at most; jungle plays the amen break (137) at 170


def draw_bpm(style: Style, rng: np.random.Generator) -> float:
    """A tempo of the style [BPM], triangular on a log axis; a third are whole numbers.

    Music made on a computer sits at whole BPM, played music anywhere.
    """
    low, mode, high = np.log(style.bpm)
    bpm = float(np.exp(rng.triangular(low, mode, high)))
    return float(round(bpm)) if rng.random() < 0.33 else round(bpm, 3)


# --- sound ----------------------------------------------------------------------------------------


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


def render_midi(
    parts: list[Part], hits: Hits, bpm: float, duration: float, origin: float, sound: MidiSound
) -> np.ndarray:
    """Render with fluidsynth; (n_samples,) mono at `SR`.

    `origin` is where beat 0 lies [s], perhaps before the beginning; drum hits carry General MIDI
    pitches.
    """
    score = pretty_midi.PrettyMIDI(initial_tempo=120, resolution=960)
    second = 60.0 / bpm

    def timed(note: Note, level: float, drum: bool) -> list[pretty_midi.Note]:
        start, end = origin + note.start * second, origin + note.end * second
        # A tone that began a little before the clip sounds from its beginning, a hit is over.
        if end < 0.05 or start < (-0.01 if drum else -2 * second):
            return []
        start = max(0.0, start)
        return [
            pretty_midi.Note(
                int(np.clip(note.velocity * level, 1, 127)), int(np.clip(note.pitch, 12, 110)),
                start, max(start + (0.1 if drum else 0.03), end),
            )
        ]  # fmt: skip

    for part, level in zip(parts, sound.levels, strict=True):
        instrument = pretty_midi.Instrument(program=int(np.clip(part.program, 0, 127)))
        for n in part.notes:
            instrument.notes += timed(n, level, drum=False)
        score.instruments.append(instrument)
    if hits:
        kit = pretty_midi.Instrument(program=sound.kit, is_drum=True)
        for notes in hits.values():
            for n in notes:
                kit.notes += timed(n, 1.0, drum=True)
        score.instruments.append(kit)
    effects = str(int(sound.effects))
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder) / "clip.mid", Path(folder) / "clip.wav"
        score.write(str(midi))
        command = ["fluidsynth", "-ni", "-q", "-g", "0.5", "-R", effects, "-C", effects]
        # Loading only the presets that sound is what makes a short clip cheap.
        command += ["-o", "synth.dynamic-sample-loading=1", "-o", "synth.polyphony=128"]
        command += ["-r", str(SR), "-F", str(wav), sound.font, str(midi)]
        subprocess.run(command, check=True, capture_output=True)
        audio, _ = soundfile.read(str(wav), dtype="float32", always_2d=True)
    audio = audio.mean(axis=1)
    n_samples = int(duration * SR)
    return np.pad(audio, (0, max(0, n_samples - audio.size)))[:n_samples]


def to_general_midi(hits: Hits, rng: np.random.Generator) -> Hits:
    """Programmed hits with the pitches of a General MIDI kit."""
    result: Hits = {}
    for part, notes in hits.items():
        pitches = GM_TOMS if part == "tom" else (int(rng.choice(GM_HITS[part])),)
        result[part] = [
            Note(n.start, n.end, pitches[n.pitch % len(pitches)], n.velocity) for n in notes
        ]
    return result


@cache
def _sample(path: Path) -> np.ndarray:
    audio, sr = soundfile.read(str(path), dtype="float32", always_2d=True)
    audio = audio.mean(axis=1)
    if sr != SR:
        audio = scipy.signal.resample_poly(audio, SR, sr).astype(np.float32)
    return audio / (np.abs(audio).max() + 1e-9)


def _at_speed(audio: np.ndarray, speed: float) -> np.ndarray:
    """Play faster and higher by a factor, as a sampler does."""
    return np.interp(np.arange(0, audio.size, speed), np.arange(audio.size), audio).astype(
        np.float32
    )


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


def render_samples(
    hits: Hits, bpm: float, duration: float, origin: float, sounds: dict[str, SampleSound]
) -> np.ndarray:
    """Sampled drums, (n_samples,) at `SR`."""
    mix = np.zeros(int(duration * SR), np.float32)
    for part, notes in hits.items():
        drawn = sounds[part]
        sample = _at_speed(_sample(drawn.path), drawn.speed)[: drawn.tail]
        sample = sample * np.linspace(1, 0, sample.size) ** 0.5
        # Toms go down, the others have one sound.
        steps = 4 if part == "tom" else 1
        pitched = [_at_speed(sample, 0.85**k) for k in range(steps)]
        for n in notes:
            begin = int((origin + n.start * 60.0 / bpm) * SR)
            if 0 <= begin < mix.size:
                hit = pitched[n.pitch % steps][: mix.size - begin]
                mix[begin : begin + hit.size] += drawn.gain * (n.velocity / 120.0) * hit
    return mix


def draw_loop(bpm: float, sources: Sources, rng: np.random.Generator) -> Path | None:
    """A drum loop that lies within a factor of `LOOP_STRETCH` of the tempo; None without one."""
    loops = []
    for name, beats in LOOPS.items():
        path = sources.samples / f"{name}.flac"
        if path.exists():
            speed = bpm / (60.0 * beats * SR / _sample(path).size)
            if 1 / LOOP_STRETCH < speed < LOOP_STRETCH:
                loops.append(path)
    return loops[rng.integers(len(loops))] if loops else None


def render_loop(path: Path, bpm: float, duration: float, origin: float) -> np.ndarray:
    """A drum loop of known length, resampled to the tempo; (n_samples,) at `SR`."""
    audio, beats = _sample(path), LOOPS[path.stem]
    # The position in the loop is computed for every sample: rounding each repetition to whole
    # samples would change the tempo.
    time = np.arange(int(duration * SR)) / SR - origin
    position = (time * bpm / 60.0 / beats) % 1.0 * audio.size
    wrapped = np.append(audio, audio[0])
    return np.interp(position, np.arange(wrapped.size), wrapped).astype(np.float32)


def render_voice(
    part: Part, bpm: float, duration: float, origin: float, rng: np.random.Generator
) -> np.ndarray:
    """A part that is sung, by one voice or a few; (n_samples,) at `SR`."""
    second = 60.0 / bpm
    octave = int(rng.choice([-12, 0, 0]))
    choir = 1 if rng.random() < 0.7 else int(rng.integers(2, 4))
    voices = np.zeros(int(duration * SR), np.float32)
    for k in range(choir):
        apart = 0.0 if k == 0 else 0.012  # [s]
        interval = 0 if k == 0 else int(rng.choice([-12, 0, 0, 7]))
        syllables = [
            (
                origin + n.start * second + rng.normal() * apart,
                origin + n.end * second,
                440.0 * 2 ** ((n.pitch + octave + interval - 69) / 12),
            )
            for n in part.notes
        ]
        voices += sing(syllables, voices.size, rng.uniform(0.1, 0.7), rng)
    return reverberate(voices, rng.uniform(0.3, 2.0), rng.uniform(0.05, 0.4), rng)


def _unit(audio: np.ndarray) -> np.ndarray:
    return audio / (np.std(audio) + 1e-9)


def make_clip(
    index: int,
    seed: int,
    sources: Sources,
    duration: float = 30.0,
    styles: Sequence[Style] = STYLES,
    balanced: bool = False,
) -> tuple[np.ndarray, dict[str, object]]:
    """Clip number `index` of the set `seed`: (n_samples,) audio at `SR` and what is true of it.

    The style is drawn from `styles` by weight, or taken in turn if `balanced`.

    Returns
    -------
    The audio, and a row with `style`, `bpm`, `beats` (in a bar), `first_beat` and `downbeat` [s],
    `drums` (`none`, `sampled`, `loop`, `midi` or `human`), `harmony` and `voice`.
    """
    _, audio, row = _make(index, seed, sources, duration, styles, balanced)
    return audio, row


def _make(
    index: int,
    seed: int,
    sources: Sources,
    duration: float,
    styles: Sequence[Style],
    balanced: bool,
) -> tuple[Composition, np.ndarray, dict[str, object]]:
    for composition, rng in attempts(index, seed, sources, duration, styles, balanced):
        audio, row = render(composition, rng)
        if not mostly_silent(audio):
            break
    return composition, audio, row


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


def mostly_silent(audio: np.ndarray) -> bool:
    """Whether half of the seconds or more have nothing to hear: a song may have a long rest."""
    seconds = audio[: audio.size // SR * SR].reshape(-1, SR)
    return seconds.size > 0 and float(np.median(np.sqrt(np.square(seconds).mean(axis=1)))) < SILENT


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
    arranged: tuple[Part, ...] = ()
    if harmony:
        parts = harmony_parts(style, n_beats, sources, rng)
        deviation = 0.0 if rng.random() < style.electronic else rng.uniform(0.0, 0.015)
        arranged = tuple(
            Part(p.role, p.program, humanise(follow(p.notes, p.role, sections), deviation, rng))
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


def render(clip: Composition, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, object]]:
    """Make a composition sound, see `make_clip`; `rng` as `compose` left it."""
    style, bpm, duration, origin = clip.style, clip.bpm, clip.duration, clip.origin
    n_samples = int(duration * SR)
    instruments: np.ndarray = np.zeros(n_samples, np.float32)
    drums: np.ndarray = np.zeros(n_samples, np.float32)
    if clip.drums is not None:
        drums = _render_drums(clip, clip.drums)
    sung = False
    if clip.harmony:
        played = [p for p in clip.parts if p.program != VOICE and p.notes]
        voices = [p for p in clip.parts if p.program == VOICE and p.notes]
        sung = bool(voices)
        if played:
            sound = draw_midi_sound(len(played), False, rng)
            instruments = _unit(render_midi(played, {}, bpm, duration, origin, sound))
        for part in voices:
            level = 10 ** (rng.normal(0.0, 4.0) / 20)
            voice = _unit(render_voice(part, bpm, duration, origin, rng))
            instruments = instruments + level * voice
        if clip.drums is not None and "pump" in style.figures and rng.random() < 0.6:
            instruments = duck(instruments, bpm, clip.first_beat, rng)
        instruments = _unit(instruments)
    if clip.drums is not None:
        if rng.random() < 0.5:
            drums = equalise(drums, 6.0, rng)
        if rng.random() < 0.4:
            drums = compress(_unit(drums), rng.uniform(-6, 6), 4.0, 0.01, rng.uniform(0.05, 0.3))
        drums = _unit(drums)
    balance = 10 ** (rng.normal(1.0, 5.0) / 20)  # drums to the rest
    audio = master(instruments + balance * drums, rng)
    row = {
        "style": style.name,
        "bpm": bpm,
        "beats": style.beats,
        "first_beat": round(clip.first_beat, 4),
        "downbeat": round(clip.first_beat + (-clip.skipped % style.beats) * 60.0 / bpm, 4),
        "drums": "none" if clip.drums is None else clip.drums.kind,
        "harmony": clip.harmony,
        "voice": sung,
    }
    return audio, row


def _render_drums(clip: Composition, drums: Drums) -> np.ndarray:
    bpm, duration, origin = clip.bpm, clip.duration, clip.origin
    if isinstance(drums.sound, Path):
        loop = render_loop(drums.sound, bpm, duration, origin)
        beat = (np.arange(loop.size) / SR - origin) * bpm / 60.0
        for section in clip.sections:
            rests = {"kick", "snare"} <= set(section.silent)
            begin = section.start if rests else section.end - section.stop
            loop[(beat >= begin) & (beat < section.end)] = 0.0
        return loop
    if isinstance(drums.sound, MidiSound):
        return render_midi([], drums.hits, bpm, duration, origin, drums.sound)
    return render_samples(drums.hits, bpm, duration, origin, drums.sound)


MADE_WITH = "made_with"  # in the note beside a clip, not in the table


def _write_clip(
    index: int,
    seed: int,
    sources: Sources,
    duration: float,
    styles: Sequence[Style],
    balanced: bool,
    out: Path,
) -> None:
    path = out / f"{seed}-{index:06d}.ogg"
    note = path.with_suffix(".json")
    arguments = [duration, balanced, [style.name for style in styles]]
    made_with = hashlib.sha256(json.dumps(arguments).encode()).hexdigest()[:16]
    # By an earlier run that was interrupted; those of before did not say with which arguments.
    if note.exists() and json.loads(note.read_text()).get(MADE_WITH, made_with) == made_with:
        return
    composition, audio, row = _make(index, seed, sources, duration, styles, balanced)
    # A balanced set is for tests; of the others every tenth clip is kept for validation.
    split = "test" if balanced else "validation" if index % 10 == 0 else "train"
    row = {"file": path.name, "split": split, **row, MADE_WITH: made_with}
    temporary = path.with_suffix(".part")
    quality = np.random.default_rng([seed, index, 1]).uniform(0.3, 0.9)
    with soundfile.SoundFile(
        str(temporary), "w", SR, 1, format="OGG", subtype="VORBIS", compression_level=1 - quality
    ) as file:
        # One second at a time: libsndfile overflows its stack on one long vorbis write.
        for begin in range(0, audio.size, SR):
            file.write(audio[begin : begin + SR])
    temporary.replace(path)
    temporary.write_text(score_of(composition).to_json())
    temporary.replace(path.with_suffix(".score"))
    temporary.write_text(json.dumps(row))
    temporary.replace(note)


@click.command(cls=Command)
@click.option(
    "--midi",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder with groove/ and POP909/.",
)
@click.option(
    "--samples",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of drum hits (FLAC).",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for the clips and clips.tsv.",
)
@click.option("--count", default=1000, show_default=True, help="Number of clips.")
@click.option("--duration", default=30.0, show_default=True, help="Length of a clip in seconds.")
@click.option("--seed", default=1, show_default=True)
@click.option("--jobs", default=2, show_default=True, help="Processes.")
@click.option(
    "--style",
    "names",
    multiple=True,
    type=click.Choice([s.name for s in STYLES]),
    help="Render this style only; may be given more than once.",
)
@click.option(
    "--balanced",
    is_flag=True,
    help="Go through the styles in turn, so that each has the same number of clips: a test set.",
)
def main(
    midi: Path,
    samples: Path,
    out: Path,
    count: int,
    duration: float,
    seed: int,
    jobs: int,
    names: tuple[str, ...],
    balanced: bool,
) -> None:
    """Render clips of known tempo; an interrupted run goes on where it stopped.

    The table lists all clips in the folder, also those of earlier runs with other seeds.
    """
    out.mkdir(parents=True, exist_ok=True)
    sources = Sources(midi, samples)
    styles = [s for s in STYLES if s.name in names] or list(STYLES)
    write = joblib.delayed(_write_clip)
    tasks = (write(i, seed, sources, duration, styles, balanced, out) for i in range(count))
    run = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    for _ in tqdm(run, total=count, unit="clip", disable=None):
        pass
    rows = [json.loads(note.read_text()) for note in sorted(out.glob("*.json"))]
    for row in rows:
        row.pop(MADE_WITH, None)
    with (out / "clips.tsv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    click.echo(f"{len(rows)} clips in {out}")
