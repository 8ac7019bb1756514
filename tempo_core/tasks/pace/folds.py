"""Folds: features of a window cut into beats of a candidate tempo, one beat a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..folding import fold_beats, prepare
from .config import PaceModel

Array = NDArray[np.float32]


def n_beats(bpm: float, n_frames: int, fps: float, most: int) -> int:
    """Number of beats in a fold at `bpm`: the largest of `most`, ½ and ¼ of it that fits.

    It is 0 if not even a quarter of `most` fits into `n_frames`. So slow candidates get fewer rows
    instead of rows of silence.
    """
    available = n_frames * bpm / (60 * fps) + 1e-6
    return next((n for n in (most, most // 2, most // 4) if n <= available), 0)


def places(
    n: int, bpm: float, n_frames: int, fps: float, numbers: Sequence[int] = (2,)
) -> list[float]:
    """Beginnings [frames] of folds of `n` beats in a window.

    There is one in the middle of each of as many equal parts of the window as the first of
    `numbers` says that fits, or one in the middle of the window if none does.
    """
    length = n * 60 * fps / bpm
    parts = next((number for number in numbers if number * length <= n_frames), 1)
    size = n_frames / parts
    return [k * size + (size - length) / 2 for k in range(parts)]


def folds(
    windows: Sequence[Array], tempi: Sequence[float], fps: float, model: PaceModel
) -> list[tuple[list[int], Array]]:
    """Folds of every window at every candidate that it is long enough for.

    Parameters
    ----------
    windows
        Features (n_mels, n_frames), of any lengths.
    tempi
        Candidates [BPM].

    Returns
    -------
    For each number of beats that occurs: the index of the candidate of each fold, and the folds
    (n_folds, n_mels, n_beats, n_phases).
    """
    groups: dict[int, tuple[list[int], list[Array]]] = {}
    for window in windows:
        prepared = prepare(window)
        n_frames = prepared.shape[-1]
        numbers = (model.n_folds, 2 if len(windows) == 1 else 1)
        wanted: dict[int, list[tuple[int, float]]] = {}
        for i, bpm in enumerate(tempi):
            n = n_beats(bpm, n_frames, fps, model.n_beats)
            if n:
                starts = places(n, bpm, n_frames, fps, numbers)
                wanted.setdefault(n, []).extend((i, start) for start in starts)
        for n, found in wanted.items():
            which, parts = groups.setdefault(n, ([], []))
            which += [i for i, _ in found]
            at, starts = [tempi[i] for i, _ in found], [start for _, start in found]
            parts.append(fold_beats(prepared, fps, at, starts, n, model.n_phases))
    return [(which, np.concatenate(parts)) for which, parts in groups.values()]
