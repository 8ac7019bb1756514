"""Labels that contradict how their tracks sound, judged without the artists of the tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..evaluation.tag_doubts import DoubtfulLabel, find_doubtful
from .tag_fitting import N_FOLDS, Floats, Going, out_of_fold

MISLEADING = 0.95  # doubt above which a label is not learned from the second time
FITS_A_TAG = 2 * N_FOLDS  # regressions for each tag: how often `go_on` is called


@dataclass(frozen=True, eq=False)
class CheckedLabels:
    """What cross validation says of labels.

    Attributes
    ----------
    probabilities
        (n_tracks, n_tags) of each track by a model that learned from the labels of other artists,
        as they are.
    doubtful
        All labels, those first that fit worst, see `find_doubtful`. They were judged once more by
        models that did not learn from the labels of `MISLEADING` doubt.
    """

    probabilities: Floats
    doubtful: list[DoubtfulLabel]


def check_labels(
    tags: Sequence[str],
    embeddings: NDArray[np.floating],
    truth: Floats,
    groups: Sequence[str],
    seed: int = 0,
    go_on: Going = lambda: None,
) -> CheckedLabels:
    """Find labels that contradict the sound of their tracks.

    The parameters are those of `tag_fitting.out_of_fold` and the names of the tags (n_tags,).
    """
    probabilities = out_of_fold(embeddings, truth, groups, seed, go_on)
    column = {tag: k for k, tag in enumerate(tags)}
    trusted = truth.copy()
    for one in find_doubtful(tags, truth, probabilities):
        if one.doubt > MISLEADING:
            trusted[one.track, column[one.label]] = np.nan
    again = out_of_fold(embeddings, trusted, groups, seed, go_on)
    return CheckedLabels(probabilities, find_doubtful(tags, truth, again))
