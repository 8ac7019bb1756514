"""Examples for the training of the tempo network: windows of recordings with their targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempo_core.task import Array, Batch
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.decode import encode

from ..inputs import augment
from .cache import Views
from .recordings import Recording
from .views import STRETCH_MARGIN

# Least weight with which a window is drawn. Windows without a clear pulse occur in use as well, and
# some recordings have no others.
LEAST_DRAWN = 0.1


@dataclass(frozen=True)
class DrawOptions:
    """Options of drawing a window of a recording.

    Attributes
    ----------
    stretched
        Greatest stretch [bins] of the augmentation; None for no augmentation at all.
    open_labels
        Whether a label whose octave is uncertain counts with all its readings. If not, it counts
        as its first reading, provided that this has more than half of the weight.
    weighed
        Whether windows are drawn with probabilities by their weights, or all with the same one.
    tone, masked
        How much the augmentation changes the sound, see `augment.draw`.
    """

    stretched: int | None
    open_labels: bool = True
    weighed: bool = True
    tone: float = augment.TONE
    masked: float = augment.MASKED


def example(
    recording: Recording,
    views: Views,
    config: TempoConfig,
    rng: np.random.Generator,
    options: DrawOptions,
) -> tuple[Array, Array, Array]:
    """A random window: the network's two inputs, see `view.inputs_of`, and the target."""
    if options.weighed:
        chances = np.maximum(views.weights, LEAST_DRAWN)
        k = int(rng.choice(len(chances), p=chances / chances.sum()))
    else:
        k = int(rng.integers(len(views.maps)))
    change = augment.NO_CHANGE
    if options.stretched is not None:
        change = augment.draw(
            rng, views.maps.shape[2], options.stretched, options.tone, options.masked
        )
    factor = change.stretch(config.grid.bins_per_octave)
    readings = recording.tempi
    if not options.open_labels and readings[0][1] > 0.5:
        readings = readings[:1]
    tempi = [(bpm * factor, weight) for bpm, weight in readings]
    return (
        augment.apply_to_map(views.maps[k], change),
        augment.apply_to_statistics(views.statistics[k], change),
        encode(tempi, config),
    )


def full_windows(
    views: Views, weighed: bool = True, rows: Sequence[int] | NDArray[np.integer] | None = None
) -> Batch:
    """The windows of a recording that the estimator would use, without augmentation.

    Parameters
    ----------
    weighed
        Whether windows have their weights, or all a weight of 1.
    rows
        Indices of windows to take instead; None for all that the estimator would use.
    """
    chosen = np.arange(views.n_full) if rows is None else np.asarray(rows)
    maps = views.maps[chosen][..., STRETCH_MARGIN:-STRETCH_MARGIN].astype(np.float32)
    weights = views.weights[chosen] if weighed else np.ones(len(chosen))
    return Batch((maps, views.statistics[chosen]), chosen, weights)
