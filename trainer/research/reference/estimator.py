"""A trained reference network as an estimator, with the interface of `tempo_core.Estimator`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from tempo_core import checkpoint
from tempo_core.audio import read_excerpts
from tempo_core.config import FrontEnd, Windows, told
from tempo_core.errors import CheckpointError, ConfigError
from tempo_core.estimate import Estimate
from tempo_core.excerpts import check, sounding
from tempo_core.levels import TOLERANCE
from tempo_core.spectrum import Array, Mel

from ...torch_ops import tensors
from .networks import REFERENCES, Reference, n_frames

DEFAULT_WINDOWS = 16  # so many random windows of a track answer


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

    def agreeing(self, bpm: float, tolerance: float = TOLERANCE) -> float:
        """Share of the windows, 0..1, whose tempo is within the tolerance of `bpm`."""
        return float((np.abs(self.bpm / bpm - 1) <= tolerance).mean())


POOLS = {"median": Answers.median, "mode": Answers.mode}


class ReferenceEstimator:
    """A tempo estimator with a trained reference network.

    Parameters
    ----------
    path
        Its model file.
    windows
        How many random windows of a track answer; `all` for as many as follow each other without
        overlapping.
    pool
        How their answers become one, a key of `POOLS`.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, altered or of an unknown design.
    ConfigError
        If a parameter is out of range.
    """

    def __init__(
        self, path: Path, windows: int | str = DEFAULT_WINDOWS, pool: str = "median"
    ) -> None:
        if windows != "all" and (not isinstance(windows, int) or windows < 1):
            raise ConfigError(f"windows is {windows!r}; give a whole number from 1 on, or 'all'")
        if pool not in POOLS:
            raise ConfigError(f"pool is {pool!r}; give one of {', '.join(POOLS)}")
        contents = checkpoint.read(path)
        name = contents.header.get("task")
        if not isinstance(name, str) or name not in REFERENCES:
            raise CheckpointError(
                f"{path}: is a model for {told(name)}; give one for {' or '.join(REFERENCES)}"
            )
        self._reference = REFERENCES[name]
        self._n_windows = None if windows == "all" else int(windows)
        self._pool = POOLS[pool]
        try:
            self._front_end = FrontEnd.from_dict(contents.header["front_end"])
            self._windows = Windows.from_dict(contents.header["windows"])
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
        self._spectrum = Mel(self._front_end, contents.filterbank)
        self._network = network.eval().requires_grad_(False)
        self.source = f"model:{contents.name}@{contents.hash}"
        torch.set_num_threads(1)
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
        answers = self.answers(self._cut(self._spectrum.features(audio)))
        bpm = self._pool(answers)
        return Estimate(round(bpm, 2), round(answers.agreeing(bpm), 4), ())

    def answers(self, windows: Array) -> Answers:
        """The tempi of windows of features (n_windows, n_mels, n_frames), each by itself."""
        return answers(self._reference, self._network, windows)

    def _cut(self, features: Array) -> Array:
        length = n_frames(self._front_end, self._windows)
        features = padded(features, length)
        last = features.shape[-1] - length
        if self._n_windows is None:
            starts = np.arange(0, last + 1, length)
        else:
            starts = np.random.default_rng(0).integers(0, last + 1, self._n_windows)
        return np.stack([features[:, s : s + length] for s in starts.tolist()])


def open_reference(path: Path, windows: int | str) -> ReferenceEstimator:
    """An estimator with a trained network and as many random windows as usual, or all of them.

    Raises
    ------
    CheckpointError
        See `ReferenceEstimator`.
    """
    return ReferenceEstimator(path, windows if windows == "all" else DEFAULT_WINDOWS)


def answers(reference: Reference, network: nn.Module, windows: Array) -> Answers:
    """Tempi of windows of features (n_windows, n_mels, n_frames) by a network."""
    with torch.inference_mode():
        output = network(torch.from_numpy(reference.view(windows)))
        return Answers(reference.decode(output).numpy())


def padded(features: Array, length: int) -> Array:
    """Features (n_mels, n_frames), padded with silence if they are shorter than a window."""
    missing = length - features.shape[-1]
    return np.pad(features, ((0, 0), (0, missing))) if missing > 0 else features
