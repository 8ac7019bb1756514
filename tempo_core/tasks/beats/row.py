"""Row of the beats task."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...beatgrid import DECIMALS
from ...heard import Heard, thinned
from ...model import Checkpoint
from ...task import Batch, Results, Task
from ..tempo.course import TempoPoint
from ..tempo.decode import Tempo
from ..tempo.rhythm import clarity
from .cells import Place, fold, place_of
from .config import BeatsConfig
from .decode import Beats, Piece, decode, pool
from .network import build

Array = NDArray[np.float32]

# Relative difference of a window's own tempo from that of the track from which on it is folded at
# its own: less moves the last beat of twelve seconds by a tenth of a beat.
ASTRAY = 0.004
# Stability of the tempo from which on windows are not looked at one by one.
STEADY = 0.97


def view(heard: Heard, results: Results, checkpoint: Checkpoint[BeatsConfig]) -> list[Batch]:
    """Batches of windows, folded at the tempo that was found, one for each number of beats."""
    tempo: Tempo = results["tempo"]
    fps, n_phases = checkpoint.spectrum.fps, checkpoint.config.model.n_phases
    own = {point.start: point for point in tempo.curve}
    groups: defaultdict[int, list[tuple[Place, Array]]] = defaultdict(list)
    for window in thinned(heard.windows(checkpoint.spectrum, tempo.plan, clarity)):
        n_frames = window.features.shape[1]
        bpm = tempo_in(own.get(round(window.start, 2)), tempo)
        place = place_of(window.start, n_frames, fps, bpm, window.weight)
        if place is not None:
            folded = fold(window.features, window.start, fps, place, n_phases)
            groups[folded.shape[1]].append((place, folded))
    return [
        Batch(
            (np.stack([folded for _, folded in group]),),
            np.zeros(len(group), np.int64),
            np.array([place.weight for place, _ in group]),
            [place for place, _ in group],
        )
        for group in groups.values()
    ]


def tempo_in(point: TempoPoint | None, tempo: Tempo) -> float:
    """Tempo [BPM] of a window: that of the track, unless the window's own is another."""
    if point is None or point.bpm is None or (tempo.stability or 0) >= STEADY:
        return tempo.bpm
    return point.bpm if abs(point.bpm / tempo.bpm - 1) > ASTRAY else tempo.bpm


def encode(beats: Array, config: BeatsConfig | None = None) -> Array:
    """Target (n_beats, n_phases): the distribution of the beat in each row."""
    return np.asarray(beats, np.float32)


def activate(logits: Array, config: BeatsConfig | None = None, temperature: float = 1.0) -> Array:
    """Logits (n, 2, n_beats, n_phases), scaled."""
    return np.asarray(logits / np.float32(temperature), np.float32)


def columns(beats: Beats) -> dict[str, Any]:
    """Values of `columns.COLUMNS`, rounded as they are shown."""
    anchored = beats.grid if beats.grid is not None and beats.grid.is_steady else None
    return {
        "beat_confidence": _rounded(beats.confidence, DECIMALS),
        "first_beat": None if anchored is None else _rounded(anchored.first_beat, DECIMALS),
        "downbeat": None if anchored is None else _rounded(anchored.downbeat, DECIMALS),
        "downbeat_confidence": _rounded(beats.downbeat_confidence, DECIMALS),
        "grid": beats.grid,
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


TASK: Task[BeatsConfig, Array, list[Piece], Beats] = Task(
    name="beats",
    config=BeatsConfig,
    network=build,
    view=view,
    encode=encode,
    activate=activate,
    pool=pool,
    decode=decode,
    columns=columns,
    needs=("tempo",),
)
