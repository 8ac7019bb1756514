"""Clicks over music, to hear whether a tempo is right, and the phase at which they fit best."""

from __future__ import annotations

import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .spectrum import Array, onset_strength

N_FFT, HOP_LENGTH = 512, 128  # of the spectrum in which onsets are looked for, at 44.1 kHz
OCTAVE_EDGES = (0, 2, 4, 8, 16, 32, 64, 128)  # first bin of each band
SPREAD = 0.012  # [s] standard deviation of the onsets that belong to one beat
CLICK, DOWNBEAT_CLICK = 1500.0, 2400.0  # [Hz]
DECAY = 0.012  # [s] in which a click falls to 1/e
CLICK_LENGTH = 6 * DECAY  # [s]
CLICK_LEVEL, MUSIC_LEVEL = 0.5, 0.45  # peaks; together they stay below full scale


def best_phase(audio: Array, sr: int, bpm: float) -> float:
    """Time of the first beat at which clicks of a tempo fall on the strongest onsets.

    Parameters
    ----------
    audio
        (n_samples,) music of a constant tempo.
    sr
        Sample rate [Hz].
    bpm
        Tempo [BPM].

    Returns
    -------
    float
        Time [s] from the beginning of the audio, from 0 to less than the time between two beats.
    """
    period, fps = 60 / bpm, sr / HOP_LENGTH
    onsets = _onsets(audio, sr)
    phases = np.arange(0, period, 1 / fps)
    beats = np.arange(0, len(onsets) / fps - period, period)
    if not len(beats):
        return 0.0
    times = (phases[:, None] + beats) * fps
    strengths = np.interp(times, np.arange(len(onsets)), onsets).mean(axis=1)
    return float(phases[int(strengths.argmax())])


def _onsets(audio: Array, sr: int) -> Array:
    """(n_frames,) strength of onsets, at `sr / HOP_LENGTH` frames per second."""
    # A window hears an onset before its centre reaches it, so frame k is the one that ends there.
    padded = np.pad(audio, (N_FFT - HOP_LENGTH, HOP_LENGTH))
    frames = sliding_window_view(padded, N_FFT)[::HOP_LENGTH]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(N_FFT))).astype(np.float32)
    # By octaves, so that a bass drum counts for more than a cymbal, which has most of the bins.
    bands = np.add.reduceat(spectrum, OCTAVE_EDGES, axis=1) / np.diff([*OCTAVE_EDGES, N_FFT // 2])
    # Not compressed, because of two onsets in a band the louder is more likely a beat.
    bands /= np.maximum(bands.mean(axis=0), 1e-9)
    onsets = onset_strength(np.ascontiguousarray(bands.T)).sum(axis=0)
    reach = round(3 * SPREAD * sr / HOP_LENGTH)
    distances = np.arange(-reach, reach + 1) * HOP_LENGTH / sr
    return np.asarray(np.convolve(onsets, np.exp(-0.5 * (distances / SPREAD) ** 2), "same"))


def with_clicks(
    audio: Array, sr: int, beats: Iterable[tuple[float, int | None]], gain: float | None = None
) -> Array:
    """Music with a click at each beat, a higher one at downbeats; the audio is not changed.

    Parameters
    ----------
    audio
        (n_samples,)
    sr
        Sample rate [Hz].
    beats
        Time of each [s] from the beginning of the audio, and its place in the bar or None. What is
        outside of the audio is left out, also of a single click.
    gain
        Factor of the music; None scales it so that the clicks are heard.

    Returns
    -------
    (n_samples,) with a peak of at most 1.
    """
    if gain is None:
        loudest = float(np.abs(audio).max(initial=0.0))
        gain = MUSIC_LEVEL / loudest if loudest else 0.0
    mixed = audio * np.float32(gain)
    t = np.arange(round(CLICK_LENGTH * sr)) / sr
    for time, place in beats:
        first = round(time * sr)
        begin, end = max(0, first), min(len(mixed), first + len(t))
        if begin < end:
            pitch = DOWNBEAT_CLICK if place == 1 else CLICK
            click = CLICK_LEVEL * np.cos(2 * np.pi * pitch * t) * np.exp(-t / DECAY)
            mixed[begin:end] += click[begin - first : end - first].astype(np.float32)
    return np.clip(mixed, -1, 1)


def write_wav(path: Path, audio: Array, sr: int) -> None:
    """Write audio (n_samples,), 1 is full scale, as a WAV file of 16 bits.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sr)
        file.writeframes((np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes())
