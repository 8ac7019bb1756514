"""Sounds that have no key: noise, clicks, speech and drums, for a network that must not claim one.

Everything random is drawn anew for every sound: the colour of noise, the rate and the tone of
clicks, the melody and the throat of a voice, and the drums with what they play.
"""

from __future__ import annotations

import csv
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pretty_midi
import scipy.signal
import soundfile
from numpy.typing import NDArray

from .compose import draw_midi_sound
from .mixing import SR, equalise, noise_like, reverberate, sing
from .samples import at_speed, read_sample

Audio = NDArray[np.floating]
Rng = np.random.Generator

KINDS = {"noise": 0.15, "clicks": 0.1, "speech": 0.35, "sampled drums": 0.2, "grooves": 0.2}
# Names of single drum sounds begin so; loops of whole bars are kept for evaluation.
DRUMS = {
    "kick": ("bd_", "drum_bass", "drum_heavy"),
    "snare": ("sn_", "drum_snare", "elec_snare"),
    "hat": ("hat_", "drum_cymbal"),
    "other": ("drum_tom", "perc_", "elec_", "tabla_"),
}
SHARPEST, FLATTEST = 0.005, 0.3  # octaves by which the pitch of syllables varies


def make(data: Path, seconds: float, rng: Rng) -> Audio:
    """A sound (n_samples,) at `SR` without a key.

    Parameters
    ----------
    data
        Folder with `samples` and `midi/groove`; where one is missing, there is none of that kind.
    """
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    n = round(seconds * SR)
    audio: Audio
    if kind == "sampled drums" and (data / "samples").is_dir():
        audio = sampled_drums(data / "samples", n, rng)
    elif kind == "grooves" and (data / "midi" / "groove" / "info.csv").exists():
        audio = groove(data / "midi" / "groove", seconds, rng)
    elif kind == "speech":
        audio = talk(seconds, rng)
    elif kind == "clicks":
        audio = clicks(n, rng)
    else:
        audio = noise(n, rng)
    if rng.random() < 0.3:
        audio = reverberate(audio, rng.uniform(0.2, 1.2), rng.uniform(0.05, 0.3), rng)
    audio = equalise(audio, rng.uniform(0, 6), rng)[:n]
    floor = np.abs(audio).max() * 10 ** (rng.uniform(-80, -30) / 20)
    return np.asarray(audio + floor * rng.normal(size=len(audio)), np.float32)


def noise(n: int, rng: Rng) -> Audio:
    """Noise (n,) of a random colour, or of a band; it may swell."""
    kind = rng.choice(["coloured", "band", "crackle", "crowd"])
    if kind in ("crackle", "crowd"):
        return noise_like(str(kind), n, rng)
    spectrum = np.fft.rfft(rng.normal(size=n))
    frequency = np.maximum(np.fft.rfftfreq(n, 1 / SR), 20.0)
    spectrum *= (frequency / 1000) ** -rng.uniform(-0.5, 1.5)
    if kind == "band":
        middle, width = 2 ** rng.uniform(6.5, 12), rng.uniform(0.3, 2.0)
        spectrum *= np.exp(-0.5 * (np.log2(frequency / middle) / width) ** 2)
    audio = np.fft.irfft(spectrum, n)
    swell = np.interp(np.arange(n), np.linspace(0, n, 12), rng.uniform(0.2, 1.0, 12))
    return np.asarray(audio * (swell if rng.random() < 0.5 else 1.0) / (audio.std() + 1e-9))


def clicks(n: int, rng: Rng) -> Audio:
    """Bursts (n,) of noise or of a tone, at regular or random times."""
    length = round(SR * 10 ** rng.uniform(-3, -1))
    time = np.arange(length) / SR
    burst = rng.normal(size=length)
    if rng.random() < 0.4:
        burst = np.sin(2 * np.pi * 2 ** rng.uniform(8, 12) * time)
    burst *= np.exp(-time / rng.uniform(0.1, 1.0) / time[-1]) if length > 1 else 1.0
    period = rng.uniform(0.1, 1.2) * SR
    hits = np.arange(rng.uniform(0, period), n, period)
    if rng.random() < 0.3:
        hits = rng.uniform(0, n, len(hits))
    train = np.zeros(n)
    train[hits.astype(int)] = rng.uniform(0.5, 1.0, len(hits))
    return np.asarray(scipy.signal.fftconvolve(train, burst)[:n])


def talk(seconds: float, rng: Rng) -> Audio:
    """A voice that speaks, from monotonous to lively: phrases that fall, with gliding pitches."""
    base, liveliness = 2 ** rng.uniform(6.2, 8.2), rng.uniform(0, 1)
    spread = SHARPEST * (FLATTEST / SHARPEST) ** liveliness
    slow, pause = rng.uniform(0.8, 1.4), rng.uniform(0.05, 0.25)
    syllables, now, fall = [], rng.uniform(0.0, 0.3), 0.0
    while now < seconds:
        length = rng.uniform(0.08, 0.3) * slow
        syllables.append((now, now + length, base * 2 ** (fall + rng.normal(0, spread))))
        fall -= rng.uniform(0, 0.2) * spread
        now += length
        if rng.random() < pause:
            now, fall = now + rng.uniform(0.15, 0.8), rng.uniform(0, spread)
    audio = sing(syllables, round(1.2 * seconds * SR), rng.uniform(0, 0.2), rng)
    # Played at a speed that changes within every syllable, the pitch glides.
    n, depth = round(seconds * SR), rng.uniform(0, 1.5) * spread
    bends = rng.normal(0, depth, round(seconds / 0.12) + 2).clip(-0.2, 0.2)
    speed = 2 ** np.interp(np.arange(n) / SR, 0.12 * np.arange(len(bends)), bends)
    return np.interp(np.cumsum(speed), np.arange(len(audio)), audio)


def sampled_drums(folder: Path, n: int, rng: Rng) -> Audio:
    """Drum samples (n,) that play a bar of sixteenths again and again, slightly varied."""
    step = 60 / rng.uniform(70, 180) / 4 * SR
    mix = np.zeros(n + SR)
    for part, share in (("kick", 0.25), ("snare", 0.15), ("hat", 0.6), ("other", 0.15)):
        if rng.random() < 0.2:
            continue
        names = sorted(p for prefix in DRUMS[part] for p in folder.glob(f"{prefix}*.flac"))
        if not names:
            continue
        path = names[int(rng.integers(len(names)))]
        sound = at_speed(read_sample(path), 2 ** rng.uniform(-0.4, 0.4))[:SR]
        bar = np.where(rng.random(16) < share, rng.uniform(0.3, 1, 16), 0)
        bar[4 if part == "snare" else 0] = 1.0
        gain = 10 ** (rng.uniform(-12, 0) / 20)
        for k in range(int(n / step)):
            level = bar[k % 16] if rng.random() < 0.9 else rng.choice(bar)
            if level > 0:
                begin = int(k * step)
                mix[begin : begin + len(sound)] += gain * level * sound[: len(mix) - begin]
    return mix[:n]


@cache
def _performances(folder: Path) -> tuple[Path, ...]:
    with (folder / "info.csv").open(newline="", encoding="utf-8") as file:
        return tuple(
            folder / row["midi_filename"]
            for row in csv.DictReader(file)
            if row["split"] == "train" and float(row["duration"]) > 8
        )


def groove(folder: Path, seconds: float, rng: Rng) -> Audio:
    """A drummer's performance for training, on a random kit of a random soundfont."""
    performances = [path for path in _performances(folder) if path.exists()]
    score = pretty_midi.PrettyMIDI(str(performances[int(rng.integers(len(performances)))]))
    sound = draw_midi_sound(0, True, rng)
    n = round(seconds * SR)
    for instrument in score.instruments:
        instrument.program = sound.kit
        instrument.notes = [note for note in instrument.notes if note.start < seconds]
        instrument.control_changes = []
    with tempfile.TemporaryDirectory() as temporary:
        midi, wav = Path(temporary) / "groove.mid", Path(temporary) / "groove.wav"
        score.write(str(midi))
        subprocess.run(
            ["fluidsynth", "-ni", "-q", "-g", "0.5", "-o", "synth.dynamic-sample-loading=1",
             "-r", str(SR), "-F", str(wav), sound.font, str(midi)],
            check=True, capture_output=True,
        )  # fmt: skip
        audio, _ = soundfile.read(str(wav), dtype="float32", always_2d=True)
    mono = audio.mean(axis=1)
    return np.tile(mono, -(-n // max(1, len(mono))))[:n] if mono.any() else noise(n, rng)
