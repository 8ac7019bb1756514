"""Rendering a composition to audio: fluidsynth plays MIDI, drum hits and loops are samples."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pretty_midi
import soundfile

from ..composition import Composition
from ..notes import (
    Drums,
    Hits,
    InstrumentPart,
    MidiSound,
    Note,
    SampleSound,
)
from .compose import draw_midi_sound
from .harmony import VOICE_PROGRAM
from .mixing import SR, compress, duck, equalise, master, reverberate, sing
from .samples import LOOPS, at_speed, read_sample


def render_midi(
    parts: list[InstrumentPart],
    hits: Hits,
    bpm: float,
    duration: float,
    origin: float,
    sound: MidiSound,
) -> np.ndarray:
    """Audio (n_samples,) at `SR` of instruments and drums that fluidsynth plays.

    Parameters
    ----------
    hits
        Drum hits with General MIDI pitches.
    duration
        Length of the audio [s].
    origin
        Time of beat 0 [s]; it may be negative.
    """
    score = pretty_midi.PrettyMIDI(initial_tempo=120, resolution=960)
    second = 60.0 / bpm

    def timed(note: Note, level: float, drum: bool) -> list[pretty_midi.Note]:
        start, end = origin + note.start * second, origin + note.end * second
        # A tone that begins a little before the clip still sounds in it, unlike a drum hit.
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
        # Loading only the presets that are used makes short clips much faster.
        command += ["-o", "synth.dynamic-sample-loading=1", "-o", "synth.polyphony=128"]
        command += ["-r", str(SR), "-F", str(wav), sound.font, str(midi)]
        subprocess.run(command, check=True, capture_output=True)
        audio, _ = soundfile.read(str(wav), dtype="float32", always_2d=True)
    audio = audio.mean(axis=1)
    n_samples = int(duration * SR)
    return np.pad(audio, (0, max(0, n_samples - audio.size)))[:n_samples]


def render_samples(
    hits: Hits, bpm: float, duration: float, origin: float, sounds: dict[str, SampleSound]
) -> np.ndarray:
    """Audio (n_samples,) at `SR` of sampled drums; see `render_midi` for the parameters."""
    mix = np.zeros(int(duration * SR), np.float32)
    for part, notes in hits.items():
        drawn = sounds[part]
        sample = at_speed(read_sample(drawn.path), drawn.speed)[: drawn.tail]
        sample = sample * np.linspace(1, 0, sample.size) ** 0.5
        # There are four toms, from high to low; the other parts have one sound.
        steps = 4 if part == "tom" else 1
        pitched = [at_speed(sample, 0.85**k) for k in range(steps)]
        for n in notes:
            begin = int((origin + n.start * 60.0 / bpm) * SR)
            if 0 <= begin < mix.size:
                hit = pitched[n.pitch % steps][: mix.size - begin]
                mix[begin : begin + hit.size] += drawn.gain * (n.velocity / 120.0) * hit
    return mix


def render_loop(path: Path, bpm: float, duration: float, origin: float) -> np.ndarray:
    """Audio (n_samples,) at `SR` of a drum loop that is resampled to the tempo."""
    audio, beats = read_sample(path), LOOPS[path.stem]
    # The position in the loop is computed for every sample: rounding each repetition to whole
    # samples would change the tempo.
    time = np.arange(int(duration * SR)) / SR - origin
    position = (time * bpm / 60.0 / beats) % 1.0 * audio.size
    wrapped = np.append(audio, audio[0])
    return np.interp(position, np.arange(wrapped.size), wrapped).astype(np.float32)


def render_voice(
    part: InstrumentPart, bpm: float, duration: float, origin: float, rng: np.random.Generator
) -> np.ndarray:
    """Audio (n_samples,) at `SR` of a part that is sung by one voice or a few."""
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
    """Audio scaled to unit deviation."""
    return audio / (np.std(audio) + 1e-9)


def render(clip: Composition, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, object]]:
    """The audio and the description of a composition, see `make_clip`.

    Parameters
    ----------
    rng
        The generator with which the composition was drawn.
    """
    style, bpm, duration, origin = clip.style, clip.bpm, clip.duration, clip.origin
    n_samples = int(duration * SR)
    instruments: np.ndarray = np.zeros(n_samples, np.float32)
    drums: np.ndarray = np.zeros(n_samples, np.float32)
    if clip.drums is not None:
        drums = _render_drums(clip, clip.drums)
    sung = False
    if clip.harmony:
        played = [p for p in clip.parts if p.program != VOICE_PROGRAM and p.notes]
        voices = [p for p in clip.parts if p.program == VOICE_PROGRAM and p.notes]
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
    balance = 10 ** (rng.normal(1.0, 5.0) / 20)  # level of the drums relative to the rest
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
    """Audio (n_samples,) at `SR` of the drums of a clip."""
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
