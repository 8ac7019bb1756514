"""Clicks that make a beat grid audible."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

LENGTH = 0.03  # [s] of a click
PITCHES = {True: 1760.0, False: 880.0}  # [Hz] of a downbeat, and of another beat
LEVEL = 0.6  # peak of a click; 1 is full scale
MUSIC_LEVEL = 0.5  # factor of the music under it


def click(sr: int, downbeat: bool) -> Array:
    """(n_samples,) one click at a sample rate [Hz]: a sine that dies away, loudest at its start."""
    time = np.arange(round(LENGTH * sr)) / sr
    wave = np.cos(2 * np.pi * PITCHES[downbeat] * time) * np.exp(-time / (LENGTH / 5))
    return np.asarray(LEVEL * wave, np.float32)


def with_clicks(
    audio: Array, sr: int, start: float, beats: Iterable[tuple[float, int | None]]
) -> Array:
    """Audio (n_samples,) that begins at `start` [s], quieter, with a click at each beat.

    Parameters
    ----------
    beats
        Time [s] and place in the bar of beats, as `Grid.beats` gives them; those outside are left
        out, and a click is cut off where the audio ends.
    """
    sounds = {downbeat: click(sr, downbeat) for downbeat in (True, False)}
    mixed = MUSIC_LEVEL * audio
    for time, beat in beats:
        first = round((time - start) * sr)
        sound = sounds[beat == 1]
        begin, end = max(0, first), min(audio.size, first + sound.size)
        if begin < end:
            mixed[begin:end] += sound[begin - first : end - first]
    return np.asarray(np.clip(mixed, -1, 1), np.float32)
