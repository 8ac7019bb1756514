"""Row of the tempo task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ...task import Task
from .config import TempoConfig, upgrade
from .course import tempo_range
from .decode import Pooled, Tempo, activate, decode, encode, enough, pool
from .network import build
from .view import view


def columns(tempo: Tempo) -> dict[str, Any]:
    """Values of `columns.COLUMNS`, rounded as they are shown."""
    stability = None if tempo.stability is None else round(tempo.stability, 4)
    octave = None if tempo.octave_confidence is None else round(tempo.octave_confidence, 4)
    ends = tempo_range(tempo.curve)
    return {
        "bpm": round(tempo.bpm, 2),
        "confidence": round(tempo.confidence, 4),
        "octave_confidence": octave,
        "stability": stability,
        "tempo_range": None if ends is None else (round(ends[0], 1), round(ends[1], 1)),
    }


TASK: Task[TempoConfig, Sequence[tuple[float, float]], Pooled, Tempo] = Task(
    name="tempo",
    config=TempoConfig,
    network=build,
    view=view,
    encode=encode,
    activate=activate,
    pool=pool,
    decode=decode,
    columns=columns,
    enough=enough,
    upgrade=upgrade,
)


def preferring(
    bpm_range: tuple[float, float] | None,
) -> Task[TempoConfig, Sequence[tuple[float, float]], Pooled, Tempo]:
    """The task with a preferred (lowest, highest) tempo [BPM]; None: as people count."""
    return replace(TASK, decode=partial(decode, bpm_range=bpm_range))
