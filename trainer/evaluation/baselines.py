"""Estimators that can be evaluated: models of every design, and other programs as baselines."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from tempo_core import checkpoint, designs
from tempo_core.audio import read_excerpts
from tempo_core.designs import TempoEstimator
from tempo_core.errors import AudioError
from tempo_core.estimate import Estimate, Estimator
from tempo_core.excerpts import check


class Librosa:
    """Tempo estimation of librosa with its defaults, on the whole file at 22,050 Hz.

    It states no confidence (NaN) and no paces.

    Parameters
    ----------
    beats
        Whether to take the tempo of `librosa.beat.beat_track`, which `beet autobpm` writes
        (rounded), instead of that of `librosa.feature.tempo`. The two differ in how they combine
        the onsets of the frequency bands.
    """

    SR = 22050  # [Hz] librosa's default

    def __init__(self, beats: bool = False) -> None:
        import librosa

        self.source = f"librosa-{version('librosa')}" + ("-beats" if beats else "")
        self._tempo: Callable[..., Any] = librosa.feature.tempo
        if beats:
            self._tempo = lambda **audio: librosa.beat.beat_track(**audio)[0]

    def estimate(self, path: str | bytes | os.PathLike[str]) -> Estimate:
        """Estimate the tempo of one file.

        Raises
        ------
        AudioError
            If the file is missing, unreadable, silent or too short, or librosa finds nothing.
        """
        excerpts = read_excerpts(path, self.SR, None)
        check(excerpts, self.SR)
        bpm = float(np.ravel(self._tempo(y=excerpts[0].audio, sr=self.SR))[0])
        if not (math.isfinite(bpm) and bpm > 0):
            raise AudioError(f"librosa finds no tempo ({bpm})")
        return Estimate(round(bpm, 2), math.nan, ())


BASELINES: dict[str, Callable[[], TempoEstimator]] = {
    "librosa": Librosa,
    "librosa-beats": lambda: Librosa(beats=True),
}


def open_model(model: str | os.PathLike[str], windows: int | str) -> TempoEstimator:
    """An estimator with a model of any known design, given by its name or file.

    Raises
    ------
    CheckpointError, ConfigError, ImportError
        See `tempo_core.designs.open_estimator`.
    """
    path = checkpoint.resolve(model)
    return (designs.opening(path) or Estimator)(path, windows)


def name_of(source: str) -> str:
    """The name of an estimator in tables, made of its source: `tempo-20261121@78dc24a4`."""
    return source.removeprefix("model:")
