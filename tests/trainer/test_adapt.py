"""Learning how somebody counts: the octave moves where labels say so, the rate stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
import torch

from tempo_core import checkpoint
from tempo_core.background import Stopped
from tempo_core.checkpoint import Checkpoint
from tempo_core.config import Model, TempoGrid
from tempo_core.errors import ConfigError
from tempo_core.estimate import Analysis, Estimate
from tempo_core.features import N_MAPS
from tempo_core.model import build
from tempo_core.tasks import tempo
from trainer import adapt as adapting
from trainer import guard as guards
from trainer.adapt import Frozen, Listened, Recipe, adaptable, freeze, shift
from trainer.compare import guard_answers
from trainer.dataset import Recording
from trainer.guard import Guard
from trainer.learn import N_FOLDS, folds_of, learn_held_out
from trainer.learning_curve import in_range
from trainer.metrics import acc1, acc2

BASE = checkpoint.load(checkpoint.resolve("shipped"))
GUARD = guards.load(BASE)
LEARN, REST = GUARD.part(replay=False), GUARD.part(replay=True)


def counted(guard: Guard) -> list[float]:
    """Everything in [85, 170)."""
    recordings = [Recording(__file__, "x", ((bpm, 1.0),), "", "") for bpm in guard.bpm]  # type: ignore[arg-type]
    return [in_range(r) for r in recordings]


@pytest.fixture(scope="module")
def tracks() -> list[Listened]:
    """The guard set's clips for comparison, as if somebody had labelled them otherwise."""
    frozen = freeze(BASE.network, *LEARN.inputs())
    found = []
    for i, bpm in enumerate(counted(LEARN)):
        one = Frozen(frozen.rate[i : i + 1], frozen.pooled[i : i + 1], frozen.statistics[i : i + 1])
        analysis = Analysis(
            tempo.activate(adapting.logits(BASE.network, one), BASE.grid),
            torch.ones(1), torch.zeros(N_MAPS, BASE.grid.n_bins), (), (),
        )  # fmt: skip
        recording = Recording(__file__, "x", ((bpm, 1.0),), "train", f"A{i}")  # type: ignore[arg-type]
        found.append(Listened(recording, one, analysis, Estimate(bpm, 1.0, ())))
    return found


def test_frozen_windows_give_what_the_network_gives() -> None:
    frozen = freeze(BASE.network, *REST.inputs())
    with torch.no_grad():
        expected = BASE.network(*REST.inputs())
    torch.testing.assert_close(
        adapting.logits(BASE.network, frozen), expected, atol=1e-4, rtol=1e-4
    )


def test_made_adaptable_it_answers_alike() -> None:
    model = adaptable(BASE)
    assert model.model.n_prior == 46
    assert model.model.separate_octave
    before, after = guard_answers(REST, BASE), guard_answers(REST, model)
    assert acc1(before, after) > 0.97
    again = adaptable(model)
    assert again.model == model.model
    assert guard_answers(REST, again) == after


def test_the_prior_cannot_move_the_rate() -> None:
    """Whatever a separate prior says, the octaves of a tempo together stay as probable."""
    network = adaptable(BASE).network
    torch.manual_seed(0)
    rate, prior = torch.randn(5, 180) * 3, torch.randn(5, 180) * 5
    allowed = tempo.answerable(TempoGrid())

    def together(logits: torch.Tensor) -> torch.Tensor:
        scores = logits.masked_fill(~allowed, -torch.inf).softmax(dim=-1)
        return scores.unflatten(-1, (-1, 36)).sum(dim=-2)

    torch.testing.assert_close(
        together(network.combine(rate, prior)), together(rate), atol=1e-5, rtol=1e-4
    )


def test_octaves_need_a_whole_number_of_them() -> None:
    with pytest.raises(ConfigError, match="whole number of octaves"):
        build(BASE.front_end, TempoGrid(n_bins=170), Model(separate_octave=True))


def test_a_range_is_learned_and_the_rate_stays(tracks: list[Listened]) -> None:
    model = adapting.adapt(BASE, tracks, REST, Recipe(steps=40))
    unseen = counted(REST)
    before, after = guard_answers(REST, BASE), guard_answers(REST, model)
    assert acc1(unseen, before) < 0.75
    assert acc1(unseen, after) > 0.88
    assert acc2(REST.bpm, after) >= acc2(REST.bpm, before) - 0.015
    # What is not the prior is what it was.
    shipped = BASE.network.state_dict()
    changed = {
        name.split(".")[2]
        for name, value in model.network.state_dict().items()
        if value.shape != shipped[name].shape or not torch.equal(value, shipped[name])
    }
    assert changed == {"timbre", "prior"}


def test_the_same_seed_the_same_model(tracks: list[Listened]) -> None:
    some = tracks[::12]
    first, second = (adapting.adapt(BASE, some, REST, Recipe(steps=5)) for _ in range(2))
    for a, b in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(a, b)
    other = adapting.adapt(BASE, some, REST, Recipe(steps=5, seed=1))
    assert not torch.equal(other.network.members[0].prior[0].weight,  # type: ignore[index]
                           first.network.members[0].prior[0].weight)  # type: ignore[index]  # fmt: skip


@pytest.mark.parametrize(("factor", "direction"), [(2.0, 1), (0.5, -1)])
def test_a_shift_leans_towards_the_labels(
    tracks: list[Listened], factor: float, direction: int
) -> None:
    """Few labels of somebody who counts all of them twice, or half, as fast."""
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
def test_labels_that_are_right_change_little(tracks: list[Listened]) -> None:
    plain = [
        dataclasses.replace(
            track, recording=dataclasses.replace(track.recording, tempi=((bpm, 1.0),))
        )
        for track, bpm in zip(tracks, guard_answers(LEARN, BASE), strict=True)
    ]
    model = adapting.adapt(BASE, plain[::2], REST, Recipe(steps=20))
    assert acc1(guard_answers(REST, BASE), guard_answers(REST, model)) > 0.9


@pytest.mark.slow
def test_a_wrong_label_does_no_harm(tracks: list[Listened]) -> None:
    wrong = [
        dataclasses.replace(
            t, recording=dataclasses.replace(t.recording, tempi=((t.recording.bpm * 1.26, 1.0),))
        )
        for t in tracks[::12]
    ]
    right = [t for i, t in enumerate(tracks) if i % 12]
    model = adapting.adapt(BASE, [*right, *wrong], REST, Recipe(steps=40))
    assert acc1(counted(REST), guard_answers(REST, model)) > 0.85


def test_models_learned_side_by_side_are_those_learned_one_by_one(tracks: list[Listened]) -> None:
    """Each on one thread, and each track answered by one that knows none of its group."""
    some = tracks[::8]
    known: list[set[str]] = []

    def from_tracks(part: Sequence[Listened]) -> Checkpoint:
        assert torch.get_num_threads() == 1
        known.append({t.recording.group for t in part})
        return adapting.adapt(BASE, part, REST, Recipe(steps=3))

    torch.set_num_threads(2)
    results = [learn_held_out(some, from_tracks, 0, jobs) for jobs in (1, 3)]
    weights = [
        [value for m in (model, *models) for value in m.network.state_dict().values()]
        for model, models in results
    ]
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))
    assert len(known) == 2 * (1 + N_FOLDS)
    everybody = {t.recording.group for t in some}
    assert known.count(everybody) == 2
    fold = folds_of([t.recording.group for t in some], 0)
    (_, models), _ = results
    for track, k, model in zip(some, fold, models, strict=True):
        assert track.recording.group not in known[1 + k]  # with one job in the order of the folds
        assert model is models[fold.index(k)]


def test_a_stopped_learning_says_so(tracks: list[Listened]) -> None:
    with pytest.raises(Stopped, match="begin anew"):
        learn_held_out(tracks[:4], lambda part: BASE, 0, 2, lambda: True)
