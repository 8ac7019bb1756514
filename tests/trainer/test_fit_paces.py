"""Training the pace network, its figures, and fitting it to somebody's statements."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from tempo_core import Estimator, checkpoint, installed
from tempo_core.cli import main as cli
from tempo_core.config import FrontEnd, PaceModel, TempoGrid, Windows
from tempo_core.errors import ConfigError, LabelError
from tempo_core.paces import SAME
from tests.audio import click_track, write_audio
from trainer import adapt_paces
from trainer.adapt_paces import MIN_TRACKS, fit_paces
from trainer.dataset import Recording
from trainer.fit_paces import Recipe, Sampler, calibrate, finish, fit, group_of, judged, save
from trainer.pace_data import Case, Track, load_tracks, manual_case, read_track, song_case
from trainer.pace_report import area_under_curve, balanced_accuracy, by_tempo, profile
from trainer.pace_truth import Score

FRONT_END, WINDOWS, GRID, MODEL = FrontEnd(), Windows(), TempoGrid(), PaceModel()


def track(bpm: float, seed: int = 0) -> Track:
    """Beats of noise with little sound between: one pulse, at `bpm`."""
    rng = np.random.default_rng(seed)
    n_frames = round(20 * FRONT_END.fps)
    features = 0.05 * rng.random((40, n_frames))
    for time in np.arange(0.1, 20, 60 / bpm):
        frame = round(time * FRONT_END.fps)
        features[:, frame : frame + 4] += rng.random((40, 1))
    features /= features.mean()
    zeros = np.zeros(GRID.n_bins, np.float32)
    return Track(features.astype(np.float16), zeros, bpm)


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


def sampler(recipe: Recipe, sources: list[list[Case]]) -> Sampler:
    return Sampler(sources, recipe, FRONT_END, WINDOWS, GRID, MODEL)


def test_batches_hold_the_groups_in_their_shares() -> None:
    recipe = Recipe(batch=32, groups=(0.0, 0.75, 0.25))
    batches = sampler(recipe, [cases(6)])
    drawn = [group for _ in range(4) for group in batches.batch()]
    targets = torch.cat([targets for _, _, targets in drawn])
    assert len(targets) == 128
    # Half of the beat is compatible, ¾ and 3/2 of it are not.
    assert float((targets >= 0.5).float().mean()) == pytest.approx(0.75, abs=0.12)
    for folds, known, found in drawn:
        assert folds.shape[1:] in [(40, 16, 24), (40, 8, 24), (40, 4, 24)]
        assert len(folds) == len(known) == len(found)
        assert torch.isfinite(folds).all()


def test_groups_of_candidates() -> None:
    assert [group_of(t, 120.0) for t in (121, 60, 240, 30, 360, 180, 90, 77)] == [
        0, 1, 1, 1, 1, 2, 2, 2,
    ]  # fmt: skip


def test_the_same_seed_draws_the_same() -> None:
    one, two, other = (
        sampler(Recipe(batch=8, seed=seed), [cases(3)]).batch()[0][0] for seed in (0, 0, 1)
    )
    assert torch.equal(one, two)
    assert one.shape != other.shape or not torch.equal(one, other)


def test_a_trained_network_tells_paces_apart_and_is_used(tmp_path: Path) -> None:
    """Not by being told the headline: from what the folds look like."""
    recipe = Recipe(steps=30, batch=12, no_headline=1.0, mask=0.0)
    network = fit(sampler(recipe, [cases(6)]), FRONT_END, MODEL, recipe)
    reference = checkpoint.load(checkpoint.resolve("default"))
    done = finish(network, cases(3), reference, MODEL)
    unseen = [replace(case, track=track(case.headline, 100 + k)) for k, case in enumerate(cases(3))]
    scores = np.concatenate([judged(case, done) for case in unseen])
    targets = np.concatenate([case.targets for case in unseen])
    assert area_under_curve(scores, targets) > 0.9
    path = save(done, {"summary": "a test"}, tmp_path)
    assert checkpoint.load(path, "pace").card == {"summary": "a test"}
    clicks = write_audio(tmp_path / "a.wav", click_track(120, 30), 22050)
    assert Estimator(pace_model=path).estimate(clicks).paces


def test_calibration_makes_probabilities_true() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 4000)
    targets = (rng.random(4000) < 1 / (1 + np.exp(-(0.5 * logits - 1)))).astype(float)
    slope, offset = calibrate(1 / (1 + np.exp(-logits)), targets)
    assert slope == pytest.approx(0.5, abs=0.06)
    assert offset == pytest.approx(-1, abs=0.12)


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


def test_a_network_that_learned_the_contrary_makes_no_model() -> None:
    recipe = Recipe(steps=30, batch=12, no_headline=1.0, mask=0.0)
    contrary = [replace(c, targets=1 - c.targets, score=None) for c in cases(6)]
    network = fit(sampler(recipe, [contrary]), FRONT_END, MODEL, recipe)
    reference = checkpoint.load(checkpoint.resolve("default"))
    with pytest.raises(ConfigError, match="cannot be calibrated: the slope is -"):
        finish(network, cases(3), reference, MODEL)


def test_songs_say_what_is_known_and_no_more() -> None:
    song = Recording(Path("a"), "songs", ((120.0, 1.0),), "train", "x", (240.0,))
    case = song_case(track(120), song, 120.0, GRID)
    known = {round(t / 120, 2): target for t, target in zip(case.tempi, case.targets, strict=True)}
    assert known[1.0] == known[2.0] == 1
    assert known[1.5] == known[0.75] == 0
    assert np.isnan(known[0.5])  # nobody said so, nobody denied it


def test_a_manual_statement_is_complete() -> None:
    case = manual_case(track(120), (60.0, 200.0), GRID)
    compatible = sorted(t for t, x in zip(case.tempi, case.targets, strict=True) if x == 1)
    assert compatible == pytest.approx([60, 200])
    assert not np.isnan(case.targets).any()
    assert any(abs(t / 120 - 1) <= SAME and x == 0
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


@pytest.fixture
def labelled(tmp_path: Path) -> list[tuple[Path, tuple[float, ...]]]:
    """Clicks of somebody who moves at half of every tempo, and only so."""
    tracks = []
    for k in range(MIN_TRACKS):
        bpm = 100.0 + 5 * k
        path = write_audio(tmp_path / f"{k}.wav", click_track(bpm, 14, 11025), 11025)
        tracks.append((path, (bpm / 2,)))
    return tracks


def test_statements_change_the_model(
    labelled: list[tuple[Path, tuple[float, ...]]], tmp_path: Path
) -> None:
    model, tempo = checkpoint.resolve("default", "pace"), checkpoint.resolve("default")
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"")
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    songs = [*labelled, (broken, (80.0,)), (pipe, (80.0,))]
    found = fit_paces(songs, model, tempo, tmp_path / "c", tmp_path / "o")
    assert found.n_tracks == MIN_TRACKS
    assert [path for path, _ in found.failed] == [broken, pipe]
    assert "empty" in found.failed[0][1]
    assert found.after.surprise < found.before.surprise
    assert found.after.accuracy > found.before.accuracy
    path, (half,) = labelled[3]

    def probability(pace_model: Path) -> float:
        paces = Estimator(pace_model=pace_model).estimate(path).paces
        return next(p.probability for p in paces if abs(p.bpm / (2 * half) - 1) <= SAME)

    assert probability(found.path) < probability(model) - 0.2


def test_too_few_statements_are_refused(
    labelled: list[tuple[Path, tuple[float, ...]]], tmp_path: Path
) -> None:
    model, tempo = checkpoint.resolve("default", "pace"), checkpoint.resolve("default")
    with pytest.raises(LabelError, match=f"2 usable tracks .* at least {MIN_TRACKS} are needed"):
        fit_paces(labelled[:2], model, tempo, tmp_path / "c", tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_features_are_kept_and_read_again(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.wav", click_track(120, 13, 11025), 11025)
    model = checkpoint.resolve("default")
    (first,) = load_tracks([path], model, tmp_path / "cache", progress=False)
    (kept,) = (tmp_path / "cache").iterdir()
    stamp = kept.stat().st_mtime_ns
    (second,) = load_tracks([path], model, tmp_path / "cache", progress=False)
    assert kept.stat().st_mtime_ns == stamp
    np.testing.assert_array_equal(first.features, second.features)
    assert first.bpm == second.bpm == read_track(kept).bpm == pytest.approx(120, abs=0.1)


@pytest.fixture
def stated(tmp_path: Path) -> Path:
    """A table of clicks of somebody who moves at half of every tempo, and only so."""
    rows = ["path\tpaces\ttitle"]
    for k in range(MIN_TRACKS):
        bpm = 100 + 5 * k
        write_audio(tmp_path / f"{k}.wav", click_track(bpm, 14, 11025), 11025)
        rows.append(f"{k}.wav\t{bpm / 2:g}\tClicks {k}")
    table = tmp_path / "stated.tsv"
    table.write_text("\n".join(rows) + "\n")
    return table


def train(*args: object) -> Result:
    return CliRunner().invoke(cli, ["train", "--task", "pace", "--jobs", "1", *map(str, args)])


def test_paces_are_learned_from_a_table(stated: Path) -> None:
    run = train(stated, "--no-install")
    assert run.exit_code == 0, run.output
    told = run.stdout.splitlines()
    assert told[0].startswith(f"learned paces of {MIN_TRACKS} tracks: pace-")
    assert told[-1] == "not installed, as you said: it is better on your tracks"
    assert installed.active("pace") is None
    run = train(stated)
    assert run.stdout.splitlines()[-1] == "installed: it is better on your tracks"
    path = installed.active("pace")
    assert path is not None
    assert path.stem in run.stdout


def test_the_same_as_a_module(stated: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    help_ = CliRunner().invoke(adapt_paces.main, ["--help"])
    assert help_.exit_code == 0
    assert "columns path and paces" in help_.stdout
    args = [str(stated), "--no-install", "--out", str(out), "--jobs", "2", "-q"]
    run = CliRunner().invoke(adapt_paces.main, args)
    assert (run.exit_code, run.output) == (0, "")
    assert [checkpoint.load(path).task for path in out.iterdir()] == ["pace"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("path\tbpm\na.wav\t3\n", "has no column paces"),
        ("path\tpaces\na.wav\tfast\n", "line 2: 'fast' is no pace"),
        ("path\tpaces\na.wav\t87 1e9\n", "line 2: '1e9' is no pace"),
        ("path\tpaces\na.wav\tnan\n", "line 2: 'nan' is no pace"),
        ("path\tpaces\na.wav\t\n", "0 usable tracks with stated paces"),
        (None, "cannot be read"),
    ],
)
def test_a_table_that_is_none(text: str | None, told: str, tmp_path: Path) -> None:
    table = tmp_path / "t.tsv"
    if text is not None:
        table.write_text(text)
    run = train(table)
    assert run.exit_code == 1
    assert told in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_options_of_the_tempo_are_refused(stated: Path) -> None:
    run = train(stated, "--method", "fit", "--epochs", 3)
    assert run.exit_code == 2
    assert "--method, --epochs: not for --task pace" in run.stderr


def test_a_file_that_is_gone_is_named(stated: Path) -> None:
    with stated.open("a") as file:
        file.write("gone.wav\t87 174\tGone\n")
    run = train(stated, "--no-install")
    assert run.exit_code == 1
    assert run.stderr.startswith(f"{stated.parent / 'gone.wav'}: ")
    assert "learned paces of 10 tracks" in run.stdout
