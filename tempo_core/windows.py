"""How the frames of a track become model inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .config import Windows


def window_starts(n_frames: int, length: int, hop: int) -> list[int]:
    """First frames of sliding windows; the last one ends at the last frame.

    A track shorter than a window is one window of its own length.
    """
    if n_frames <= length:
        return [0]
    starts = list(range(0, n_frames - length + 1, hop))
    if starts[-1] != n_frames - length:
        starts.append(n_frames - length)
    return starts


def window_spans(n_frames: int, fps: float, windows: Windows) -> list[tuple[int, int]]:
    """(first, last + 1) frames of the sliding windows of a track."""
    length = math.ceil(windows.duration * fps)
    starts = window_starts(n_frames, length, round(windows.hop * fps))
    return [(s, min(n_frames, s + length)) for s in starts]


def sliding_windows(features: Tensor, fps: float, windows: Windows) -> Tensor:
    """(n_mels, n_frames) → (n_windows, n_mels, window length in frames), contiguous copies."""
    spans = window_spans(features.shape[-1], fps, windows)
    return torch.stack([features[:, first:last] for first, last in spans])


def group_by_length(batches: Sequence[Tensor]) -> list[tuple[list[int], Tensor]]:
    """Concatenate window batches of equal length, so that each length is one forward pass.

    With each goes which windows they are, counted through all batches.
    """
    groups: dict[int, tuple[list[int], list[Tensor]]] = {}
    n_windows = 0
    for batch in batches:
        numbers, group = groups.setdefault(batch.shape[-1], ([], []))
        numbers.extend(range(n_windows, n_windows + len(batch)))
        group.append(batch)
        n_windows += len(batch)
    return [(numbers, torch.cat(group)) for numbers, group in groups.values()]


def fold_beats(
    signal: Tensor, fps: float, tempi: Tensor, starts: Tensor, n_beats: int, n_phases: int
) -> Tensor:
    """Fold a signal at tempi, one beat a row: "two-dimensional time".

    A cell is the mean of the signal over its stretch of time, whose ends are not rounded to frames
    but interpolated linearly: a beat is no whole number of frames, and rounding it makes the rows
    drift apart.

    Parameters
    ----------
    signal
        (n_channels, n_frames).
    tempi, starts
        (n,) tempo [BPM] and beginning [frames] of each fold, which must end within the signal.

    Returns
    -------
    (n, n_channels, n_beats, n_phases)
    """
    beat = 60.0 * fps / tempi.double()  # [frames]
    cells = torch.arange(n_beats * n_phases + 1, dtype=torch.float64) / n_phases
    edges = (starts.double()[:, None] + beat[:, None] * cells).clamp(0, signal.shape[-1])
    lower = edges.floor().long().clamp_max(signal.shape[-1] - 1)
    # Up to each frame's start; with channels last, what is looked up lies together.
    integral = torch.nn.functional.pad(signal.cumsum(dim=-1), (1, 0)).T.contiguous()
    weight = (edges - lower).to(signal.dtype).flatten()[:, None]
    index = lower.flatten()
    at = torch.lerp(integral.index_select(0, index), integral.index_select(0, index + 1), weight)
    at = at.unflatten(0, edges.shape)  # (n, cells + 1, n_channels)
    width = (beat / n_phases).to(signal.dtype)[:, None, None]
    folded = (at[:, 1:] - at[:, :-1]) / width
    return folded.transpose(1, 2).unflatten(-1, (n_beats, n_phases))
