"""Inputs of the tempo network for a track: all of its windows, grouped by length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...genres import membership
from ...heard import Heard, Window
from ...model import Checkpoint
from ...spectrum import compress, onset_strength
from ...task import Batch, Results
from ...windows import by_length
from .config import TempoConfig, TempoGrid
from .periodicity import band_statistics, periodicity_map
from .rhythm import clarity, rhythm

Array = NDArray[np.float32]


class Summary(NamedTuple):
    """What is kept of a batch of windows.

    `pulse` (N_MAPS, n_bins) is the sum of their periodicity maps by weight, see `pulse`; `starts`
    (n,) is where they begin in the track [s].
    """

    pulse: NDArray[np.float64]
    starts: NDArray[np.float64]


def view(heard: Heard, results: Results, checkpoint: Checkpoint[TempoConfig]) -> list[Batch]:
    """Batches of all windows that were heard; the summary of a batch is a `Summary`.

    A network that counts by genre has a third input, the families that the track is of.
    """
    spectrum = checkpoint.spectrum
    heard.each(spectrum, rhythm)  # computed here, while there are features, for `decode`
    windows = heard.windows(spectrum, checkpoint.windows, clarity)
    batches = batches_of(windows, spectrum.fps, checkpoint.config.grid)
    if not checkpoint.config.genres:
        return batches
    own = membership(heard.genres, checkpoint.config.genres)
    return [
        replace(batch, inputs=(*batch.inputs, np.tile(own, (len(batch.which), 1))))
        for batch in batches
    ]


def batches_of(windows: Sequence[Window], fps: float, grid: TempoGrid) -> list[Batch]:
    """Batches of windows, one for each length."""
    batches = []
    for which, features in by_length([window.features for window in windows]):
        weights = np.array([windows[k].weight for k in which])
        inputs = inputs_of(features, fps, grid)
        starts = np.array([windows[k].start for k in which], float)
        summary = Summary(pulse(inputs[0], weights), starts)
        batches.append(Batch(inputs, np.array(which), weights, summary))
    return batches


def inputs_of(features: Array, fps: float, grid: TempoGrid) -> tuple[Array, Array]:
    """Features (batch, n_mels, n_frames) → the network's two inputs.

    They are the periodicity map (batch, N_MAPS, n_mels, n_bins) and the band statistics
    (batch, 4 * n_mels).
    """
    compressed = compress(features)
    onsets = onset_strength(compressed)
    return periodicity_map(onsets, fps, grid), band_statistics(compressed, onsets)


def pulse(periodicity: Array, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N_MAPS, n_bins) periodicity maps, averaged over bands and summed over weighted windows."""
    return np.asarray(np.tensordot(weights, periodicity.mean(axis=2), axes=1))
