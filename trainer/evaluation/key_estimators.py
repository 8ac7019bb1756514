"""Estimators of the key that can be evaluated: key models, and a baseline that learned nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tempo_core.config import HarmonyFrontEnd
from tempo_core.estimate import Estimator
from tempo_core.keys import Key

from ..inputs.harmony import features_of
from ..synthesis.key_profiles import PROFILES, chroma, key_of_profile


@dataclass(frozen=True)
class KeyEstimate:
    """A key, None where none is likely enough; `confidence` in 0..1, None if none is stated."""

    key: Key | None
    confidence: float | None = None


class KeyEstimator(Protocol):
    """An estimator that can be evaluated; `source` identifies it. Threads may share it."""

    @property
    def source(self) -> str: ...

    def estimate(self, path: str | bytes | os.PathLike[str]) -> KeyEstimate: ...


class KeyModel:
    """A key model, as users run it.

    Parameters
    ----------
    model
        Name or path, `default` for the one in use.
    windows
        How many windows of a track it may listen to, or `all`.

    Raises
    ------
    CheckpointError, ConfigError
        See `tempo_core.Estimator`.
    """

    def __init__(self, model: str | os.PathLike[str], windows: int | str) -> None:
        self._estimator = Estimator(windows=windows, tasks=("key",), models={"key": model})
        self.source = self._estimator.sources["key"]

    def estimate(self, path: str | bytes | os.PathLike[str]) -> KeyEstimate:
        """Estimate one file.

        Raises
        ------
        AudioError
            If the file is missing, unreadable, silent or too short.
        """
        found = self._estimator.results(path)["key"]
        return KeyEstimate(found.key, found.confidence)


class Krumhansl:
    """A chromagram of the whole file, compared with Krumhansl's profiles.

    It states no confidence.
    """

    source = "krumhansl"

    def __init__(self) -> None:
        self._front_end = HarmonyFrontEnd()

    def estimate(self, path: str | bytes | os.PathLike[str]) -> KeyEstimate:
        """Estimate one file.

        Raises
        ------
        AudioError
            If the file is missing, unreadable, silent or too short.
        """
        name = Path(os.fsdecode(path))
        weights = chroma(features_of(name, self._front_end), self._front_end)
        return KeyEstimate(key_of_profile(weights, PROFILES["krumhansl"]))


KEY_BASELINES: dict[str, Callable[[], KeyEstimator]] = {"krumhansl": Krumhansl}
