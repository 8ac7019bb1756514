"""Front end of notes: a constant-Q spectrogram at two resolutions.

Each octave is one matrix product: the audio is halved in sample rate for every octave down, so that
all octaves are as cheap as the highest. The sharp bands tell neighbouring semitones apart; the
quick bands, of a quarter of the length, tell when a note begins.
"""

from __future__ import annotations

import hashlib
from functools import cached_property, lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .config import NotesFrontEnd
from .spectrum import Array

RESOLUTIONS = 2  # sharp and quick
QUICK = 4  # times that quick bands are shorter
FRAMES_AT_ONCE = 1024  # that are computed together: their samples fit into the processor's cache
# Share of the sample rate that the bands of an octave stay below. It leaves the filter before the
# halving of the rate a fifth of an octave to fall.
HIGHEST_SHARE = 0.46
HALF_BAND = 79  # taps of that filter


class ConstantQ:
    """Magnitude spectrogram whose bands are equally far apart in pitch, at two resolutions.

    Parameters
    ----------
    front_end
        The sizes.
    centres
        (n_bands, 1) centre of each band [Hz], rising, as stored in the checkpoint.
    """

    def __init__(self, front_end: NotesFrontEnd, centres: Array):
        self.front_end, self.centres = front_end, centres
        self.sr, self.fps = front_end.sr, front_end.fps

    @cached_property
    def key(self) -> str:
        digest = hashlib.sha256(self.front_end.digest().encode())
        digest.update(np.ascontiguousarray(self.centres).tobytes())
        return f"constant-q {digest.hexdigest()}"

    @cached_property
    def _octaves(self) -> list[tuple[slice, Array]]:
        """From the highest octave down: its bands, and their kernels (length, 4 * n_bands).

        The columns are the real parts of the sharp bands, their imaginary parts, and the same of
        the quick bands.
        """
        centres = self.centres[:, 0].astype(np.float64)
        octaves: list[tuple[slice, Array]] = []
        last, rate = len(centres), float(self.sr)
        while last > 0:
            # What lies below half of the limit is left to the next octave, if the rate still has
            # whole samples between frames.
            first = int(np.searchsorted(centres, HIGHEST_SHARE * rate / 2))
            if self.front_end.hop_length % (2 << len(octaves)):
                first = 0
            first = min(first, last)
            kernels = note_kernels(self.front_end, centres[first:last], rate)
            octaves.append((slice(first, last), kernels))
            last, rate = first, rate / 2
        return octaves

    def features(self, audio: Array) -> Array:
        """(n_samples,) → (2 * n_bands, n_frames) linear magnitudes: sharp bands, quick bands.

        Frame k is centred on sample k * hop_length.
        """
        n_bands, hop = len(self.centres), self.front_end.hop_length
        n_frames = len(audio) // hop + 1
        features = np.empty((n_frames, RESOLUTIONS * n_bands), np.float32)
        for number, (bands, kernels) in enumerate(self._octaves):
            if number:
                audio = halved(audio)
            step, length = hop >> number, len(kernels)
            padded = np.zeros((n_frames - 1) * step + length, np.float32)
            known = audio[: len(padded) - length // 2]
            padded[length // 2 : length // 2 + len(known)] = known
            frames = sliding_window_view(padded, length)[::step]
            n = bands.stop - bands.start
            for first in range(0, n_frames, FRAMES_AT_ONCE):
                some = slice(first, first + FRAMES_AT_ONCE)
                parts = np.ascontiguousarray(frames[some]) @ kernels
                for k in range(RESOLUTIONS):
                    real, imaginary = (
                        parts[:, 2 * k * n :][:, :n],
                        parts[:, (2 * k + 1) * n :][:, :n],
                    )
                    columns = slice(k * n_bands + bands.start, k * n_bands + bands.stop)
                    features[some, columns] = np.sqrt(real * real + imaginary * imaginary)
        return np.ascontiguousarray(features.T)


def note_kernels(front_end: NotesFrontEnd, centres: np.ndarray, rate: float) -> Array:
    """(length, 4 * n_bands) Hann-windowed waves of bands; see `ConstantQ`.

    A sine of amplitude 1 has the magnitude 1 / 2 in its band.

    Parameters
    ----------
    centres
        (n_bands,) [Hz].
    rate
        Sample rate of the audio that they are multiplied with [Hz].
    """
    q = 1 / (2 ** (1 / 12) - 1) * front_end.sharpness
    seconds = np.minimum(q / centres, front_end.longest)
    length = int(2 * np.ceil(seconds.max() * rate / 2)) + 1
    time = (np.arange(length) - length // 2)[:, None] / rate
    columns = []
    for shorter in (1, QUICK):
        wide = seconds / shorter
        window = np.where(np.abs(time) < wide / 2, 0.5 + 0.5 * np.cos(2 * np.pi * time / wide), 0)
        window /= window.sum(axis=0)
        columns += [window * np.cos(2 * np.pi * centres * time)]
        columns += [window * np.sin(2 * np.pi * centres * time)]
    return np.concatenate(columns, axis=1).astype(np.float32)


def halved(audio: Array) -> Array:
    """Every second sample of the audio after a low pass at a quarter of its sample rate."""
    taps = _half_band()
    middle = len(taps) // 2
    padded = np.pad(audio, middle)
    # Of a half-band filter every second tap is zero but for the middle one.
    n = (len(audio) + 1) // 2
    odd = np.convolve(padded[0::2], taps[0::2], "valid")[:n]
    return np.asarray(odd + taps[middle] * padded[middle::2][:n], np.float32)


@lru_cache(maxsize=1)
def _half_band() -> Array:
    """(HALF_BAND,) taps: a sinc under a Kaiser window; the outermost are not zero."""
    n = np.arange(HALF_BAND) - HALF_BAND // 2
    taps = np.sinc(n / 2) / 2 * np.kaiser(HALF_BAND, 6.0)
    return (taps / taps.sum()).astype(np.float32)


def note_centres(front_end: NotesFrontEnd) -> Array:
    """(n_bands, 1) centre of each band [Hz]; the middle of a semitone is in tune with A 440."""
    steps = np.arange(front_end.n_bands) - (front_end.bands_per_semitone - 1) / 2
    semitones = steps / front_end.bands_per_semitone
    return np.asarray(front_end.lowest * 2.0 ** (semitones / 12), np.float32)[:, None]
