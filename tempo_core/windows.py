"""Cutting the frames of a track into windows, the inputs of models."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .config import Windows

Array = NDArray[np.float32]


def window_starts(n_frames: int, length: int, hop: int) -> list[int]:
    """First frames of sliding windows of `length` frames; the last window ends at the last frame.

    A track shorter than `length` is one window of its own length.
    """
    if n_frames <= length:
        return [0]
    starts = list(range(0, n_frames - length + 1, hop))
    if starts[-1] != n_frames - length:
        starts.append(n_frames - length)
    return starts


def window_spans(n_frames: int, fps: float, windows: Windows) -> list[tuple[int, int]]:
    """(first, last + 1) frame of each sliding window of a track of `n_frames`."""
    length = math.ceil(windows.duration * fps)
    starts = window_starts(n_frames, length, round(windows.hop * fps))
    return [(s, min(n_frames, s + length)) for s in starts]


def sliding_windows(features: Array, fps: float, windows: Windows) -> Array:
    """Features (n_bands, n_frames) → copies of windows (n_windows, n_bands, window length)."""
    spans = window_spans(features.shape[-1], fps, windows)
    return np.stack([features[:, first:last] for first, last in spans])


def by_length(windows: Sequence[Array]) -> list[tuple[list[int], Array]]:
    """Windows (n_bands, n_frames), grouped by length so that each length is one forward pass.

    A group is the indices of its windows, and the windows (n, n_bands, n_frames).
    """
    groups: dict[int, list[int]] = {}
    for number, window in enumerate(windows):
        groups.setdefault(window.shape[-1], []).append(number)
    return [(group, np.stack([windows[k] for k in group])) for group in groups.values()]
