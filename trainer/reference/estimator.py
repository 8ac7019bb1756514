"""A trained reference network as an estimator, with the interface of `tempo_core.Estimator`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from tempo_core import checkpoint
from tempo_core.audio import read_excerpts
from tempo_core.config import Config, FrontEnd, Windows, choice, told
from tempo_core.errors import CheckpointError, ConfigError
from tempo_core.estimate import DEFAULT_WINDOWS, Estimate
from tempo_core.excerpts import check, sounding
from tempo_core.levels import TOLERANCE
from tempo_core.spectrum import Array, Mel

from ..inputs.views import filterbank
from ..torch_ops import tensors
from .networks import REFERENCES, Reference, n_frames
from .windows import padded, starts


@dataclass(frozen=True)
class Pooling(Config):
    """How the tempi of windows become that of a track."""

    pool: str = choice("median", "mode")


@dataclass(frozen=True)
class Answers:
    """Tempi (n_windows,) [BPM] of the windows of one track."""

    bpm: np.ndarray

    def median(self) -> float:
        return float(np.median(self.bpm))

    def mode(self) -> float:
        """The most frequent whole BPM; among several the one nearest to the median."""
        values, counts = np.unique(np.round(self.bpm), return_counts=True)
        most = values[counts == counts.max()]
        return float(most[np.abs(most - self.median()).argmin()])

    def pooled(self, pool: str) -> float:
        """Their median or mode, see `Pooling`."""
        return self.mode() if pool == "mode" else self.median()

    def agreeing(self, bpm: float, tolerance: float = TOLERANCE) -> float:
        """Share of the windows, 0..1, whose tempo is within the tolerance of `bpm`."""
        return float((np.abs(self.bpm / bpm - 1) <= tolerance).mean())


class ReferenceEstimator:
    """A tempo estimator with a trained reference network.

    Parameters
    ----------
    path
        Its model file.
    windows
        How many random windows of a track answer; `all` for all of them.
    pool
        How their answers become one, `median` or `mode`; None is as the model file says.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, altered or of an unknown design.
    ConfigError
        If a parameter is out of range.
    """

    def __init__(
        self, path: Path, windows: int | str = DEFAULT_WINDOWS, pool: str | None = None
    ) -> None:
        if windows != "all" and (not isinstance(windows, int) or windows < 1):
            raise ConfigError(f"windows is {windows!r}; give a whole number from 1 on, or 'all'")
        contents = checkpoint.read(path)
        name = contents.header.get("task")
        if not isinstance(name, str) or name not in REFERENCES:
            raise CheckpointError(
                f"{path}: is a model for {told(name)}; give one for {' or '.join(REFERENCES)}"
            )
        self._reference = REFERENCES[name]
        self._n_windows = None if windows == "all" else int(windows)
        try:
            self._front_end = FrontEnd.from_dict(contents.header["front_end"])
            self._windows = Windows.from_dict(contents.header["windows"])
            stated = Pooling.from_dict(contents.header["pooling"])
            checkpoint.check_filterbank(contents.filterbank, self._front_end)

            def make() -> nn.Module:
                return self._reference.make(self._front_end, self._windows)

            with torch.device("meta"):  # shapes without memory: a file may say anything
                wanted = {k: tuple(value.shape) for k, value in make().state_dict().items()}
            checkpoint.check_weights(wanted, contents.weights)
            network = make()
            network.load_state_dict(tensors(contents.weights), strict=True)
        except checkpoint.UNUSABLE as error:
            raise checkpoint.unusable(path, error) from error
        self._pool = stated.pool if pool is None else Pooling(pool).pool
        self._spectrum = Mel(self._front_end, contents.filterbank)
        self._network = network.eval().requires_grad_(False)
        other = "" if self._pool == stated.pool else f" {self._pool}"
        self.source = f"model:{contents.name}@{contents.hash}{other}"
        torch.set_num_threads(1)  # tracks are estimated in parallel
        threadpool_limits(1, user_api="blas")

    def estimate(self, path: str | bytes | os.PathLike[str]) -> Estimate:
        """Estimate the tempo of one file; the confidence is the share of windows that agree.

        The windows are drawn at random, but for the same file always the same ones.

        Raises
        ------
        AudioError
            If the file is missing, unreadable, silent or too short.
        """
        sr = self._front_end.sr
        excerpts = read_excerpts(path, sr, None)
        check(excerpts, sr)
        audio = (sounding(excerpts, sr) or excerpts)[0].audio
        found = answers(self._reference, self._network, self._cut(self._spectrum.features(audio)))
        bpm = found.pooled(self._pool)
        bpm, confidence = round(bpm, 2), round(found.agreeing(bpm), 4)
        return Estimate(bpm, confidence, columns={"bpm": bpm, "confidence": confidence})

    def _cut(self, features: Array) -> Array:
        """Random windows (n_windows, n_mels, n_frames) of a track, in order of time."""
        length = n_frames(self._front_end, self._windows)
        firsts = starts(features.shape[-1], self._front_end, self._windows)
        if self._n_windows is not None and self._n_windows < len(firsts):
            firsts = np.sort(np.random.default_rng(0).permutation(firsts)[: self._n_windows])
        whole = padded(features, length)
        return np.stack([whole[:, first : first + length] for first in firsts.tolist()])


def open_reference(path: Path, windows: int | str) -> ReferenceEstimator:
    """An estimator with a trained network; the entry point of the group `tempo_core.designs`.

    Raises
    ------
    CheckpointError, ConfigError
        See `ReferenceEstimator`.
    """
    return ReferenceEstimator(path, windows)


def answers(reference: Reference, network: nn.Module, windows: Array) -> Answers:
    """Tempi of windows of features (n_windows, n_mels, n_frames) by a network."""
    with torch.inference_mode():
        output = network(torch.from_numpy(reference.view(windows)))
        return Answers(reference.decode(output).numpy())


@dataclass(frozen=True)
class ReferenceModel:
    """A trained network before it is written: its design, its configuration, and its card."""

    name: str
    network: nn.Module
    front_end: FrontEnd
    windows: Windows
    pooling: Pooling
    card: Mapping[str, Any]

    def save(self, folder: Path) -> Path:
        """Write the model file, and return its path."""
        header = {
            "task": self.name,
            "temperature": 1.0,
            "card": dict(self.card),
            "front_end": self.front_end.to_dict(),
            "windows": self.windows.to_dict(),
            "pooling": self.pooling.to_dict(),
        }
        weights = {key: value.cpu().numpy() for key, value in self.network.state_dict().items()}
        return checkpoint.write(folder, header, filterbank(self.front_end), weights)
