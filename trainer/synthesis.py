"""Music with an exactly known tempo: `python -m trainer.synthesis --midi … --samples … --out …`.

A clip is drums, harmony, or both. Drums are a programmed pattern of the style or a human
performance (Groove MIDI Dataset) scaled to the drawn tempo, played by a General MIDI kit or by
sampled hits. Harmony is a stretch of a pop song (POP909) moved beat by beat to the tempo, with
random instruments and transposition, plus a bass line and an accompaniment figure on its chords.
fluidsynth renders the MIDI; mixing (balance, ducking, reverb, tone, saturation, noise, fades) is
done here.

Everything a clip contains follows from `(seed, index)` alone, so a run may be cut anywhere, spread
over any number of processes, and gives the same clips.
"""

from __future__ import annotations

import csv
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click
import joblib
import numpy as np
import pretty_midi
import scipy.signal
import soundfile
from tqdm import tqdm

from .styles import STYLES, Style

SR = 22050  # [Hz] of the rendered clips
SOUNDFONTS = (  # path, weight (the compressed last one takes seconds to load)
    ("/usr/share/sounds/sf2/FluidR3_GM.sf2", 0.53),
    ("/usr/share/sounds/sf2/TimGM6mb.sf2", 0.44),
    ("/usr/share/sounds/sf3/MuseScore_General_Full.sf3", 0.03),
)
SAMPLES = {  # name patterns of one-shot hits for each part
    "kick": ("bd_*", "drum_bass_*", "drum_heavy_kick*", "elec_soft_kick*", "elec_hollow_kick*"),
    "snare": (
        "sn_*",
        "drum_snare_*",
        "elec_snare*",
        "elec_lo_snare*",
        "elec_hi_snare*",
        "elec_mid_snare*",
        "elec_filt_snare*",
        "perc_snap*",
    ),
    "hat": ("hat_*", "drum_cymbal_closed*", "drum_cymbal_pedal*", "elec_tick*", "elec_twip*"),
    "perc": (
        "perc_bell*",
        "drum_cowbell*",
        "elec_blip*",
        "elec_wood*",
        "tabla_*",
        "drum_tom_*",
        "elec_pop*",
        "perc_till*",
    ),
}
GM_HITS = {
    "kick": (35, 36),
    "snare": (37, 38, 39, 40),
    "hat": (42, 44, 46, 51, 54, 69, 70),
    "perc": (56, 60, 61, 62, 63, 64, 65, 67, 75, 76),
}
# General MIDI programs for melodies and for chords.
MELODIC = (0, 4, 11, 24, 26, 40, 48, 52, 56, 65, 73, 80, 81, 82, 85, 88)
CHORDAL = (0, 2, 5, 24, 25, 27, 28, 29, 30, 48, 50, 51, 62, 63, 81, 90, 91)
ACCENT = {"x": 1.0, "o": 0.62}


@dataclass(frozen=True)
class Sources:
    """Where the raw material lies: Groove MIDI and POP909 under `midi`, drum hits in `samples`."""

    midi: Path
    samples: Path


@dataclass(frozen=True)
class Note:
    """A note in beats: pitch and velocity as in MIDI."""

    start: float
    end: float
    pitch: int
    velocity: int


def draw_bpm(style: Style, rng: np.random.Generator) -> float:
    """A tempo of the style [BPM], triangular on a log axis; a third are whole numbers.

    Music made on a computer sits at whole BPM, played music anywhere.
    """
    low, mode, high = np.log(style.bpm)
    bpm = float(np.exp(rng.triangular(low, mode, high)))
    return float(round(bpm)) if rng.random() < 0.33 else round(bpm, 3)


# --- drums ----------------------------------------------------------------------------------------


def pattern_hits(style: Style, n_beats: float, rng: np.random.Generator) -> dict[str, list[Note]]:
    """Programmed drums of `style` over `n_beats`, as hits per part.

    Patterns are drawn once per clip; single bars drop out, fill in or thin out, since a model that
    only ever sees perfect loops learns to expect them.
    """
    hits: dict[str, list[Note]] = {}
    swing = rng.uniform(*style.swing)
    human = rng.choice([0.0, 0.0, 0.012, 0.025])  # [beats] standard deviation of the timing
    for part in ("kick", "snare", "hat", "perc"):
        choices = getattr(style, part)
        if (
            not choices
            or (part == "hat" and rng.random() < 0.08)
            or (part == "perc" and rng.random() < 0.5)
        ):
            continue
        pattern = choices[rng.integers(len(choices))]
        step = style.beats / len(pattern)
        level = 1.0 if part != "hat" else rng.uniform(0.5, 1.0)
        notes = hits.setdefault(part, [])
        for bar in range(int(np.ceil(n_beats / style.beats))):
            skip_bar = rng.random() < 0.04
            for i, mark in enumerate(pattern):
                if mark == "." or skip_bar or rng.random() < 0.02:
                    continue
                late = swing * step if i % 2 else 0.0
                start = bar * style.beats + i * step + late + rng.normal(0.0, 1.0) * human
                velocity = int(
                    np.clip(120 * ACCENT[mark] * level * rng.uniform(0.85, 1.05), 1, 127)
                )
                notes.append(Note(start, start + step, 0, velocity))
            if part == "snare" and bar % 8 == 7 and rng.random() < 0.5:  # a fill before the phrase
                for i in range(round(1 / step)):
                    start = (bar + 1) * style.beats - 1 + i * step
                    notes.append(Note(start, start + 0.2, 0, int(rng.integers(60, 115))))
    return hits


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
) -> list[Note] | None:
    """A human performance of a fitting style, looped; None if none lies within 35 % of `bpm`."""
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
    looped: list[Note] = []
    for k in range(int(np.ceil((n_beats + offset) / length)) + 1):
        looped += [
            Note(n.start + k * length - offset, n.end + k * length - offset, n.pitch, n.velocity)
            for n in notes
            if n.start < length
        ]
    return [n for n in looped if 0 <= n.start < n_beats]


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
    "pulse": (tuple(i / 2 for i in range(8)), 0.4),
    "pulse16": (tuple(i / 4 for i in range(16)), 0.2),
    "offbeat": ((0.5, 1.5, 2.5, 3.5), 0.3),
    "pump": ((0.25, 0.5, 0.75, 1.25, 1.5, 1.75, 2.25, 2.5, 2.75, 3.25, 3.5, 3.75), 0.2),
    "tresillo": ((0, 0.75, 1.5, 2, 2.75, 3.5), 0.4),
    "skank": ((0.5, 1.5, 2.5, 3.5), 0.2),
    "strum": ((0, 1, 1.5, 2.5, 3, 3.5), 0.45),
    "octaves": (tuple(i / 2 for i in range(8)), 0.3),
    "arp8": (tuple(i / 2 for i in range(8)), 0.5),
    "arp16": (tuple(i / 4 for i in range(16)), 0.25),
    "triplet": (tuple(i / 3 for i in range(12)), 0.33),
    "walk": ((0, 1, 2, 3), 0.9),
    "oompah": ((0, 1, 2, 3), 0.5),
}


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
    notes = []
    span = (
        8.0 if figure == "halfpad" else float(beats) if figure == "triplet" and beats == 2 else 4.0
    )
    if beats == 3:
        span = 3.0
        onsets = tuple(o for o in onsets if o < 3)
    k = 0
    for bar in np.arange(0.0, chords[-1][1], span).tolist():
        for onset in onsets:
            if onset >= span:
                continue
            position = bar + onset
            pitches = next((p for s, e, p in chords if s <= position < e and p), ())
            if not pitches:
                continue
            velocity = int((98 if onset % 1 == 0 else 82) * rng.uniform(0.85, 1.1))
            if figure.startswith("arp") or figure in ("triplet", "walk"):
                chosen = [
                    octave
                    + pitches[k % len(pitches)]
                    + (12 if k % 8 >= 4 and figure == "arp16" else 0)
                ]
            elif figure == "octaves":
                chosen = [octave - 12 + pitches[0] + 12 * (k % 2)]
            elif figure == "oompah" and onset == 0:
                chosen = [octave - 24 + pitches[0]]
            else:
                chosen = [octave + p for p in pitches]
            notes += [Note(position, position + length, int(p), min(127, velocity)) for p in chosen]
            k += 1
    return notes


def bass_notes(chords: list[Chord], style: Style, rng: np.random.Generator) -> list[Note]:
    """A bass line on the roots of the chords, in one rhythm for the whole clip."""
    rhythm = {
        3: ((0,), (0, 2), (0, 1, 2)),
        2: ((0,), (0, 1), (0, 2 / 3, 1, 5 / 3)),
    }.get(
        style.beats,
        (
            (0,),
            (0, 2),
            (0, 1, 2, 3),
            (0, 1.5, 2, 3.5),
            (0.5, 1.5, 2.5, 3.5),
            tuple(i / 2 for i in range(8)),
            (0, 0.75, 1.5, 2.5, 3.25),
        ),
    )
    onsets = rhythm[rng.integers(len(rhythm))]
    notes = []
    for bar in np.arange(0.0, chords[-1][1] if chords else 0.0, float(style.beats)).tolist():
        for onset in onsets:
            pitches = next((p for s, e, p in chords if s <= bar + onset < e and p), ())
            if pitches:
                notes.append(
                    Note(
                        bar + onset, bar + onset + 0.45, 36 + pitches[0], int(rng.integers(85, 115))
                    )
                )
    return notes


def harmony_parts(
    style: Style, n_beats: float, sources: Sources, rng: np.random.Generator
) -> list[tuple[int, list[Note]]]:
    """(General MIDI program, notes) of melody, chords, figure and bass over `n_beats`."""
    folders = sorted(p for p in (sources.midi / "POP909").iterdir() if p.is_dir())
    song = load_song(folders[rng.integers(len(folders))])
    stretch = float(rng.choice(style.stretch))
    begin = 4.0 * int(rng.integers(0, max(1, int((song.n_beats - n_beats / stretch) // 4))))
    transpose = int(rng.integers(-5, 7))

    def moved(notes: tuple[Note, ...]) -> list[Note]:
        result = []
        for n in notes:
            start = (n.start - begin) * stretch
            if 0 <= start < n_beats:
                result.append(
                    Note(start, (n.end - begin) * stretch, n.pitch + transpose, n.velocity)
                )
        return result

    chords = [
        ((s - begin) * stretch, (e - begin) * stretch, tuple((p + transpose) % 12 for p in pitches))
        for s, e, pitches in song.chords
        if e > begin and (s - begin) * stretch < n_beats
    ]
    parts: list[tuple[int, list[Note]]] = []
    # The songs are in four: in other metres only chords, figure and bass make sense.
    if style.beats == 4 and "triplet" not in style.figures:
        melody_only = style.figures == ("none",)
        keep = (
            [0]
            if melody_only and rng.random() < 0.5
            else [i for i in range(len(song.parts)) if rng.random() < 0.75]
        )
        for i in keep:
            program = int(rng.choice([*MELODIC, int(rng.integers(0, 104))]))
            parts.append((program, moved(song.parts[i])))
        if melody_only:
            return parts or [(0, moved(song.parts[-1]))]
    figure = style.figures[rng.integers(len(style.figures))]
    parts.append(
        (
            int(rng.choice(CHORDAL)),
            figure_notes(figure, chords, style.beats, rng),
        )
    )
    if rng.random() < 0.75:
        parts.append((int(rng.integers(32, 40)), bass_notes(chords, style, rng)))
    return parts


# --- sound ----------------------------------------------------------------------------------------


def render_midi(
    parts: list[tuple[int, list[Note]]],
    drums: list[Note],
    bpm: float,
    duration: float,
    n_start: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Render with fluidsynth and a random soundfont; (n_samples,) mono at `SR`."""
    score = pretty_midi.PrettyMIDI(initial_tempo=120, resolution=960)
    second = 60.0 / bpm
    for program, notes in parts:
        instrument = pretty_midi.Instrument(program=min(127, program))
        level = rng.uniform(0.55, 1.0)
        for n in notes:
            start, end = n_start + n.start * second, n_start + n.end * second
            instrument.notes.append(
                pretty_midi.Note(
                    int(np.clip(n.velocity * level, 1, 127)),
                    int(np.clip(n.pitch, 12, 110)),
                    max(0.0, start),
                    max(0.03, start + 0.03, end),
                )
            )
        score.instruments.append(instrument)
    if drums:
        kit = pretty_midi.Instrument(
            program=int(rng.choice([0, 0, 8, 16, 24, 25, 32, 40])), is_drum=True
        )
        for n in drums:
            start = max(0.0, n_start + n.start * second)
            kit.notes.append(pretty_midi.Note(n.velocity, n.pitch, start, start + 0.1))
        score.instruments.append(kit)
    fonts = [(p, w) for p, w in SOUNDFONTS if Path(p).exists()]
    if not fonts:
        raise click.ClickException(
            "no soundfont found; install the fluid-soundfont-gm and timgm6mb-soundfont packages"
        )
    weights = np.array([w for _, w in fonts])
    font = fonts[rng.choice(len(fonts), p=weights / weights.sum())][0]
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder) / "clip.mid", Path(folder) / "clip.wav"
        score.write(str(midi))
        subprocess.run(
            [
                "fluidsynth",
                "-ni",
                "-q",
                "-g",
                "0.5",
                "-R",
                str(int(rng.random() < 0.5)),
                "-r",
                str(SR),
                "-F",
                str(wav),
                font,
                str(midi),
            ],
            check=True,
            capture_output=True,
        )
        audio, _ = soundfile.read(str(wav), dtype="float32", always_2d=True)
    audio = audio.mean(axis=1)
    n_samples = int(duration * SR)
    return np.pad(audio, (0, max(0, n_samples - audio.size)))[:n_samples]


@cache
def _sample(path: Path) -> np.ndarray:
    audio, sr = soundfile.read(str(path), dtype="float32", always_2d=True)
    audio = audio.mean(axis=1)
    if sr != SR:
        audio = scipy.signal.resample_poly(audio, SR, sr).astype(np.float32)
    return audio / (np.abs(audio).max() + 1e-9)


def render_samples(
    hits: dict[str, list[Note]],
    bpm: float,
    duration: float,
    n_start: float,
    sources: Sources,
    rng: np.random.Generator,
) -> np.ndarray:
    """Sampled drums: each part one hit, pitched and shortened at random; (n_samples,) at `SR`."""
    mix = np.zeros(int(duration * SR), np.float32)
    for part, notes in hits.items():
        files = sorted(
            p for pattern in SAMPLES[part] for p in sources.samples.glob(pattern + ".flac")
        )
        if not files:
            raise click.ClickException(f"no drum samples for the {part} in {sources.samples}")
        sample = _sample(files[rng.integers(len(files))])
        pitch = rng.uniform(0.85, 1.2)
        sample = np.interp(np.arange(0, sample.size, pitch), np.arange(sample.size), sample).astype(
            np.float32
        )
        tail = int(
            SR * {"kick": 0.5, "snare": 0.4, "hat": rng.uniform(0.05, 0.3), "perc": 0.4}[part]
        )
        sample = sample[:tail] * np.linspace(1, 0, min(tail, sample.size)) ** 0.5
        gain = {"kick": 1.0, "snare": 0.8, "hat": 0.35, "perc": 0.35}[part] * rng.uniform(0.5, 1.3)
        for n in notes:
            begin = int((n_start + n.start * 60.0 / bpm) * SR)
            if 0 <= begin < mix.size:
                end = min(mix.size, begin + sample.size)
                mix[begin:end] += gain * (n.velocity / 120.0) * sample[: end - begin]
    return mix


def master(audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Room, tone, saturation, noise and fades of a finished recording, drawn at random."""
    if rng.random() < 0.4:  # room
        seconds = rng.uniform(0.2, 1.6)
        t = np.arange(int(seconds * SR)) / SR
        room = rng.normal(size=t.size) * np.exp(-6.9 * t / seconds)
        wet = scipy.signal.fftconvolve(audio, room)[: audio.size]
        audio = audio + rng.uniform(0.05, 0.4) * wet * np.std(audio) / (np.std(wet) + 1e-9)
    if rng.random() < 0.7:  # tone: a smooth random curve of +-8 dB over the octaves
        spectrum = np.fft.rfft(audio)
        frequency = np.log2(np.maximum(20.0, np.fft.rfftfreq(audio.size, 1 / SR)))
        knots = np.linspace(np.log2(20), np.log2(SR / 2), 6)
        audio = np.fft.irfft(
            spectrum * 10 ** (np.interp(frequency, knots, rng.uniform(-8, 8, 6)) / 20), audio.size
        )
    if rng.random() < 0.15:  # lo-fi: a telephone, an old record
        low, high = rng.uniform(60, 300), rng.uniform(2500, 6000)
        audio = scipy.signal.sosfilt(
            scipy.signal.butter(2, [low, high], "bandpass", fs=SR, output="sos"), audio
        )
    audio = audio / (np.abs(audio).max() + 1e-9)
    if rng.random() < 0.6:  # loudness of modern masters
        drive = rng.uniform(1.5, 6.0)
        audio = np.tanh(drive * audio) / np.tanh(drive)
    if rng.random() < 0.3:
        audio = audio + rng.normal(size=audio.size) * 10 ** (rng.uniform(-60, -28) / 20)
    if rng.random() < 0.1:
        n = min(audio.size, int(rng.uniform(1, 6) * SR))
        audio[:n] *= np.linspace(0, 1, n)
    return (0.9 * audio / (np.abs(audio).max() + 1e-9)).astype(np.float32)


def duck(audio: np.ndarray, bpm: float, n_start: float, rng: np.random.Generator) -> np.ndarray:
    """Side-chain pumping: the level dips on every beat and recovers within it."""
    beat = ((np.arange(audio.size) / SR - n_start) * bpm / 60.0) % 1.0
    return audio * (
        1.0 - rng.uniform(0.4, 0.9) * np.clip(1.0 - beat / rng.uniform(0.3, 0.8), 0, 1)
    ).astype(np.float32)


def make_clip(
    index: int,
    seed: int,
    sources: Sources,
    duration: float = 30.0,
    styles: Sequence[Style] = STYLES,
) -> tuple[np.ndarray, dict[str, object]]:
    """Clip number `index` of the set `seed`: (n_samples,) audio at `SR` and what is true of it.

    The style is drawn from `styles` by weight.

    Returns
    -------
    The audio, and a row with `style`, `bpm`, `beats` (in a bar), `first_beat` [s], `drums` and
    `harmony`.
    """
    rng = np.random.default_rng([seed, index])
    weights = np.array([s.weight for s in styles])
    style = styles[rng.choice(len(styles), p=weights / weights.sum())]
    bpm = draw_bpm(style, rng)
    n_beats = duration * bpm / 60.0 + 1
    n_start = float(rng.uniform(0, 60.0 / bpm))  # [s] of the first beat
    has_drums = bool(style.kick or style.snare)
    harmony = (has_drums and rng.random() < style.harmony) or not has_drums
    if (
        has_drums
        and harmony
        and rng.random() < 0.08
        and style.name not in ("dembow", "trap", "dubstep", "dnb")
    ):
        has_drums = False  # an intro, a breakdown
    hits: dict[str, list[Note]] = {}
    gm_drums: list[Note] = []
    if has_drums:
        performance = (
            groove_hits(style, bpm, n_beats, sources, rng)
            if style.groove and rng.random() < 0.5
            else None
        )
        if performance:
            gm_drums = performance
        else:
            hits = pattern_hits(style, n_beats, rng)
            if rng.random() >= style.electronic:
                for part, notes in hits.items():
                    pitch = int(rng.choice(GM_HITS[part]))
                    gm_drums += [Note(n.start, n.end, pitch, n.velocity) for n in notes]
                hits = {}
    parts = harmony_parts(style, n_beats, sources, rng) if harmony else []
    instruments = (
        render_midi(parts, [], bpm, duration, n_start, rng)
        if parts
        else np.zeros(int(duration * SR), np.float32)
    )
    if gm_drums:
        drums = render_midi([], gm_drums, bpm, duration, n_start, rng)
    elif hits:
        drums = render_samples(hits, bpm, duration, n_start, sources, rng)
    else:
        drums = np.zeros_like(instruments)
    if has_drums and harmony and "pump" in style.figures and rng.random() < 0.6:
        instruments = duck(instruments, bpm, n_start, rng)
    instruments = instruments / (np.std(instruments) + 1e-9) if harmony else instruments
    drums = drums / (np.std(drums) + 1e-9) if has_drums else drums
    balance = 10 ** (rng.normal(0.0, 5.0) / 20)  # drums to the rest
    audio = master(instruments + balance * drums, rng)
    row = {
        "style": style.name,
        "bpm": bpm,
        "beats": style.beats,
        "first_beat": round(n_start, 4),
        "drums": "none" if not has_drums else "sampled" if hits else "midi",
        "harmony": harmony,
    }
    return audio, row


def _write_clip(
    index: int, seed: int, sources: Sources, duration: float, styles: Sequence[Style], out: Path
) -> None:
    path = out / f"{seed}-{index:06d}.ogg"
    note = path.with_suffix(".json")
    if note.exists():  # made by an earlier run that was interrupted
        return
    audio, row = make_clip(index, seed, sources, duration, styles)
    temporary = path.with_suffix(".part")
    with soundfile.SoundFile(str(temporary), "w", SR, 1, format="OGG", subtype="VORBIS") as file:
        # One second at a time: libsndfile overflows its stack on one long vorbis write.
        for begin in range(0, audio.size, SR):
            file.write(audio[begin : begin + SR])
    temporary.replace(path)
    note.write_text(json.dumps({"file": path.name, **row}))


@click.command()
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
def main(
    midi: Path,
    samples: Path,
    out: Path,
    count: int,
    duration: float,
    seed: int,
    jobs: int,
    names: tuple[str, ...],
) -> None:
    """Render clips of known tempo; an interrupted run goes on where it stopped.

    The table lists all clips in the folder, also those of earlier runs with other seeds.
    """
    out.mkdir(parents=True, exist_ok=True)
    sources = Sources(midi, samples)
    styles = [s for s in STYLES if s.name in names] or list(STYLES)
    write = joblib.delayed(_write_clip)
    tasks = (write(i, seed, sources, duration, styles, out) for i in range(count))
    run = joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks)
    for _ in tqdm(run, total=count, unit="clip"):
        pass
    rows = [json.loads(note.read_text()) for note in sorted(out.glob("*.json"))]
    with (out / "clips.tsv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    click.echo(f"{len(rows)} clips in {out}")


if __name__ == "__main__":
    # Worker processes must find the functions in an importable module, which `__main__` is not.
    from trainer.synthesis import main as entry

    entry()
