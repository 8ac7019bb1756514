"""What the networks see of a track: its waveform, or the log-mel spectrogram of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tempo_core.audio import AudioFile
from tempo_core.config import Config, FrontEnd, Windows, choice, setting
from tempo_core.spectrum import Array, Mel

from ...inputs.cache import spread
from ...inputs.hearing import music_of
from ...inputs.views import filterbank

N_FFT, HOP_LENGTH = 512, 256  # [samples] of the spectrogram: 32 and 16 ms at 16 kHz
GAIN = 1e4  # of the compression log10(1 + GAIN * magnitude)
LAYOUT = 1  # raise it when the results of `inputs_of` change
Half = NDArray[np.float16]


@dataclass(frozen=True)
class InputConfig(Config):
    """From audio to the input of a network.

    Of a track that is longer than all its windows, `most_windows` windows are listened to, evenly
    spread, so that none takes more memory or space than that.
    """

    front_end: str = choice("logmel", "waveform")
    sr: int = setting(16000, 8000, 48000)  # [Hz]
    n_mels: int = setting(96, 16, 256)  # only of `logmel`
    window: float = setting(15.0, 1.0, 60.0)  # [s]
    most_windows: int = setting(16, 1, 240)  # of a track
    layout: int = setting(LAYOUT, LAYOUT, LAYOUT)

    @property
    def mel(self) -> FrontEnd:
        """The front end of the spectrogram."""
        return FrontEnd(self.sr, N_FFT, HOP_LENGTH, self.n_mels, 0.0, self.sr / 2)

    @property
    def n_frames(self) -> int:
        """Length of a window on the axis of time: samples, or columns of the spectrogram."""
        fps = self.sr if self.front_end == "waveform" else self.mel.fps
        return math.ceil(self.window * fps)


DEFAULT = InputConfig()


def inputs_of(path: Path, config: InputConfig) -> Half:
    """What a network sees of a track, in the order of time.

    Returns
    -------
    (n_samples,) for `waveform`, (n_frames, n_mels) for `logmel`, float16. Excerpts of a long track
    follow each other.

    Raises
    ------
    AudioError
        If the file cannot be decoded, is silent or too short.
    """
    with AudioFile(path) as file:
        music = music_of(
            file, config.sr, Windows(config.window, config.window), config.most_windows
        )
    # A track of an hour is listened to as if it were several.
    music = [music[k] for k in spread(len(music), config.most_windows)]
    if config.front_end == "waveform":
        parts = [excerpt.audio for excerpt in music]
    else:
        spectrum = _spectrum(config)
        parts = [np.log10(1 + GAIN * spectrum.features(excerpt.audio).T) for excerpt in music]
    longest = config.most_windows * config.n_frames
    # In the order of its axes: safetensors writes memory as it lies, a transposed one too.
    return np.concatenate(parts)[:longest].astype(np.float16, order="C")


@lru_cache(maxsize=2)
def _spectrum(config: InputConfig) -> Mel:
    return Mel(config.mel, filterbank(config.mel))


def firsts_of(length: int, config: InputConfig, most: int | None = None) -> NDArray[np.int64]:
    """First frames of the windows by which a track of so many frames is answered; at least one.

    They are evenly spread over all of it, and as many as cover it.

    Parameters
    ----------
    most
        Of how many there are at most.
    """
    n = max(1, math.ceil(length / config.n_frames))
    n = n if most is None else min(n, most)
    last = max(0, length - config.n_frames)
    places = [last / 2] if n == 1 else np.linspace(0, last, n)
    return np.round(places).astype(np.int64)


def filled(window: Half, n_frames: int) -> Half:
    """A window (n, …) that is as long as `n_frames`: a shorter one is repeated."""
    return np.resize(window, (n_frames, *window.shape[1:])) if len(window) < n_frames else window


def windows_of(inputs: Half, firsts: Sequence[int], config: InputConfig) -> Array:
    """(n_windows, n_frames, …) windows of a track, float32."""
    n = config.n_frames
    return np.stack([filled(inputs[k : k + n], n) for k in firsts]).astype(np.float32)
