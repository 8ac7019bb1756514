"""Tests of training the beats network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempo_core.config import FrontEnd
from tempo_core.tasks.beats.config import BeatsConfig, BeatsModel
from trainer.making.beat_tracks import BeatTrack
from trainer.making.beats import BeatsRecipe, FoldSampler, Source, fit

FRONT_END = FrontEnd()
CONFIG = BeatsConfig(BeatsModel(n_channels=8, n_rounds=2))


def source(n: int, seed: int = 0) -> Source:
    """Tracks with noise on every beat, louder on the first of four, and a soft one between."""
    rng = np.random.default_rng(seed)
    tracks, features = [], []
    for _ in range(n):
        bpm, first = float(rng.uniform(100, 170)), float(rng.uniform(0, 0.3))
        beats = np.arange(first, 20, 60 / bpm)
        heard = 0.02 * rng.random((40, round(20 * FRONT_END.fps)))
        for k, time in enumerate(beats):
            frame = round(time * FRONT_END.fps)
            heard[:, frame : frame + 4] += (2.0 if k % 4 == 1 else 1.0) * rng.random((40, 1))
            between = round((time + 30 / bpm) * FRONT_END.fps)
            heard[:, between : between + 2] += 0.2 * rng.random((40, 1))
        tracks.append(BeatTrack(Path("x"), "train", bpm, beats, 1, 4))
        features.append(heard.astype(np.float16))
    return Source(tracks, features)


def sampler(recipe: BeatsRecipe, n: int = 12) -> FoldSampler:
    return FoldSampler([source(n)], (1.0,), recipe, FRONT_END.fps, CONFIG.model.n_phases)


def test_batches_have_folds_with_targets() -> None:
    folds, beats, bars = sampler(BeatsRecipe(batch=8)).batch()
    assert folds.shape[0] == beats.shape[0] == bars.shape[0] == 8
    assert folds.shape[1:] == (40, *beats.shape[1:])
    assert folds.shape[2] in BeatsRecipe().rows
    assert np.allclose(beats.sum(axis=2)[beats.sum(axis=2) > 0], 1, atol=1e-5)


@pytest.mark.slow
def test_a_network_learns_where_the_beats_are() -> None:
    recipe = BeatsRecipe(steps=60, batch=8, rows=(16,))
    network = fit(sampler(recipe), FRONT_END, CONFIG, recipe)
    folds, beats, _ = sampler(BeatsRecipe(batch=16, rows=(16,), seed=5)).batch()
    found = network(folds)[:, 0].mean(axis=1).argmax(axis=1)
    off = (found - beats.sum(axis=1).argmax(axis=1) + 12) % 24 - 12
    assert (np.abs(off) <= 2).mean() > 0.7


def test_the_same_recipe_gives_the_same_network() -> None:
    recipe = BeatsRecipe(steps=3, batch=4)
    one, other = (fit(sampler(recipe, 4), FRONT_END, CONFIG, recipe) for _ in range(2))
    assert all(np.array_equal(one.weights[k], other.weights[k]) for k in one.weights)
