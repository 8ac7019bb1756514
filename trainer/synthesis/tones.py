"""Notes as sums of decaying harmonics, for where no soundfont can be expected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .studies import Played

N_HARMONICS = 12
ATTACK, RELEASE = 0.004, 0.06  # [s]


def play(notes: Sequence[Played], seconds: float, sr: int, rng: np.random.Generator) -> np.ndarray:
    """(n_samples,) float32 audio of notes, all with the same random timbre.

    Parameters
    ----------
    sr
        Sample rate [Hz].
    """
    audio = np.zeros(round(seconds * sr))
    order = np.arange(1, N_HARMONICS + 1)
    levels = rng.uniform(0.3, 1.0, N_HARMONICS) * order ** -rng.uniform(0.8, 1.6)
    brief = rng.uniform(0.5, 2.0)  # times that the harmonics fall per second, by their order
    for note in notes:
        begin, length = round(note.start * sr), round((note.end - note.start + RELEASE) * sr)
        time = np.arange(max(0, min(length, audio.size - begin))) / sr
        frequency = 440 * 2 ** ((note.pitch - 69) / 12)
        tone = np.zeros_like(time)
        for harmonic, level in zip(order, levels, strict=True):
            if harmonic * frequency < sr / 2:
                wave = np.sin(2 * np.pi * harmonic * frequency * time + rng.uniform(0, 2 * np.pi))
                tone += level * wave * np.exp(-time * brief * (0.5 + 0.3 * harmonic))
        fall = np.clip((note.end - note.start + RELEASE - time) / RELEASE, 0, 1)
        tone *= (note.velocity / 127) ** 2 * np.minimum(1, time / ATTACK) * fall
        audio[begin : begin + len(time)] += tone
    return (0.5 * audio / max(1e-9, np.abs(audio).max())).astype(np.float32)
