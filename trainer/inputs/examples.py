"""Windows of recordings as a network in training is shown them."""

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
from .views import MARGIN

# The least weight with which a window is drawn: one without a clear pulse is heard in use, too, and
# is all there is of some recordings.
LEAST_DRAWN = 0.1


@dataclass(frozen=True)
class DrawOptions:
    """How a window of a recording is drawn.

    Attributes
    ----------
    stretched
        The furthest it is stretched [bins]; None is no augmentation at all.
    open_labels
        Whether a label whose octave is uncertain counts with all its readings, or as the first one.
    weighed
        Whether windows are drawn by their weights, or all alike.
    """

    stretched: int | None
    open_labels: bool = True
    weighed: bool = True


def example(
    recording: Recording,
    views: Views,
    config: TempoConfig,
    rng: np.random.Generator,
    options: DrawOptions,
) -> tuple[Array, Array, Array]:
    """A window at random: the network's two inputs, see `view.inputs_of`, and its target."""
    if options.weighed:
        chances = np.maximum(views.weights, LEAST_DRAWN)
        k = int(rng.choice(len(chances), p=chances / chances.sum()))
    else:
        k = int(rng.integers(len(views.maps)))
    change = augment.NOTHING
    if options.stretched is not None:
        change = augment.draw(rng, views.maps.shape[2], options.stretched)
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
    """The windows that the estimator would use, or those of them that are chosen.

    Parameters
    ----------
    weighed
        Whether they count by how clear a pulse they have.
    """
    chosen = np.arange(views.n_full) if rows is None else np.asarray(rows)
    maps = views.maps[chosen][..., MARGIN:-MARGIN].astype(np.float32)
    weights = views.weights[chosen] if weighed else np.ones(len(chosen))
    return Batch((maps, views.statistics[chosen]), chosen, weights)
