"""Tests of training the pace network: its data, its learning and its figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tempo_core import Estimator, checkpoint
from tempo_core.config import FrontEnd, Windows
from tempo_core.errors import ConfigError
from tempo_core.heard import Window
from tempo_core.loading import load_rows
from tempo_core.paces import SAME_PACE
from tempo_core.task import Batch, Task
from tempo_core.tasks.pace.config import PaceConfig
from tempo_core.tasks.pace.row import clear
from tempo_core.tasks.tempo.config import TempoGrid
from tempo_core.windows import window_spans
from tests.audio import Audio, click_track, write_audio
from trainer.inputs.pace_tracks import (
    Case,
    HeardTrack,
    batches,
    judged,
    listener,
    manual_case,
    read_track,
    track_of,
)
from trainer.inputs.recordings import Recording
from trainer.learning import pace_fitting
from trainer.making.pace import CandidateSampler, PaceRecipe, calibrate, finish, fit, group_of
from trainer.making.pace_cases import load_tracks, song_case
from trainer.research.pace_figures import area_under_curve, balanced_accuracy, by_tempo, profile
from trainer.synthesis.notes import Score

FRONT_END, WINDOWS, GRID, CONFIG = FrontEnd(), Windows(), TempoGrid(), PaceConfig()


def track(bpm: float, seed: int = 0) -> HeardTrack:
    """Features of a single pulse at `bpm`: noise on the beats, little between."""
    rng = np.random.default_rng(seed)
    n_frames = round(20 * FRONT_END.fps)
    features = 0.05 * rng.random((40, n_frames))
    for time in np.arange(0.1, 20, 60 / bpm):
        frame = round(time * FRONT_END.fps)
        features[:, frame : frame + 4] += rng.random((40, 1))
    spans = window_spans(n_frames, FRONT_END.fps, WINDOWS)
    windows = [
        Window(features[:, first:last].astype(np.float32), 1.0, first / FRONT_END.fps)
        for first, last in spans
    ]
    return HeardTrack(tuple(windows), bpm, np.zeros(GRID.n_bins), GRID)


def cases(n: int) -> list[Case]:
    """Clips with a note on every beat: the beat and half of it are compatible, 3/2 is not."""
    found = []
    for k in range(n):
        bpm = 140.0 + 50 * k / n
        beats = np.arange(0, 20 * bpm / 60)
        score = Score(bpm, 4, 0.1, 20.0, beats, np.ones(beats.size))
        tempi = (bpm, bpm / 2, bpm * 3 / 2, bpm * 3 / 4)
        found.append(Case(track(bpm, k), bpm, tempi, np.array([1.0, 1, 0, 0]), score))
    return found


def sampler(recipe: PaceRecipe, sources: list[list[Case]]) -> CandidateSampler:
    return CandidateSampler(sources, recipe, FRONT_END.fps, CONFIG.model)


def test_batches_hold_the_groups_in_their_shares() -> None:
    recipe = PaceRecipe(batch=32, groups=(0.0, 0.5, 0.25, 0.25))
    batches = sampler(recipe, [cases(6)])
    drawn = [group for _ in range(4) for group in batches.batch()]
    targets = np.concatenate([targets for _, _, targets, _ in drawn])
    assert len(targets) == 128
    # Half of the beat is compatible, ¾ and 3/2 of it are not.
    assert float((targets >= 0.5).mean()) == pytest.approx(0.75, abs=0.12)
    for folds, known, found, heard in drawn:
        assert folds.shape[1:] in [(40, 16, 24), (40, 8, 24), (40, 4, 24)]
        assert len(folds) == len(known) == len(found) == len(heard)
        assert np.isfinite(folds).all()


def test_groups_of_candidates() -> None:
    assert [group_of(t, 120.0) for t in (121, 60, 240, 40, 360, 180, 90, 77)] == [
        0, 3, 1, 3, 1, 2, 2, 2,
    ]  # fmt: skip
    assert [group_of(t, 160.0) for t in (160, 80, 53, 40)] == [0, 1, 3, 3]
    assert group_of(50.0, 50.0) == 0


def test_the_same_seed_draws_the_same() -> None:
    one, two, other = (
        sampler(PaceRecipe(batch=8, seed=seed), [cases(3)]).batch()[0][0] for seed in (0, 0, 1)
    )
    assert np.array_equal(one, two)
    assert one.shape != other.shape or not np.array_equal(one, other)


@pytest.mark.slow
def test_a_trained_network_tells_paces_apart_and_is_used(tmp_path: Path) -> None:
    """A trained network tells paces from the folds, without the tempo, and can be used."""
    recipe = PaceRecipe(steps=30, batch=12, no_headline=1.0, mask=0.0)
    network = fit(sampler(recipe, [cases(6)]), FRONT_END, CONFIG, recipe)
    reference = checkpoint.load(checkpoint.resolve("default"))
    done = finish(network, cases(3), reference, CONFIG)
    unseen = [replace(case, track=track(case.headline, 100 + k)) for k, case in enumerate(cases(3))]
    scores = np.concatenate([judged(case, done) for case in unseen])
    targets = np.concatenate([case.targets for case in unseen])
    assert area_under_curve(scores, targets) > 0.9
    path = checkpoint.save(tmp_path, replace(done, card={"summary": "a test"}))
    assert checkpoint.load(path, "pace").card == {"summary": "a test"}
    clicks = write_audio(tmp_path / "a.wav", click_track(120, 30), 22050)
    assert Estimator(pace_model=path).estimate(clicks).paces


def test_calibration_makes_probabilities_true() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 4000)
    targets = (rng.random(4000) < 1 / (1 + np.exp(-(0.5 * logits - 1)))).astype(float)
    slope, offset, _ = calibrate(1 / (1 + np.exp(-logits)), targets)
    assert slope == pytest.approx(0.5, abs=0.06)
    assert offset == pytest.approx(-1, abs=0.12)


def test_each_kind_is_calibrated_by_itself() -> None:
    rng = np.random.default_rng(0)
    logits, kind = rng.normal(0, 2, 6000), rng.integers(0, 3, 6000)
    true = logits + np.array([1.0, -1.0, 0.0])[kind]
    targets = (rng.random(6000) < 1 / (1 + np.exp(-true))).astype(float)
    kinds = np.eye(3)[kind][:, :2]  # the last kind has no offset of its own
    slope, offset, offsets = calibrate(1 / (1 + np.exp(-logits)), targets, kinds)
    assert (slope, offset) == pytest.approx((1, 0), abs=0.15)
    assert offsets == pytest.approx([1, -1], abs=0.15)
    # Few examples say little, whatever they say.
    few = np.zeros((6000, 1))
    few[0] = 1
    assert abs(calibrate(1 / (1 + np.exp(-true)), targets, few)[2][0]) < 1


@pytest.mark.parametrize(
    ("slope", "told"),
    [(-0.5, r"the slope is -0\.[45]"), (0.0, "the slope is"), (None, "of one kind")],
)
def test_a_calibration_that_turns_probabilities_round_is_refused(
    slope: float | None, told: str
) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 20_000)
    likely = np.ones(logits.size) if slope is None else 1 / (1 + np.exp(-slope * logits))
    targets = (rng.random(logits.size) < likely).astype(float)
    with pytest.raises(ConfigError, match=told):
        calibrate(1 / (1 + np.exp(-logits)), targets)


@pytest.mark.slow
def test_a_network_that_learned_the_contrary_makes_no_model() -> None:
    recipe = PaceRecipe(steps=30, batch=12, no_headline=1.0, mask=0.0)
    contrary = [replace(c, targets=1 - c.targets, score=None) for c in cases(6)]
    network = fit(sampler(recipe, [contrary]), FRONT_END, CONFIG, recipe)
    reference = checkpoint.load(checkpoint.resolve("default"))
    with pytest.raises(ConfigError, match="cannot be calibrated: the slope is -"):
        finish(network, cases(3), reference, CONFIG)


def test_songs_say_what_is_known_and_no_more() -> None:
    song = Recording(Path("a"), "songs", ((120.0, 1.0),), "train", "x", (240.0,))
    case = song_case(track(120), song, 120.0)
    known = {round(t / 120, 2): target for t, target in zip(case.tempi, case.targets, strict=True)}
    assert known[1.0] == known[2.0] == 1
    assert known[1.5] == known[0.75] == 0
    assert np.isnan(known[0.5])  # nobody said so, nobody denied it


def test_a_manual_statement_is_complete() -> None:
    case = manual_case(track(120), (60.0, 200.0))
    compatible = sorted(t for t, x in zip(case.tempi, case.targets, strict=True) if x == 1)
    assert compatible == pytest.approx([60, 200])
    assert not np.isnan(case.targets).any()
    assert any(abs(t / 120 - 1) <= SAME_PACE and x == 0
               for t, x in zip(case.tempi, case.targets, strict=True))  # fmt: skip


def test_figures() -> None:
    rng = np.random.default_rng(1)
    scores, targets = rng.integers(0, 8, 60) / 8, rng.random(60) < 0.3
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[targets] for b in scores[~targets]]
    assert area_under_curve(scores, targets) == pytest.approx(np.mean(pairs))
    assert balanced_accuracy([0.9, 0.1, 0.1, 0.1, 0.9], [1, 1, 0, 0, 0]) == pytest.approx(7 / 12)
    found = profile([(100, [100, 50]), (100, [100, 201, 50]), (80, [80])])
    assert found["paces"] == {"1": 1 / 3, "2": 1 / 3, "3": 1 / 3}
    assert found["ratios"] == {"0.50": 2 / 3, "2.00": 1 / 3}
    table = by_tempo([(100, [100, 50]), (105, [105, 211, 52]), (85, [85])])
    assert table["100..110"] == [2, 1.0, 0.5]
    assert table["80..90"] == [1, 0.0, 0.0]
    assert table["165..330"] == [0]


def uneven(duration: float = 40.0) -> Audio:
    """Silence, clicks, a stretch of noise without any pulse, clicks, silence."""
    sr = 11025
    rng = np.random.default_rng(0)
    clicks = click_track(118, duration, sr)
    clicks[round(0.4 * duration * sr) : round(0.8 * duration * sr)] = 0
    noise = np.zeros_like(clicks)
    middle = slice(round(0.4 * duration * sr), round(0.8 * duration * sr))
    noise[middle] = 0.3 * rng.normal(size=noise[middle].size)
    silence = np.zeros(9 * sr, clicks.dtype)
    return np.concatenate([silence, clicks + noise, silence])


@pytest.fixture(scope="module")
def uneven_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_audio(tmp_path_factory.mktemp("uneven") / "a.wav", uneven(), 11025)


def shown_in_use(path: Path) -> tuple[list[Batch], dict[str, float]]:
    """Inputs of the pace network in an estimate, and its probabilities by tempo."""
    rows = load_rows(("pace",), {})
    shown: list[Batch] = []

    def spied(task: Task) -> Task:
        def view(*args: object) -> list[Batch]:
            found = task.view(*args)  # type: ignore[arg-type]
            shown.extend(found)
            return found

        return replace(task, view=view)

    (tempo, tempo_model), (pace, pace_model) = rows
    estimator = Estimator.of([(tempo, tempo_model), (spied(pace), pace_model)])
    found = estimator.estimate(path).paces
    return shown, {f"{pace.bpm:.1f}": pace.probability for pace in found}


def test_training_is_shown_what_use_is_shown(uneven_file: Path, tmp_path: Path) -> None:
    """Training and use have the same inputs and answers, also with silence and without a pulse."""
    in_use_, answers = shown_in_use(uneven_file)
    model = checkpoint.resolve("default")
    (track,) = load_tracks([uneven_file], model, tmp_path, progress=False)
    base = load_rows(("pace",), {})[-1][1]
    case = manual_case(track, (track.bpm,))
    trained = batches(case, base)
    assert len(in_use_) == len(trained) > 0
    for one, other in zip(in_use_, trained, strict=True):
        np.testing.assert_array_equal(one.which, other.which)
        for a, b in zip(one.inputs, other.inputs, strict=True):
            np.testing.assert_array_equal(a, b)
    adapted = pace_fitting.judge(pace_fitting.freeze(case, base), base)
    for found in (judged(case, base), adapted):
        told = {
            f"{tempo:.1f}": round(float(p), 2)
            for tempo, p in zip(case.tempi, found, strict=True)
            if p
        }
        assert told == answers


def test_what_is_learned_from_sounds_and_has_a_pulse(uneven_file: Path) -> None:
    track = track_of(uneven_file, listener(checkpoint.resolve("default")))
    clear_ = clear(track.windows)
    assert 0 < len(clear_) < len(track.windows)
    assert min(window.start for window in track.windows) >= 8.5
    ends = [w.start + w.features.shape[1] / FRONT_END.fps for w in track.windows]
    assert 48 < max(ends) < 49.5
    # The whole of a draw lies in a window with a pulse, whatever the notes of the clip say of it.
    beats = np.arange(0.0, 120)
    score = Score(118.0, 4, 0.0, 58.0, beats, np.ones(beats.size))
    case = Case(track, track.bpm, (track.bpm, 2 * track.bpm), np.array([1.0, 0]), score)
    recipe = PaceRecipe(batch=16, mask=0, short=0)
    drawn = sampler(recipe, [[case]])
    unclear = [w for w in track.windows if not any(w is c for c in clear_)]
    poisoned = [replace(w, features=np.full_like(w.features, np.nan)) for w in unclear]
    windows = tuple(sorted([*clear_, *poisoned], key=lambda window: window.start))
    poisoned_case = replace(case, track=replace(track, windows=windows))
    same = CandidateSampler(
        [[poisoned_case]], PaceRecipe(batch=16, mask=0, short=0), FRONT_END.fps, CONFIG.model
    )
    for _ in range(4):
        for one, other in zip(drawn.batch(), same.batch(), strict=True):
            np.testing.assert_array_equal(one[0], other[0])
            assert np.isfinite(one[0]).all()


def test_features_are_kept_and_read_again(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.wav", click_track(120, 13, 11025), 11025)
    model = checkpoint.resolve("default")
    (first,) = load_tracks([path], model, tmp_path / "cache", progress=False)
    (kept,) = (tmp_path / "cache").iterdir()
    stamp = kept.stat().st_mtime_ns
    (second,) = load_tracks([path], model, tmp_path / "cache", progress=False)
    assert kept.stat().st_mtime_ns == stamp
    assert len(first.windows) == len(second.windows) > 1
    for one, other in zip(first.windows, second.windows, strict=True):
        np.testing.assert_array_equal(one.features, other.features)
        assert (one.weight, one.start) == (other.weight, other.start)
    np.testing.assert_array_equal(first.strength, second.strength)
    assert first.grid == second.grid
    assert first.bpm == second.bpm == read_track(kept).bpm == pytest.approx(120, abs=0.1)
