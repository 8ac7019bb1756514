"""Tempo of a track over time: of every window that was heard, in the octave of the whole track.

A window of a few seconds often has its octave wrong, and a break or a fill has no pulse at all. So
the tempi of all windows are found together: a path through their scores that follows a drift,
jumps where many windows say so, and hardly ever jumps to another metrical level of the same pulse
(the algorithm is Viterbi's, IEEE Transactions on Information Theory 1967,
doi:10.1109/TIT.1967.1054010). Each window then refines its own tempo near the path.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...config import Windows
from ...windows import window_spans
from . import refine
from .axis import answerable, near, tempo_axis
from .config import TempoGrid
from .course import TempoPoint

# Other metrical levels whose scores also speak for a tempo, and how much: the window may be wrong
# about the octave.
LEVELS = {1 / 3: 0.1, 1 / 2: 0.2, 2 / 3: 0.03, 3 / 2: 0.03, 2.0: 0.2, 3.0: 0.1}
# Levels of the track's own tempo at which no window is counted without need, and the factor there.
AVOIDED = (1 / 4, 1 / 3, 1 / 2, 2.0, 3.0, 4.0)
AVOIDED_FACTOR = 0.1
FLOOR = 1e-3  # least score of a tempo, so that a single window cannot rule one out
DRIFT = 0.5  # cost of a change by one bin from a window to the next, in units of log score
JUMP = 3.0  # most that a change costs; twice as much if it is one of level
LEVEL_WIDTH = 2  # [bins] within which a change is one of level
LOCAL = 2  # [bins] around the path in which a window's own peak lies
# Share of the scores of a window, at all levels of its tempo, below which it says nothing of it.
LEAST_CONFIDENCE = 0.1


def curve(
    rows: NDArray[np.float64], windows: Sequence[refine.Envelope], bpm: float, grid: TempoGrid,
    fps: float,
) -> tuple[TempoPoint, ...]:  # fmt: skip
    """Tempo of every window.

    Parameters
    ----------
    rows
        (n_windows, n_bins) posteriors of the windows in order of time, counted as the track is.
    windows
        Their onset envelopes, see `windows_of`.
    bpm
        Tempo of the whole track [BPM].
    fps
        Frames of the envelopes per second.
    """
    lines = [refine.spectra([window], fps)[0] for window in windows]
    # What has no clear pulse has no say in the path.
    weights = np.array([p.weight if p.weight > refine.LEAST_WEIGHT else 0.0 for p in lines])
    support = _support(rows, bpm, grid)
    path = _path(np.log(np.maximum(support, FLOOR)) * weights[:, None], grid)
    points = []
    for k, (window, piece) in enumerate(zip(windows, lines, strict=True)):
        tempo = _local(support[k], int(path[k]), grid)
        confidence = _confidence(rows[k], tempo, grid) if weights[k] else 0.0
        found = None
        if confidence >= LEAST_CONFIDENCE:
            found = round(refine.refine([piece], tempo), 2)
        points.append(TempoPoint(round(window.start, 2), found, round(confidence, 4)))
    return tuple(points)


def with_pauses(
    points: Sequence[TempoPoint], windows: Sequence[refine.Envelope], fps: float, plan: Windows
) -> tuple[TempoPoint, ...]:
    """Points of the windows, and one without a tempo wherever a longer silence begins.

    Parameters
    ----------
    points, windows, fps
        Result and arguments of `curve`, of a track that was heard without gaps.
    plan
        How the windows were cut.
    """
    found: list[TempoPoint] = []
    until = np.inf
    for point, window in zip(points, windows, strict=True):
        if window.start - until > plan.hop:
            found.append(TempoPoint(round(until, 2), None, 0.0))
        found.append(point)
        until = window.start + window.values.shape[1] / fps
    return tuple(found)


def counted_at(rows: NDArray[np.float64], ratio: float, grid: TempoGrid) -> NDArray[np.float64]:
    """Scores (n_windows, n_bins) with every tempo counted at a ratio to itself."""
    return _shifted(rows, round(grid.bins_per_octave * np.log2(ratio)))


def windows_of(
    envelopes: Sequence[refine.Envelope], fps: float, plan: Windows
) -> list[refine.Envelope]:
    """Envelopes of the windows, as they were cut from the excerpts, in order of time."""
    found = []
    for whole in envelopes:
        for first, last in window_spans(whole.values.shape[1], fps, plan):
            values = whole.values[:, first:last]
            values = values - values.mean(axis=1, keepdims=True)
            found.append(refine.Envelope(values, whole.start + first / fps))
    return sorted(found, key=lambda window: window.start)


def _support(rows: NDArray[np.float64], bpm: float, grid: TempoGrid) -> NDArray[np.float64]:
    """(n_windows, n_bins) support of every tempo by the scores of windows, at all levels of it."""
    support = np.array(rows, float)
    for ratio, weight in LEVELS.items():
        support += weight * counted_at(rows, 1 / ratio, grid)
    avoided = np.any([near(bpm * ratio, grid) for ratio in AVOIDED], axis=0)
    support[:, avoided & ~near(bpm, grid)] *= AVOIDED_FACTOR
    return np.where(answerable(grid), support, 0.0)


def _shifted(rows: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Rows (n_rows, n_bins) moved by `n` bins upwards; zeros move in."""
    moved = np.zeros_like(rows)
    size = rows.shape[1]
    moved[:, max(0, n) : size + min(0, n)] = rows[:, max(0, -n) : size - max(0, n)]
    return moved


def _path(logs: NDArray[np.float64], grid: TempoGrid) -> NDArray[np.int64]:
    """(n_windows,) bins of the path with the highest sum of logarithms less cost of changes."""
    costs = _change_costs(grid)
    total = logs[0]
    origins = np.zeros(logs.shape, int)
    for k in range(1, len(logs)):
        reached = total[:, None] - costs
        origins[k] = reached.argmax(axis=0)
        total = reached.max(axis=0) + logs[k]
    path = np.zeros(len(logs), int)
    path[-1] = total.argmax()
    for k in range(len(logs) - 1, 0, -1):
        path[k - 1] = origins[k, path[k]]
    return path


def _change_costs(grid: TempoGrid) -> NDArray[np.float64]:
    """(n_bins, n_bins) cost of a change from one tempo to another, ≥ 0."""
    change = np.subtract.outer(np.arange(grid.n_bins), np.arange(grid.n_bins))
    costs = np.minimum(DRIFT * np.abs(change), JUMP)
    for ratio in AVOIDED:
        distance = np.abs(change - grid.bins_per_octave * np.log2(ratio))
        costs[distance <= LEVEL_WIDTH] = 2 * JUMP
    return np.asarray(costs)


def _local(support: NDArray[np.float64], k: int, grid: TempoGrid) -> float:
    """Tempo [BPM] of a window's own peak near bin `k`, between bins by a parabola."""
    first = max(0, k - LOCAL)
    k = first + int(support[first : k + LOCAL + 1].argmax())
    offset = 0.0
    if 0 < k < grid.n_bins - 1 and bool((support[k - 1 : k + 2] > 0).all()):
        left, mid, right = np.log(support[k - 1 : k + 2]).tolist()
        curvature = left - 2 * mid + right
        if curvature < 0:
            offset = float(np.clip(0.5 * (left - right) / curvature, -0.5, 0.5))
    return float(tempo_axis(grid)[k] * 2.0 ** (offset / grid.bins_per_octave))


def _confidence(row: NDArray[np.float64], bpm: float, grid: TempoGrid) -> float:
    """Mass of the scores of a window at all levels of a tempo, in 0..1."""
    at_levels = np.any([near(bpm * ratio, grid) for ratio in (1.0, *LEVELS)], axis=0)
    return min(1.0, float(row[at_levels].sum()))
