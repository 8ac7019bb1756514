"""Sounds without a key that a key model is asked about; none of them is learned from.

Noise and clicks are made here, voices by espeak-ng, drummers of the Groove MIDI Dataset's other
splits by fluidsynth, and drum loops are recordings. What is not installed is left out.
"""

from __future__ import annotations

import csv
import math
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pretty_midi
import scipy.signal
import soundfile
from numpy.typing import NDArray

Audio = NDArray[np.float32]

SECONDS = 30.0
LOOPS = ("amen", "amen_full", "breakbeat", "electric", "industrial", "perc1", "perc2", "safari",
         "tabla")  # fmt: skip
FONT = "/usr/share/sounds/sf3/MuseScore_General.sf3"
KITS = (0, 8, 16, 24, 25, 32, 40)
N_DRUMMERS = 20
VOICES = ("+m3", "+f2", "+m7", "+f4")
TEXTS = {
    "en": "The meeting was to begin at nine. At half past nine nobody had come, so we drank our "
    "coffee and waited. What do you think about it? I would say that it is far too early to tell. ",
    "de": "Am Anfang war das Wetter schön, doch dann begann es zu regnen, und wir gingen heim. "
    "Was meinst du dazu? Ich glaube, dass es noch viel zu früh ist, um das zu sagen. ",
    "fr": "Il était une fois un petit village au bord de la mer. Un jour, un homme est arrivé avec "
    "une valise pleine de livres. Qu'en pensez-vous? Je crois qu'il est trop tôt pour le dire. ",
    "it": "Un giorno arrivò in paese un uomo con una valigia piena di libri. "
    "Nessuno sapeva leggere. Che cosa ne pensi? Credo che sia troppo presto per dirlo. ",
}


def sounds(data: Path, sr: int) -> Iterator[tuple[str, str, Audio]]:
    """(kind, name, audio (n_samples,)) of every sound, at a sample rate.

    Parameters
    ----------
    data
        Folder with `samples` and `midi/groove`.
    """
    yield "silence", "silence", np.zeros(round(SECONDS * sr), np.float32)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        for colour, slope in (("white", 0.0), ("pink", 0.5), ("brown", 1.0)):
            yield "noise", f"{colour} {seed}", _noise(slope, sr, rng)
        yield "clicks", f"clicks {seed}", _clicks(sr, rng)
        yield "applause", f"applause {seed}", _applause(sr, rng)
    for path in sorted((data / "samples").glob("loop_*.flac")):
        if path.stem.removeprefix("loop_") in LOOPS:
            yield "drum loops", path.stem.removeprefix("loop_"), _read(path, sr)
    if shutil.which("fluidsynth") and Path(FONT).exists():
        yield from _drummers(data / "midi" / "groove", sr)
    if shutil.which("espeak-ng"):
        yield from _voices(sr)


def _noise(slope: float, sr: int, rng: np.random.Generator) -> Audio:
    """Noise whose amplitude falls with a power of the frequency."""
    n = round(SECONDS * sr)
    frequency = np.maximum(np.fft.rfftfreq(n, 1 / sr), 20.0)
    audio = np.fft.irfft(np.fft.rfft(rng.normal(size=n)) * frequency**-slope, n)
    return np.asarray(0.1 * audio / audio.std(), np.float32)


def _clicks(sr: int, rng: np.random.Generator) -> Audio:
    time = np.arange(round(SECONDS * sr)) % round(sr * rng.uniform(0.3, 0.8))
    return np.where(time < 0.01 * sr, rng.normal(0, 0.3, time.shape), 0).astype(np.float32)


def _applause(sr: int, rng: np.random.Generator) -> Audio:
    n = round(SECONDS * sr)
    hands = np.bincount(rng.integers(0, n, round(180 * SECONDS)), minlength=n)
    clap = rng.normal(size=sr // 50) * np.exp(-np.arange(sr // 50) / (0.004 * sr))
    audio = scipy.signal.fftconvolve(hands * rng.uniform(0.2, 1, n), clap)[:n]
    return np.asarray(0.4 * audio / np.abs(audio).max(), np.float32)


def _read(path: Path, sr: int) -> Audio:
    """All of a sound file, again and again."""
    audio, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    common = math.gcd(rate, sr)
    mono = scipy.signal.resample_poly(audio.mean(axis=1), sr // common, rate // common)
    n = round(SECONDS * sr)
    return np.asarray(np.tile(mono, -(-n // len(mono)))[:n], np.float32)


def _drummers(folder: Path, sr: int) -> Iterator[tuple[str, str, Audio]]:
    with (folder / "info.csv").open(newline="", encoding="utf-8") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["split"] != "train"
            and row["beat_type"] == "beat"
            and float(row["duration"]) > SECONDS / 2
            and (folder / row["midi_filename"]).exists()
        ]
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        midi, wav = Path(temporary) / "drums.mid", Path(temporary) / "drums.wav"
        for number in rng.permutation(len(rows))[:N_DRUMMERS]:
            score = pretty_midi.PrettyMIDI(str(folder / rows[number]["midi_filename"]))
            kit = int(rng.choice(KITS))
            for instrument in score.instruments:
                instrument.program = kit
                instrument.notes = [n for n in instrument.notes if n.start < SECONDS]
            score.write(str(midi))
            command = ["fluidsynth", "-ni", "-q", "-g", "0.5", "-r", "44100", "-F", str(wav)]
            command += ["-o", "synth.dynamic-sample-loading=1", FONT, str(midi)]
            subprocess.run(command, check=True, capture_output=True)
            yield "drummers", f"{rows[number]['style']} on kit {kit}", _read(wav, sr)


def _voices(sr: int) -> Iterator[tuple[str, str, Audio]]:
    with tempfile.TemporaryDirectory() as temporary:
        wav = Path(temporary) / "voice.wav"
        for language, text in TEXTS.items():
            for voice in VOICES:
                command = ["espeak-ng", "-v", language + voice, "-w", str(wav), 3 * text]
                subprocess.run(command, check=True, capture_output=True)
                yield "voices", language + voice, _read(wav, sr)
