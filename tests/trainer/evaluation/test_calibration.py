"""Tests of the calibration of confidences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempo_core.config import UNSCALED, OddsScaling
from tempo_core.task import Batch, Scored
from tempo_core.tasks.tempo.axis import near
from tempo_core.tasks.tempo.config import TempoConfig
from trainer.evaluation.calibration import calibrate_both, calibrate_octave, scale_odds
from trainer.evaluation.metrics import expected_calibration_error
from trainer.inputs.recordings import Recording

CONFIG = TempoConfig()


def track(octave: float, rate: float = 0.9) -> list[Scored]:
    """A window that finds 100 BPM: its rate and, of that, its octave with some probability."""
    scores = np.full(CONFIG.grid.n_bins, 1e-6, np.float32)
    for bpm, mass in ((100, rate * octave), (200, rate * (1 - octave)), (67, 1 - rate)):
        places = np.flatnonzero(near(bpm, CONFIG.grid))
        scores[places] = mass / len(places)
    return [(Batch((), np.zeros(1, int), np.ones(1)), scores[None] / scores.sum())]


def labelled(*tempi: float) -> list[Recording]:
    return [Recording(Path("x"), "songs", ((bpm, 1.0),), "validation", "a") for bpm in tempi]


def test_boasting_is_taken_back(rng: np.random.Generator) -> None:
    chance = rng.uniform(0.5, 1, 2000)
    happened = rng.uniform(size=2000) < chance
    odds = chance / (1 - chance)
    boasted = odds**2 / (1 + odds**2)
    scaling = scale_odds(boasted, happened)
    assert scaling.slope == pytest.approx(0.5, abs=0.06)
    assert scaling.offset == pytest.approx(0, abs=0.15)
    told = [scaling(float(p)) for p in boasted]
    assert expected_calibration_error(boasted, happened) > 0.08
    assert expected_calibration_error(told, happened) < 0.03


def test_few_recordings_change_little() -> None:
    assert scale_odds([], []) == UNSCALED
    all_right = scale_odds([0.9] * 6, [True] * 6)
    assert 0.9 < all_right(0.9) < 0.98
    one_wrong = scale_odds([0.9], [False])
    assert 0.7 < one_wrong(0.9) < 0.9


def test_only_recordings_whose_rate_is_right_say_something_of_the_octave() -> None:
    half_wrong = labelled(*[100.0, 200.0] * 30)
    scored = [track(0.9)] * 60
    scaling = calibrate_octave(half_wrong, scored, CONFIG, 1.0)
    assert scaling(0.9) == pytest.approx(0.5, abs=0.1)
    other_rates = labelled(*[130.0] * 60)
    assert calibrate_octave([*half_wrong, *other_rates], scored * 2, CONFIG, 1.0) == scaling


def test_both_calibrations_are_those_of_one_temperature() -> None:
    recordings = labelled(*[100.0] * 8, 200.0, 130.0)
    scored = [track(0.9)] * 10
    temperature, scaling = calibrate_both(recordings, scored, CONFIG)
    assert scaling == calibrate_octave(recordings, scored, CONFIG, temperature)
    assert isinstance(scaling, OddsScaling)
