"""Excerpts of a recording, and what sounds in them: without silence, and not too little of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .errors import AudioError

MIN_DURATION = 1.0  # [s] of the least audio that is estimated, and of the shortest run of sound
SILENT_PEAK = 1e-4  # peak amplitude (-80 dB of full scale) below which audio counts as silent
# The ends of an excerpt are silent where they stay below this share (-50 dB) of its peak.
QUIET_SHARE = 10 ** (-50 / 20)
LOUDNESS_BLOCK = 0.05  # [s] of audio for which one loudness is measured


@dataclass(frozen=True)
class Excerpt:
    """A contiguous part of a recording.

    `audio` is (n_samples,) float32 mono; it begins at `start` in the recording [s].
    """

    audio: np.ndarray
    start: float


def sounding(excerpts: Sequence[Excerpt], sr: int) -> list[Excerpt]:
    """Excerpts without the silence at their ends, and without those that are silent.

    The step from silence to music would be an onset stronger than any beat. Excerpts of which less
    than `MIN_DURATION` is left are dropped.
    """
    found = []
    size = round(LOUDNESS_BLOCK * sr)
    for excerpt in excerpts:
        n_blocks = excerpt.audio.size // size
        if n_blocks == 0:
            continue
        swings = block_swings(excerpt.audio, size)
        loud = np.flatnonzero(swings >= max(SILENT_PEAK, QUIET_SHARE * swings.max()))
        if loud.size == 0 or (loud[-1] + 1 - loud[0]) * size < MIN_DURATION * sr:
            continue
        first = int(loud[0]) * size
        last = (loud[-1] + 1) * size if loud[-1] + 1 < n_blocks else excerpt.audio.size
        found.append(Excerpt(excerpt.audio[first:last], excerpt.start + first / sr))
    return found


def block_swings(audio: np.ndarray, size: int) -> np.ndarray:
    """(n_blocks,) half the distance from lowest to highest sample, for blocks of `size` samples.

    It is the peak amplitude without a constant offset.
    """
    blocks = audio[: audio.size // size * size].reshape(-1, size)
    return np.asarray((blocks.max(axis=1) - blocks.min(axis=1)) / 2)


def check(excerpts: Sequence[Excerpt], sr: int) -> None:
    """Refuse excerpts that hold no music.

    Raises
    ------
    AudioError
        If all excerpts together are shorter than `MIN_DURATION` or none rises above `SILENT_PEAK`.
    """
    duration = sum(excerpt.audio.size for excerpt in excerpts) / sr
    if duration == 0:
        raise AudioError("no audio could be decoded")
    if duration < MIN_DURATION:
        raise AudioError(f"too short ({duration:.2f} s; at least {MIN_DURATION:g} s are needed)")
    if max(float(np.ptp(excerpt.audio)) for excerpt in excerpts) / 2 < SILENT_PEAK:
        raise AudioError("silent (no sample above -80 dB)")
