"""Row of the pace task."""

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
from .config import PaceConfig, upgrade
from .context import context
from .folds import folds
from .network import build

Array = NDArray[np.float32]

LOOKED_AT = 4  # windows of a track that are folded; more of them take time and change little


def view(heard: Heard, results: Results, checkpoint: Checkpoint[PaceConfig]) -> list[Batch]:
    """Batches of windows with a clear pulse, folded at every candidate for the tempo found."""
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
    """Batches of windows folded at candidates, one for each number of beats.

    Parameters
    ----------
    windows
        Features (n_mels, n_frames).
    tempi
        Candidates [BPM].
    bpm, strength, grid
        The headline tempo [BPM] and the strength of the pulse at each tempo of the grid, see
        `context`.
    """
    known = context(tempi, bpm, strength, grid, checkpoint.config.model.n_context)
    return [
        Batch((folded, known[which]), np.array(which), np.ones(len(which)))
        for which, folded in folds(windows, tempi, checkpoint.spectrum.fps, checkpoint.config.model)
    ]


def clear_windows(windows: Sequence[Window]) -> list[Array]:
    """Features of at most `LOOKED_AT` windows with a clear pulse, spread over the track."""
    chosen = [window.features for window in clear(thinned(windows))]
    step = max(1.0, len(chosen) / LOOKED_AT)
    return [chosen[int(k * step)] for k in range(min(LOOKED_AT, len(chosen)))]


def clear(windows: Sequence[Window]) -> list[Window]:
    """Windows that have at least half of the weight of the clearest one."""
    clearest = max(window.weight for window in windows)
    return [window for window in windows if window.weight >= 0.5 * clearest]


def _tempi(tempo: Tempo) -> list[float]:
    """Candidates [BPM] for the result of the tempo task."""
    return candidates(tempo.bpm, tempo.strength, tempo.grid)


def encode(compatibilities: Sequence[float], config: PaceConfig | None = None) -> Array:
    """Target (n,) of n candidates, from how compatible each is, in 0..1."""
    return np.array(list(compatibilities), np.float32)


def activate(logits: Array, config: PaceConfig | None = None, temperature: float = 1.0) -> Array:
    """Logits (n,) → probabilities (n,)."""
    return np.asarray(1 / (1 + np.exp(-logits / temperature)), np.float32)


def pool(scored: Sequence[Scored], config: PaceConfig | None = None) -> NDArray[np.float64]:
    """(n_candidates,) mean score of the folds of each candidate; NaN if it has none.

    Candidates without folds at the end are left out.
    """
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
    """Candidates with their probabilities, the most probable first.

    Candidates that are too slow for the windows that were heard are left out.
    """
    known = [
        Pace(round(tempo, 1), round(float(p), 2))
        for tempo, p in zip(_tempi(results["tempo"]), pooled, strict=False)
        if not np.isnan(p)
    ]
    return tuple(sorted(known, key=lambda pace: -pace.probability))


def columns(paces: tuple[Pace, ...]) -> dict[str, Any]:
    """Values of `columns.COLUMNS`."""
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
    upgrade=upgrade,
)
