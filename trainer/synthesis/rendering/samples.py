"""Reading sampled sounds for the synthesis: single drum hits and drum loops."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile

from .mixing import SR

# Length of the drum loops in beats, counted so that their onsets lie on sixteenths and their snares
# on the second and the fourth beat.
LOOPS = {"loop_amen": 4, "loop_amen_full": 16, "loop_breakbeat": 4}


@cache
def read_sample(path: Path) -> np.ndarray:
    """The audio (n_samples,) of a sound file, mono at `SR`, with a peak of 1."""
    audio, sr = soundfile.read(str(path), dtype="float32", always_2d=True)
    audio = audio.mean(axis=1)
    if sr != SR:
        audio = scipy.signal.resample_poly(audio, SR, sr).astype(np.float32)
    return audio / (np.abs(audio).max() + 1e-9)


def at_speed(audio: np.ndarray, speed: float) -> np.ndarray:
    """Audio played faster and higher by a factor, as by a sampler."""
    return np.interp(np.arange(0, audio.size, speed), np.arange(audio.size), audio).astype(
        np.float32
    )
