"""Tempo estimation: audio in, BPM with calibrated confidence and pace candidates out.

The names below load on first use, so that `import tempo_core` alone costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import AudioError, CheckpointError, ConfigError, TempoError

if TYPE_CHECKING:
    from .estimate import Estimate, Estimator, Pace, estimate_file

__all__ = [
    "AudioError",
    "CheckpointError",
    "ConfigError",
    "Estimate",
    "Estimator",
    "Pace",
    "TempoError",
    "estimate_file",
]


def __getattr__(name: str) -> Any:
    if name in ("Estimate", "Estimator", "Pace", "estimate_file"):
        from . import estimate

        return getattr(estimate, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
