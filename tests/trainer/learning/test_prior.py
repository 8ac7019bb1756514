"""Tests of learning how a person counts: labels change the octave, not the tempo."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from tempo_core import Estimator, checkpoint, methods
from tempo_core.background import Stopped
from tempo_core.config import OddsScaling
from tempo_core.errors import ConfigError
from tempo_core.task import Batch
from tempo_core.tasks.tempo.axis import answerable
from tempo_core.tasks.tempo.config import Model, TempoConfig, TempoGrid
from tempo_core.tasks.tempo.network import build
from tests.audio import drum_pattern, write_audio
from tests.rows import mostly_slow
from trainer.evaluation.metrics import acc1, acc2
from trainer.inputs.recordings import Recording
from trainer.learning import guard as guards
from trainer.learning import prior
from trainer.learning.compare import guard_answers
from trainer.learning.frozen import Frozen, Listened, ensemble, freeze, listen, logits
from trainer.learning.frozen import Model as TempoModel
from trainer.learning.guard import Guard
from trainer.learning.job import Job
from trainer.learning.options import LearnOptions
from trainer.learning.prior import folds_of, learn_held_out
from trainer.learning.prior_fitting import PriorRecipe, adapt, adaptable, shift
from trainer.learning.tempo import CALIBRATE_FROM
from trainer.research.learning_curve import CurveTrack, in_range
from trainer.torch_ops import learnable

BASE = checkpoint.load(checkpoint.resolve("shipped"))
GUARD = guards.load(BASE)
LEARN, REST = GUARD.part(replay=False), GUARD.part(replay=True)


def job(jobs: int, stop: bool = False) -> Job:
    """A learning run with the method `adapt`."""
    return Job(methods.for_labels("tempo", 100), LearnOptions(jobs=jobs), lambda: stop)


def counted(guard: Guard) -> list[float]:
    """Tempi [BPM] of the guard set's clips, moved by octaves into [85, 170)."""
    recordings = [Recording(__file__, "x", ((bpm, 1.0),), "", "") for bpm in guard.bpm]  # type: ignore[arg-type]
    return [in_range(r) for r in recordings]


@pytest.fixture(scope="module")
def tracks() -> list[CurveTrack]:
    """The clips of the guard set for comparison, with other labels."""
    frozen = freeze(BASE.network, *LEARN.inputs())
    found = []
    for i, bpm in enumerate(counted(LEARN)):
        one = Frozen(frozen.rate[i : i + 1], frozen.pooled[i : i + 1], frozen.statistics[i : i + 1])
        recording = Recording(__file__, "x", ((bpm, 1.0),), "train", f"A{i}")  # type: ignore[arg-type]
        found.append(CurveTrack(recording, one))
    return found


@pytest.mark.slow
def test_frozen_windows_give_what_the_network_gives() -> None:
    frozen = freeze(BASE.network, *REST.inputs())
    expected = BASE.network(*REST.inputs())
    np.testing.assert_allclose(logits(BASE.network, frozen), expected, atol=1e-4, rtol=1e-4)
    with torch.no_grad():
        learning = logits(learnable(BASE.network), frozen.tensors())
    np.testing.assert_allclose(learning.numpy(), expected, atol=1e-4, rtol=1e-4)


def test_a_track_is_answered_as_the_estimator_answers(tmp_path: Path) -> None:
    audio = drum_pattern(118, 30, 22050, "rock", np.random.default_rng(0))
    path = write_audio(tmp_path / "a.wav", audio, 22050)
    recording = Recording(path, "x", ((118.0, 1.0),), "train", "A")
    track = listen(recording, BASE)
    alone = listen(recording, BASE, BASE)  # by the whole network, as one in use
    assert track.before == pytest.approx(alone.before, abs=1e-6)
    assert track.before == pytest.approx(Estimator("shipped").estimate(path).bpm, abs=0.02)


@pytest.mark.slow
def test_made_adaptable_it_answers_alike() -> None:
    model = adaptable(BASE)
    assert model.config.model.n_prior == 46
    assert model.config.model.separate_octave
    before, after = guard_answers(REST, BASE), guard_answers(REST, model)
    assert acc1(before, after) > 0.97
    again = adaptable(model)
    assert again.config == model.config
    assert guard_answers(REST, again) == after


@pytest.mark.slow
def test_both_confidences_are_fitted_anew_to_enough_labels(tracks: list[CurveTrack]) -> None:
    """A third of these labels is an octave away from what the model says."""
    one = [Batch((), np.zeros(1, np.int64), np.ones(1))]
    heard = [Listened(t.recording, t.frozen, None, one, 0.0) for t in tracks]  # type: ignore[arg-type]
    base = dataclasses.replace(BASE, octave=OddsScaling(1.1, 0.1))
    few = heard[: CALIBRATE_FROM - 1]
    assert prior._calibrations(few, [base] * len(few), base) == (base.temperature, base.octave)
    temperature, octave = prior._calibrations(heard, [base] * len(heard), base)
    assert temperature > base.temperature
    assert octave(0.95) < 0.9


def test_the_prior_cannot_move_the_rate() -> None:
    """With a separate prior, the sum over the octaves of a tempo does not depend on the prior."""
    network = adaptable(BASE).network
    rng = np.random.default_rng(0)
    rate, prior = (k * rng.standard_normal((5, 180), np.float32) for k in (3, 5))

    def together(found: np.ndarray) -> np.ndarray:
        scores = np.where(answerable(TempoGrid()), np.exp(found), 0)
        octaves: np.ndarray = (scores / scores.sum(axis=-1, keepdims=True)).reshape(5, -1, 36)
        return np.asarray(octaves.sum(axis=-2))

    found = ensemble(network).combine(network.ops, rate, prior)
    np.testing.assert_allclose(together(found), together(rate), atol=1e-5, rtol=1e-4)


def test_octaves_need_a_whole_number_of_them() -> None:
    with pytest.raises(ConfigError, match="whole number of octaves"):
        build(BASE.front_end, TempoConfig(TempoGrid(n_bins=170), Model(separate_octave=True)))


@pytest.mark.slow
def test_a_range_is_learned_and_the_rate_stays(tracks: list[CurveTrack]) -> None:
    model = adapt(BASE, tracks, REST, PriorRecipe(steps=40))
    unseen = counted(REST)
    before, after = guard_answers(REST, BASE), guard_answers(REST, model)
    assert acc1(unseen, before) < 0.75
    assert acc1(unseen, after) > 0.88
    assert acc2(REST.bpm, after) >= acc2(REST.bpm, before) - 0.015
    # What is not the prior is what it was.
    shipped = BASE.network.weights
    changed = {
        name.split(".")[2]
        for name, value in model.network.weights.items()
        if not np.array_equal(value, shipped[name])
    }
    assert changed == {"timbre", "prior"}


@pytest.mark.slow
def test_the_same_seed_the_same_model(tracks: list[CurveTrack]) -> None:
    some = tracks[::12]
    first, second = (adapt(BASE, some, REST, PriorRecipe(steps=5)) for _ in range(2))
    for name, value in first.network.weights.items():
        assert np.array_equal(value, second.network.weights[name])
    other = adapt(BASE, some, REST, PriorRecipe(steps=5, seed=1))
    name = "members.0.prior.0.weight"
    assert not np.array_equal(other.network.weights[name], first.network.weights[name])


@pytest.mark.slow
@mostly_slow(("factor", "direction"), [(2.0, 1), (0.5, -1)], quick=1)
def test_a_shift_leans_towards_the_labels(
    tracks: list[CurveTrack], factor: float, direction: int
) -> None:
    """From few labels at twice or half the tempo, `shift` moves the prior towards them."""
    frozen = []
    for track, bpm in list(zip(tracks, LEARN.bpm, strict=True))[:30]:
        recording = dataclasses.replace(track.recording, tempi=((bpm * factor, 1.0),))
        frozen.append(dataclasses.replace(track, recording=recording))
    model = shift(BASE, frozen)
    before, after = guard_answers(REST, BASE), guard_answers(REST, model)
    moved = [(a > 1.5 * b) - (a < b / 1.5) for a, b in zip(after, before, strict=True)]
    assert direction * sum(moved) > 10
    assert all(m * direction >= 0 for m in moved)
    assert acc2(REST.bpm, after) >= acc2(REST.bpm, before) - 0.015


@pytest.mark.slow
def test_labels_that_are_right_change_little(tracks: list[CurveTrack]) -> None:
    plain = [
        dataclasses.replace(
            track, recording=dataclasses.replace(track.recording, tempi=((bpm, 1.0),))
        )
        for track, bpm in zip(tracks, guard_answers(LEARN, BASE), strict=True)
    ]
    model = adapt(BASE, plain[::2], REST, PriorRecipe(steps=20))
    assert acc1(guard_answers(REST, BASE), guard_answers(REST, model)) > 0.9


@pytest.mark.slow
def test_a_wrong_label_does_no_harm(tracks: list[CurveTrack]) -> None:
    wrong = [
        dataclasses.replace(
            t, recording=dataclasses.replace(t.recording, tempi=((t.recording.bpm * 1.26, 1.0),))
        )
        for t in tracks[::12]
    ]
    right = [t for i, t in enumerate(tracks) if i % 12]
    model = adapt(BASE, [*right, *wrong], REST, PriorRecipe(steps=40))
    assert acc1(counted(REST), guard_answers(REST, model)) > 0.85


@pytest.mark.slow
def test_models_learned_side_by_side_are_those_learned_one_by_one(
    tracks: list[CurveTrack], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models learned in parallel equal those learned one by one, each without one fold's groups."""
    n_folds = 2
    monkeypatch.setattr(prior, "folds_of", partial(folds_of, n=n_folds))
    some = tracks[::8]
    known: list[set[str]] = []

    def from_tracks(part: Sequence[CurveTrack]) -> TempoModel:
        assert torch.get_num_threads() == 1
        known.append({t.recording.group for t in part})
        return adapt(BASE, part, REST, PriorRecipe(steps=3))

    torch.set_num_threads(2)
    results = [learn_held_out(some, from_tracks, job(jobs)) for jobs in (1, 3)]
    weights = [
        [value for m in (model, *models) for value in m.network.weights.values()]
        for model, models in results
    ]
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))
    assert len(known) == 2 * (1 + n_folds)
    everybody = {t.recording.group for t in some}
    assert known.count(everybody) == 2
    fold = folds_of([t.recording.group for t in some], 0, n_folds)
    (_, models), _ = results
    for track, k, model in zip(some, fold, models, strict=True):
        assert track.recording.group not in known[1 + k]  # with one job in the order of the folds
        assert model is models[fold.index(k)]


def test_a_stopped_learning_says_so(tracks: list[CurveTrack]) -> None:
    with pytest.raises(Stopped, match="begin anew"):
        learn_held_out(tracks[:4], lambda part: BASE, job(2, stop=True))
