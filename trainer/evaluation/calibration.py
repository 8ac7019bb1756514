"""Calibration of confidences, fitted to which answers were right.

Of tempo models two numbers are calibrated: the confidence by a temperature, and how sure the octave
is by a scaling of its log odds. The tags of a track are calibrated by a line through their log
odds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from tempo_core.config import OddsScaling
from tempo_core.task import Scored
from tempo_core.tasks.tempo.config import TempoConfig
from tempo_core.tasks.tempo.decode import activate, highest, mean_scores, octave_share

from ..evaluation.metrics import within, within_levels
from ..inputs.recordings import Recording

# Standard deviations of the logarithm of the slope and of the offset of a scaling of log odds,
# before anything is known: a handful of wrong octaves must not make a confidence of them.
SLOPE_SPREAD, OFFSET_SPREAD = 0.5, 1.0
LEAST_SLOPE = 1e-3  # of log odds
LEAST_PROBABILITY = 1e-3  # of an answer, and 1 minus it of another: nothing is surer than that


def calibrate_both(
    recordings: Sequence[Recording],
    scored: Sequence[Sequence[Scored]],
    config: TempoConfig,
    weights: Sequence[float] | None = None,
) -> tuple[float, OddsScaling]:
    """The temperature of `calibrate`, and the scaling of `calibrate_octave` at that temperature."""
    temperature = calibrate(recordings, scored, config, weights)
    return temperature, calibrate_octave(recordings, scored, config, temperature, weights)


def calibrate(
    recordings: Sequence[Recording],
    scored: Sequence[Sequence[Scored]],
    config: TempoConfig,
    weights: Sequence[float] | None = None,
) -> float:
    """The temperature at which the confidence has the highest likelihood, given the right answers.

    Parameters
    ----------
    scored
        For each recording the scored windows that the estimator would use, at temperature 1.
    weights
        How much each recording counts, such as the probability that its label is right; all alike
        by default.

    Notes
    -----
    The confidence is the posterior mass at the answer, so what is fitted is the number that users
    see (temperature scaling: Guo et al., "On calibration of modern neural networks", ICML 2017).
    """
    best = (math.inf, 1.0)
    logits = [_logits(of_track) for of_track in scored]
    weights = [1.0] * len(recordings) if weights is None else weights
    for temperature in np.geomspace(0.4, 2.5, 43):
        surprise = 0.0
        for recording, of_track, weight in zip(recordings, logits, weights, strict=True):
            peak = highest(_posterior(of_track, config, float(temperature)), config.grid)
            right = bool(within([recording.bpm], [peak.bpm])[0])
            p = min(max(peak.mass, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)
            surprise -= weight * math.log(p if right else 1 - p)
        best = min(best, (surprise, float(temperature)))
    return round(best[1], 3)


def calibrate_octave(
    recordings: Sequence[Recording],
    scored: Sequence[Sequence[Scored]],
    config: TempoConfig,
    temperature: float,
    weights: Sequence[float] | None = None,
) -> OddsScaling:
    """The scaling under which the octave confidences hold where the rate is right.

    Parameters
    ----------
    scored, weights
        As for `calibrate`.
    temperature
        The one that the model is used with.
    """
    shares, right, counted = [], [], []
    weights = [1.0] * len(recordings) if weights is None else weights
    for recording, of_track, weight in zip(recordings, scored, weights, strict=True):
        posterior = _posterior(_logits(of_track), config, temperature)
        bpm = highest(posterior, config.grid).bpm
        if within_levels([recording.bpm], [bpm])[0]:
            shares.append(octave_share(posterior, config.grid, bpm))
            right.append(bool(within([recording.bpm], [bpm])[0]))
            counted.append(weight)
    return scale_odds(shares, right, counted)


def scale_odds(
    probabilities: ArrayLike, happened: ArrayLike, weights: ArrayLike = 1.0
) -> OddsScaling:
    """The most probable scaling of the log odds of probabilities (n,), given what happened (n,).

    What happened counts by its `weights` (n,), or all alike.

    Maximum a posteriori: without data nothing is scaled, and few data scale little (see
    `SLOPE_SPREAD`). The slope is above 0 in any case.
    """
    p = np.clip(np.asarray(probabilities, float), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    odds, targets = np.log(p / (1 - p)), np.asarray(happened, float)

    def surprise(x: np.ndarray) -> float:
        scaled = np.exp(x[0]) * odds + x[1]
        before = (x[0] / SLOPE_SPREAD) ** 2 + (x[1] / OFFSET_SPREAD) ** 2
        missed = np.asarray(weights) * (np.logaddexp(0, scaled) - targets * scaled)
        return float(missed.sum() + before / 2)

    found = minimize(surprise, np.zeros(2)).x
    return OddsScaling(round(float(np.exp(found[0])), 3), round(float(found[1]), 3))


def platt(odds: NDArray[np.float64], truth: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and offset of log odds (n,) that make what is true (n,), 0 or 1, most likely.

    The targets are a little less than sure, as Platt ("Probabilistic outputs for support vector
    machines", 1999) has them, so that few examples do not make it surer than they can. The slope is
    above 0 in any case, so that the order stays.
    """
    n_with = truth.sum()
    targets = np.where(truth == 1, (n_with + 1) / (n_with + 2), 1 / (len(truth) - n_with + 2))

    def surprise(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = line[0] * odds + line[1]
        missed = np.logaddexp(0, logits) - targets * logits
        steep = 0.5 * (1 + np.tanh(0.5 * logits)) - targets
        return float(missed.mean()), np.array([(steep * odds).mean(), steep.mean()])

    if not odds.size:
        return 1.0, 0.0
    bounds = [(LEAST_SLOPE, None), (None, None)]
    slope, offset = minimize(surprise, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=bounds).x
    return float(slope), float(offset)


def _logits(scored: Sequence[Scored]) -> list[Scored]:
    """Windows of a track with the logits of their scores at temperature 1, but for a constant."""
    with np.errstate(divide="ignore"):  # bins that cannot be answered have a score of 0
        return [(batch, np.log(scores)) for batch, scores in scored]


def _posterior(logits: Sequence[Scored], config: TempoConfig, temperature: float) -> np.ndarray:
    """(n_bins,) posterior of a track at a temperature, from the logits of its windows."""
    return mean_scores([(b, activate(some, config, temperature)) for b, some in logits])
