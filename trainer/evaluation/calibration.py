"""Calibration of the confidence: a temperature is fitted to which answers were right."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tempo_core.task import Scored
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.decode import activate, highest, mean_scores

from ..evaluation.metrics import within
from ..inputs.recordings import Recording


def calibrate(
    recordings: Sequence[Recording], scored: Sequence[Sequence[Scored]], config: TempoConfig
) -> float:
    """The temperature at which the confidence has the highest likelihood, given the right answers.

    Parameters
    ----------
    scored
        For each recording the scored windows that the estimator would use, at temperature 1.

    Notes
    -----
    The confidence is the posterior mass at the answer, so what is fitted is the number that users
    see (temperature scaling: Guo et al., "On calibration of modern neural networks", ICML 2017).
    """
    with np.errstate(divide="ignore"):  # bins that cannot be answered have a score of 0
        logits = [[(batch, np.log(scores)) for batch, scores in of_track] for of_track in scored]
    best = (math.inf, 1.0)
    for temperature in np.geomspace(0.4, 2.5, 43):
        surprise = 0.0
        for recording, of_track in zip(recordings, logits, strict=True):
            warmed = [(b, activate(logits_, config, float(temperature))) for b, logits_ in of_track]
            peak = highest(mean_scores(warmed), config.grid)
            right = bool(within([recording.bpm], [peak.bpm])[0])
            p = min(max(peak.mass, 1e-3), 1 - 1e-3)
            surprise -= math.log(p if right else 1 - p)
        best = min(best, (surprise, float(temperature)))
    return round(best[1], 3)
