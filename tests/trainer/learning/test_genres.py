"""Tests of learning how somebody counts by genre."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tempo_core import Estimator, checkpoint
from tests.audio import drum_pattern, write_audio
from tests.models import counting_hip_hop_twice
from trainer.evaluation.metrics import acc1, acc2
from trainer.inputs.recordings import Recording
from trainer.learning import guard as guards
from trainer.learning.compare import guard_answers
from trainer.learning.frozen import Frozen, freeze, listen, scored_by
from trainer.learning.frozen import answer as answer_of
from trainer.learning.guard import Guard
from trainer.learning.prior_fitting import (
    LEAST_TRACKS,
    PriorRecipe,
    adapt,
    common_families,
    n_steps,
    without_genres,
)
from trainer.research.learning_curve import CurveTrack, answers

BASE = checkpoint.load(checkpoint.resolve("shipped"))
GUARD = guards.load(BASE)
LEARN, REST = GUARD.part(replay=False), GUARD.part(replay=True)
QUICK = PriorRecipe(steps=5)
TWICE = "Hip-Hop/Rap"  # the genre of those tracks that are counted twice as fast


def tracks_of(guard: Guard, seed: int) -> list[CurveTrack]:
    """Clips of the guard set; those below 100 BPM are of hip-hop by lot, and counted twice."""
    frozen = freeze(BASE.network, *guard.inputs())
    rng = np.random.default_rng(seed)
    found = []
    for i, bpm in enumerate(guard_answers(guard, BASE)):
        one = Frozen(frozen.rate[i : i + 1], frozen.pooled[i : i + 1], frozen.statistics[i : i + 1])
        is_twice = bpm < 100 and rng.random() < 0.6
        tempi = ((2 * bpm if is_twice else bpm, 1.0),)
        genre = TWICE if is_twice else ("Rock", "Pop; Folk", "")[i % 3]
        recording = Recording(Path(str(i)), "x", tempi, "train", f"A{i}", genre=genre)  # type: ignore[arg-type]
        found.append(CurveTrack(recording, one))
    return found


def told(tracks: Sequence[CurveTrack], genres: Sequence[str]) -> list[CurveTrack]:
    return [
        dataclasses.replace(t, recording=dataclasses.replace(t.recording, genre=genre))
        for t, genre in zip(tracks, genres, strict=True)
    ]


@pytest.fixture(scope="module")
def learned() -> list[CurveTrack]:
    return tracks_of(LEARN, 0)


@pytest.fixture(scope="module")
def unseen() -> list[CurveTrack]:
    return tracks_of(REST, 1)


def right(tracks: Sequence[CurveTrack], bpm: Sequence[float]) -> float:
    return acc1([t.recording.bpm for t in tracks], bpm)


@pytest.mark.slow
def test_each_genre_is_counted_as_its_labels_say(
    learned: list[CurveTrack], unseen: list[CurveTrack]
) -> None:
    model = adapt(BASE, learned, None, QUICK)
    assert model.config.genres == ("folk", "hip hop", "pop", "rap", "rock")
    twice = [t for t in unseen if t.recording.genre == TWICE]
    others = [t for t in unseen if t.recording.genre not in (TWICE, "")]
    assert len(twice) > 8
    assert right(twice, answers(twice, BASE)) == 0
    assert right(twice, answers(twice, model)) > 0.85
    assert right(others, answers(others, model)) > 0.95
    # What is slow and of another genre mostly stays slow.
    as_rock = told(twice, ["rock"] * len(twice))
    assert acc1([t.recording.bpm / 2 for t in twice], answers(as_rock, model)) > 0.75
    # The rate is found as before.
    assert acc2([t.recording.bpm for t in unseen], answers(unseen, model)) > 0.97


@pytest.mark.slow
def test_an_unknown_genre_is_counted_as_if_nothing_was_learned_of_genres(
    learned: list[CurveTrack],
) -> None:
    some = learned[::2]
    model = adapt(BASE, some, REST, QUICK)
    plain = adapt(BASE, told(some, [""] * len(some)), REST, QUICK)
    assert model.config.genres
    assert not plain.config.genres
    alone = without_genres(model)
    assert alone.config == plain.config
    assert alone.network.weights.keys() == plain.network.weights.keys()
    for name, value in plain.network.weights.items():
        np.testing.assert_array_equal(alone.network.weights[name], value)


@pytest.mark.slow
def test_few_labels_of_a_genre_count_little(learned: list[CurveTrack]) -> None:
    """The fewer labels speak for another octave of a genre, the smaller is its curve."""
    twice = [t for t in learned if t.recording.genre == TWICE]
    twice = told(twice, ["hip hop"] * len(twice))
    rest = [t for t in learned if t.recording.genre != TWICE]
    heights = []
    for n in (LEAST_TRACKS, len(twice)):
        model = adapt(BASE, [*rest, *twice[:n]], None, QUICK)
        k = model.config.genres.index("hip hop")
        curve = model.network.weights["genres.weight"][:, k]
        heights.append(float(curve.max() - curve.min()))
    assert heights[0] < 0.85 * heights[1]
    model = adapt(BASE, [*rest, *twice[: LEAST_TRACKS - 1]], None, QUICK)
    assert "hip hop" not in model.config.genres


def test_families_that_are_common_enough() -> None:
    genres = ["Hip-Hop"] * 3 + ["Rap; Hip Hop"] * 2 + ["House", "Techno", ""] * 4 + ["Polka"]
    assert common_families(genres) == ("electronic", "hip hop")
    assert common_families([""] * 100) == ()
    assert n_steps(genres, QUICK) == 2 * n_steps([], QUICK) == 10


def test_a_track_is_answered_as_the_estimator_answers(tmp_path: Path) -> None:
    audio = drum_pattern(88, 20, 22050, "rock", np.random.default_rng(0))
    path = write_audio(tmp_path / "a.wav", audio, 22050)
    file = counting_hip_hop_twice(tmp_path)
    model = checkpoint.load(file)
    estimator = Estimator(file, tasks=["tempo"])
    tempi = []
    for genre in ("Hip-Hop", "Polka", ""):
        track = listen(Recording(path, "x", ((88.0, 1.0),), "train", "A", genre=genre), BASE, model)
        tempi.append(track.before)
        assert answer_of(track, model) == pytest.approx(track.before, abs=1e-6)
        assert estimator.estimate(path, genre).bpm == pytest.approx(track.before, abs=0.02)
        assert sum(len(scores) for _, scores in scored_by(track, model)) == len(track.frozen)
    assert tempi[0] == pytest.approx(2 * tempi[1], rel=0.002)
    assert tempi[1] == pytest.approx(tempi[2], rel=0.002)
