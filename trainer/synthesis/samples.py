"""Sampled sounds of the synthesis: single drum hits and drum loops, read from files."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile

from .mixing import SR

# Drum loops and how many beats they last: the number that puts their onsets on sixteenths and their
# snares on two and four.
LOOPS = {"loop_amen": 4, "loop_amen_full": 16, "loop_breakbeat": 4}


@cache
def read_sample(path: Path) -> np.ndarray:
    """A sound file as (n_samples,) mono at `SR` [Hz], its peak at 1."""
    audio, sr = soundfile.read(str(path), dtype="float32", always_2d=True)
    audio = audio.mean(axis=1)
    if sr != SR:
        audio = scipy.signal.resample_poly(audio, SR, sr).astype(np.float32)
    return audio / (np.abs(audio).max() + 1e-9)


def at_speed(audio: np.ndarray, speed: float) -> np.ndarray:
    """Play faster and higher by a factor, as a sampler does."""
    return np.interp(np.arange(0, audio.size, speed), np.arange(audio.size), audio).astype(
        np.float32
    )
