"""Pieces of which every note is known: drawn from pop songs or invented, and rendered.

Three kinds: `piano` plays a pop song on one piano, `band` gives its parts to instruments, often
with a bass and with human drums, and `study` is invented piano music as pop has none: dense, over
the whole keyboard, pedalled, soft and loud. `nothing` has no notes at all: drums, or noise.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pretty_midi
import scipy.signal
import soundfile

from ..notes import Hits, Sources
from ..songs import Song
from ..studies import Played, draw_study
from ..styles import STYLES
from .mixing import SR, compress, equalise, noise_like, reverberate
from .performances import groove_hits

Rng = np.random.Generator

KINDS = ("piano", "band", "study")
NOTHING = "nothing"
LOWEST, HIGHEST = 21, 108  # pitches of a piano
MERGED = 0.06  # [s] equal pitches of several instruments that begin so close are one note
PIANOS = (0, 0, 0, 0, 1, 2, 3)
SUSTAINED = (16, 17, 18, 19, 21, 40, 41, 42, 48, 49, 50, 52, 56, 60, 64, 65, 66, 68, 71, 73, 75, 80)
PLUCKED = (0, 1, 4, 5, 6, 11, 12, 24, 25, 26, 27, 28, 45, 46, 104, 108)
BASSES = (32, 33, 33, 34, 35, 36, 38, 39)
TEMPI = (60.0, 160.0)  # [BPM] at which songs are played


@dataclass(frozen=True)
class Part:
    """The notes of one instrument, `program` of General MIDI."""

    program: int
    notes: tuple[Played, ...]
    pedal: tuple[tuple[float, float], ...] = ()  # (down, up) [s]


@dataclass(frozen=True)
class Piece:
    """Music of `seconds`; the pitches of the drums are those of General MIDI."""

    kind: str
    seconds: float
    parts: tuple[Part, ...]
    drums: tuple[Played, ...] = ()


def draw_piece(
    kind: str, songs: Sequence[Song], sources: Sources, seconds: float, rng: Rng
) -> Piece:
    """A random piece of one of `KINDS`, or `NOTHING`."""
    if kind == NOTHING:
        bpm = float(rng.uniform(*TEMPI))
        drums = _drums(bpm, seconds, sources, rng) if rng.random() < 0.6 else ()
        return Piece(kind, seconds, (), drums)
    if kind == "study":
        notes, pedal = draw_study(seconds, rng)
        return Piece(kind, seconds, (Part(int(rng.choice(PIANOS)), notes, pedal),))
    song = songs[int(rng.integers(len(songs)))]
    bpm = float(rng.uniform(*TEMPI))
    n_beats = seconds * bpm / 60
    first = float(rng.uniform(0, max(0.0, song.n_beats - n_beats)))
    shift = int(rng.integers(-6, 7))
    parts = [_played(part, first, bpm, seconds, shift, rng) for part in song.parts]
    if kind == "piano":
        together = tuple(note for part in parts for note in part)
        pedal = _pedal(seconds, 60 / bpm, rng) if rng.random() < 0.35 else ()
        return Piece(kind, seconds, (Part(int(rng.choice(PIANOS)), together, pedal),))
    made = [
        Part(int(rng.choice(SUSTAINED if rng.random() < 0.45 else PLUCKED)), part)
        for part in parts
        if part and rng.random() < 0.85
    ]
    if rng.random() < 0.6 and parts:
        made.append(Part(int(rng.choice(BASSES)), _bass(parts[-1], rng)))
    drums = _drums(bpm, seconds, sources, rng) if rng.random() < 0.55 else ()
    return Piece(kind, seconds, tuple(part for part in made if part.notes), drums)


def _played(
    notes: Sequence, first: float, bpm: float, seconds: float, shift: int, rng: Rng
) -> tuple[Played, ...]:
    """Notes of a part from the beat `first` on, with dynamics and small inaccuracies."""
    beat = 60 / bpm
    middle, depth = rng.uniform(45, 100), rng.uniform(4, 22)
    swell = np.interp(np.linspace(0, 1, 64), np.linspace(0, 1, 6), rng.normal(0, depth, 6))
    found = []
    for note in notes:
        start = (note.start - first) * beat + rng.normal(0, 0.008)
        end = start + max(0.04, (note.end - note.start) * beat)
        if not 0 <= start < seconds - 0.05:
            continue
        loudness = middle + swell[int(63 * start / seconds)] + rng.normal(0, 5)
        pitch = int(np.clip(note.pitch + shift, LOWEST, HIGHEST))
        found.append(Played(start, min(end, seconds), pitch, int(np.clip(loudness, 12, 126))))
    return tuple(found)


def _bass(notes: Sequence[Played], rng: Rng) -> tuple[Played, ...]:
    """The lowest notes of an accompaniment, an octave or two lower."""
    found: list[Played] = []
    for note in sorted(notes):
        if found and note.start < found[-1].start + 0.05:
            continue
        if note.pitch < 60:
            pitch = note.pitch - 12 if note.pitch >= 40 else note.pitch
            loudness = int(np.clip(note.velocity + rng.normal(8, 5), 12, 126))
            found.append(Played(note.start, note.end, max(pitch, 28), loudness))
    return tuple(found)


def _pedal(seconds: float, beat: float, rng: Rng) -> tuple[tuple[float, float], ...]:
    """A pedal that is changed every two or four beats."""
    length = beat * float(rng.choice([2, 4]))
    edges = np.arange(rng.uniform(0, length), seconds, length)
    return tuple((float(a), float(b) - 0.06) for a, b in pairwise(edges))


def _drums(bpm: float, seconds: float, sources: Sources, rng: Rng) -> tuple[Played, ...]:
    """A human performance at about the tempo; none if there is none."""
    styles = [style for style in STYLES if style.groove]
    for _ in range(5):
        style = styles[int(rng.integers(len(styles)))]
        hits: Hits | None = groove_hits(style, bpm, seconds * bpm / 60, sources, rng)
        if hits:
            beat = 60 / bpm
            return tuple(
                Played(n.start * beat, n.end * beat + 0.05, n.pitch, n.velocity)
                for notes in hits.values()
                for n in notes
            )
    return ()


def sounding(piece: Piece) -> np.ndarray:
    """(n_notes, 4) start, end [s], pitch and velocity of the notes that are to be found.

    A note ends with the pedal that holds it, or where its pitch is struck again. Equal pitches of
    several instruments that begin together are one note.
    """
    notes: list[Played] = []
    for part in piece.parts:
        for note in part.notes:
            held = [up for down, up in part.pedal if down <= note.end <= up]
            notes.append(replace(note, end=max(note.end, *held)) if held else note)
    found: list[Played] = []
    latest: dict[int, int] = {}
    for note in sorted(notes):
        before = latest.get(note.pitch)
        if before is not None and note.start - found[before].start < MERGED:
            loudest = max(note.velocity, found[before].velocity)
            end = max(note.end, found[before].end)
            found[before] = replace(found[before], end=end, velocity=loudest)
            continue
        if before is not None and found[before].end > note.start:
            found[before] = replace(found[before], end=note.start)
        latest[note.pitch] = len(found)
        found.append(note)
    rows = [(n.start, min(n.end, piece.seconds), n.pitch, n.velocity) for n in found]
    return np.array(rows, np.float32).reshape(-1, 4)


def render(piece: Piece, font: str, rng: Rng, sr: int = SR // 2) -> np.ndarray:
    """(n_samples,) audio of a piece that a soundfont plays.

    The sound is recorded as music is: with a room, a tone control, some noise.

    Parameters
    ----------
    sr
        Sample rate [Hz]; a whole fraction of `SR`.
    """
    audio = _fluidsynth(piece, font)
    audio = audio / (np.std(audio) + 1e-6)
    if rng.random() < 0.6:
        audio = equalise(audio, rng.uniform(2, 9), rng)
    if rng.random() < 0.5:
        audio = reverberate(audio, rng.uniform(0.3, 2.0), rng.uniform(0.05, 0.35), rng)
    if rng.random() < 0.25:
        audio = compress(audio, rng.uniform(-6, 3), rng.uniform(2, 4), 0.005, 0.1)
    if rng.random() < 0.5 or piece.kind == NOTHING:
        kind = str(rng.choice(["white", "pink", "crackle"]))
        audio = audio + 10 ** (rng.uniform(-60, -25) / 20) * noise_like(kind, audio.size, rng)
    audio = scipy.signal.resample_poly(audio, 1, SR // sr)
    return (audio * rng.uniform(0.05, 0.9) / (np.abs(audio).max() + 1e-9)).astype(np.float32)


def _fluidsynth(piece: Piece, font: str) -> np.ndarray:
    if not piece.parts and not piece.drums:
        return np.zeros(round(piece.seconds * SR), np.float32)
    score = pretty_midi.PrettyMIDI(initial_tempo=120, resolution=960)
    for part in piece.parts:
        instrument = pretty_midi.Instrument(part.program)
        instrument.notes = [
            pretty_midi.Note(n.velocity, n.pitch, n.start, n.end) for n in part.notes
        ]
        for down, up in part.pedal:
            instrument.control_changes.append(pretty_midi.ControlChange(64, 127, down))
            instrument.control_changes.append(pretty_midi.ControlChange(64, 0, up))
        score.instruments.append(instrument)
    if piece.drums:
        kit = pretty_midi.Instrument(0, is_drum=True)
        kit.notes = [pretty_midi.Note(n.velocity, n.pitch, n.start, n.end) for n in piece.drums]
        score.instruments.append(kit)
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder) / "piece.mid", Path(folder) / "piece.wav"
        score.write(str(midi))
        command = ["fluidsynth", "-ni", "-q", "-g", "0.4", "-R", "0", "-C", "0"]
        # Loading only the presets that are used makes short pieces much faster.
        command += ["-o", "synth.dynamic-sample-loading=1", "-o", "synth.polyphony=128"]
        command += ["-r", str(SR), "-F", str(wav), font, str(midi)]
        subprocess.run(command, check=True, capture_output=True)
        audio, _ = soundfile.read(str(wav), dtype="float32", always_2d=True)
    n_samples = round(piece.seconds * SR)
    mono = audio.mean(axis=1)
    return np.pad(mono, (0, max(0, n_samples - mono.size)))[:n_samples]
