"""The row of the table of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...heard import Heard, Window, thinned
from ...model import Checkpoint
from ...paces import Pace
from ...task import Batch, Results, Scored, Task
from ..tempo.config import TempoGrid
from ..tempo.decode import Tempo
from ..tempo.rhythm import clarity
from .candidates import candidates
from .config import PaceConfig
from .context import context
from .folds import folds
from .network import build

Array = NDArray[np.float32]

# Windows in which candidates are looked at: more of them change little but the time.
LOOKED_AT = 4


def view(heard: Heard, results: Results, checkpoint: Checkpoint[PaceConfig]) -> list[Batch]:
    """Windows that are clear enough, folded at every candidate of the tempo that was found."""
    tempo: Tempo = results["tempo"]
    windows = clear_windows(heard.windows(checkpoint.spectrum, tempo.plan, clarity))
    return view_of(windows, _tempi(tempo), tempo.bpm, tempo.strength, tempo.grid, checkpoint)


def view_of(
    windows: Sequence[Array],
    tempi: Sequence[float],
    bpm: float | None,
    strength: NDArray[np.floating],
    grid: TempoGrid,
    checkpoint: Checkpoint[PaceConfig],
) -> list[Batch]:
    """Windows (n_mels, n_frames) folded at candidates, a batch for each number of beats.

    Parameters
    ----------
    bpm, strength
        The headline tempo [BPM] and the pulse at each tempo of the grid, see `context`.
    """
    known = context(tempi, bpm, strength, grid)
    return [
        Batch((folded, known[which]), np.array(which), np.ones(len(which)))
        for which, folded in folds(windows, tempi, checkpoint.spectrum.fps, checkpoint.config.model)
    ]


def clear_windows(windows: Sequence[Window]) -> list[Array]:
    """At most `LOOKED_AT` of a track's windows, spread over it; those with a clear pulse first."""
    chosen = [window.features for window in clear(thinned(windows))]
    step = max(1.0, len(chosen) / LOOKED_AT)
    return [chosen[int(k * step)] for k in range(min(LOOKED_AT, len(chosen)))]


def clear(windows: Sequence[Window]) -> list[Window]:
    """Those with a clear pulse."""
    clearest = max(window.weight for window in windows)
    return [window for window in windows if window.weight >= 0.5 * clearest]


def _tempi(tempo: Tempo) -> list[float]:
    return candidates(tempo.bpm, tempo.strength, tempo.grid)


def encode(compatibilities: Sequence[float], config: PaceConfig | None = None) -> Array:
    """How compatible candidates are, 0..1 each → targets (n,)."""
    return np.array(list(compatibilities), np.float32)


def activate(logits: Array, config: PaceConfig | None = None, temperature: float = 1.0) -> Array:
    """Logits → probabilities."""
    return np.asarray(1 / (1 + np.exp(-logits / temperature)), np.float32)


def pool(scored: Sequence[Scored], config: PaceConfig | None = None) -> NDArray[np.float64]:
    """(n_candidates,) the mean of each one's folds; NaN, or left out at the end, where none is."""
    which = np.concatenate([np.zeros(0, int), *(batch.which for batch, _ in scored)])
    scores = np.concatenate([np.zeros(0), *(scores for _, scores in scored)])
    n_folds = np.bincount(which)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.bincount(which, scores) / n_folds)


def decode(
    pooled: NDArray[np.float64],
    heard: Heard,
    results: Results,
    checkpoint: Checkpoint[PaceConfig],
) -> tuple[Pace, ...]:
    """Candidates with their probabilities, most probable first.

    Those too slow for what was heard of the track are left out.
    """
    known = [
        Pace(round(tempo, 1), round(float(p), 2))
        for tempo, p in zip(_tempi(results["tempo"]), pooled, strict=False)
        if not np.isnan(p)
    ]
    return tuple(sorted(known, key=lambda pace: -pace.probability))


def columns(paces: tuple[Pace, ...]) -> dict[str, Any]:
    """The values of `columns.COLUMNS`."""
    return {"paces": paces}


TASK: Task[PaceConfig, Sequence[float], NDArray[np.float64], tuple[Pace, ...]] = Task(
    name="pace",
    config=PaceConfig,
    network=build,
    view=view,
    encode=encode,
    activate=activate,
    pool=pool,
    decode=decode,
    columns=columns,
    needs=("tempo",),
)
