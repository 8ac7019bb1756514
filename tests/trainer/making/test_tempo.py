"""Learning: augmentation keeps label and input together, a batch can be learned, a run ends in a
model that estimates."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from tempo_core import Estimator, checkpoint
from tempo_core.audio import AudioFile
from tempo_core.config import FrontEnd, Windows
from tempo_core.task import Batch
from tempo_core.tasks.tempo.axis import answerable
from tempo_core.tasks.tempo.config import Model, TempoConfig
from tempo_core.tasks.tempo.decode import activate, encode, highest
from tempo_core.tasks.tempo.network import Member
from tempo_core.tasks.tempo.periodicity import N_MAPS
from tempo_core.tasks.tempo.view import view
from tests.audio import drum_pattern, write_audio
from trainer.evaluation.answers import Answer
from trainer.evaluation.calibration import calibrate
from trainer.evaluation.figures import figures_of
from trainer.evaluation.history import curve, read_history
from trainer.evaluation.labelled import read_source
from trainer.evaluation.metrics import progress
from trainer.inputs import augment
from trainer.inputs.cache import Views
from trainer.inputs.hearing import hear
from trainer.inputs.recordings import (
    Recording,
    apart,
    read_charts,
    read_clips,
    read_consensus,
    read_rhythm,
    read_songs,
)
from trainer.inputs.views import STRETCH_MARGIN, load_views, views_of
from trainer.making import tempo as fit
from trainer.tasks import tempo
from trainer.torch_ops import Learnable

FRONT_END, WINDOWS, CONFIG = FrontEnd(), Windows(), TempoConfig()
GRID = CONFIG.grid
SHIPPED = checkpoint.resolve("shipped")


CHARTS = [  # split, trust, kind, artist, doubtful
    ("train", "high", "stepmania", "C0", ""),
    ("train", "medium", "recalled", "C1", ""),
    ("validation", "low", "beatsaber", "C2", ""),
    ("validation", "high", "taiko", "C3", "yes"),
    ("train", "low", "clonehero", "a 2", ""),  # as of a song that is held out
    ("validation", "medium", "taiko", "C5", ""),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of training data as the commands expect it, with few short recordings."""
    root = tmp_path_factory.mktemp("data")
    tempi = [84, 96, 108, 120, 132, 144]
    for k, bpm in enumerate(tempi):
        audio = drum_pattern(bpm, 13, 22050, "rock", np.random.default_rng(k))
        write_audio(root / f"{k}.ogg", audio, 22050)
    split = ["train", "train", "validation", "train", "train", "validation"]
    songs = ["file\tsplit\tartist\ttitle\tgenre\tbpm\tbpm_published\talt\talt_kind\tkey"]
    rhythm = ["file\tsplit\tsong\tbpm\tdoubtful"]
    for k, bpm in enumerate(tempi):
        alternatives = f"{bpm / 2};{bpm * 2}" if k == 2 else ""
        songs.append(f"{k}.ogg\t{split[k]}\tA{k}\tT\tpop\t{bpm}\t{bpm}\t{alternatives}\t\t")
        rhythm.append(f"{k}.ogg\t{split[k]}\tS{k}\t{bpm}\t{'yes' if k == 0 else ''}")
    (root / "songs.tsv").write_text("\n".join(songs) + "\n")
    (root / "rhythm.tsv").write_text("\n".join(rhythm) + "\n")
    (root / "consensus.tsv").write_text(
        "file\tbpm\tother_bpm\tagreement\n0.ogg\t84\t\tagree\n1.ogg\t96\t192\toctave\n"
    )
    charts = ["file\tsplit\tkind\ttrust\tartist\ttitle\tgenre\tbpm\tbeats\tdoubtful"]
    for k, (split_, trust, kind, artist, doubtful) in enumerate(CHARTS):
        charts.append(
            f"{k}.ogg\t{split_}\t{kind}\t{trust}\t{artist}\tT\tpop\t{tempi[k]}\t\t{doubtful}"
        )
    (root / "charts.tsv").write_text("\n".join(charts) + "\n")
    rows = ["file\tstyle\tbpm", *(f"{k}.ogg\trock\t{bpm}" for k, bpm in enumerate(tempi))]
    (root / "clips.tsv").write_text("\n".join(rows) + "\n")
    return root


@pytest.mark.slow
def test_tables(folder: Path) -> None:
    assert [r.bpm for r in read_songs(folder)] == [84, 96, 108, 120, 132, 144]
    assert read_songs(folder)[2].alternatives == (54.0, 216.0)
    assert len(read_rhythm(folder)) == 5
    assert len(read_rhythm(folder, doubtful=True)) == 6
    agree, octave = read_consensus(folder)
    assert [bpm for bpm, _ in agree.tempi] == [84, 168, 42]
    assert octave.tempi == ((96, 0.5), (192, 0.5))
    assert {r.split for r in read_clips(folder)} == {"train", "validation"}


def test_how_sure_the_octave_of_a_chart_is_follows_from_its_trust(folder: Path) -> None:
    high, medium, low, *_ = charts = read_charts(folder, {"high": 1.0, "medium": 0.6, "low": 0.25})
    assert [r.bpm for r in charts] == [84, 96, 108, 132, 144]
    assert [r.source for r in charts[:3]] == ["charts:high", "charts:medium", "charts:low"]
    assert high.tempi == ((84, 1.0),)
    assert dict(medium.tempi) == pytest.approx({96: 0.6, 192: 0.2, 48: 0.2})
    assert medium.tempi[0][0] == 96
    assert dict(low.tempi) == pytest.approx({108: 0.25, 216: 0.375, 54: 0.375})
    assert len(read_charts(folder, doubtful=True)) == 6
    assert {len(r.tempi) for r in read_charts(folder)} == {1}


def test_nothing_is_learned_from_artists_that_another_table_holds_out(folder: Path) -> None:
    recordings = [*read_songs(folder), *read_charts(folder)]
    left = apart(recordings)
    assert [r.group for r in recordings if r not in left] == ["a 2"]


def test_charts_are_measured_by_their_labels_and_by_trust(folder: Path) -> None:
    tracks, _ = read_source(folder)
    found = [(t.set, t.genre, t.bpm, t.alternatives) for t in tracks if t.set[:6] == "charts"]
    assert found == [
        ("charts high", "stepmania", 84, ()),
        ("charts low", "beatsaber", 108, ()),
        ("charts low", "clonehero", 132, ()),
        ("charts medium", "taiko", 144, ()),
    ]
    answers = [Answer(**vars(t), estimator="one", estimate=t.bpm) for t in tracks]
    sets = figures_of(answers)["one"].sets
    assert sets["charts high and medium"].n == 2


@pytest.mark.parametrize("shift", [-STRETCH_MARGIN, -5, 0, 7, STRETCH_MARGIN])
def test_a_stretch_moves_the_map_and_the_label_alike(tmp_path: Path, shift: int) -> None:
    audio = drum_pattern(110, 14, 22050, "house", np.random.default_rng(0))
    views = views_of(write_audio(tmp_path / "a.wav", audio, 22050), FRONT_END, WINDOWS, GRID)
    change = augment.Augmentation(shift, np.zeros(40, np.float32), slice(0, 0))
    moved = augment.apply_to_map(views.maps[0], change)
    assert moved.shape == (N_MAPS, 40, GRID.n_bins)
    mean = moved.mean(axis=1)
    found = GRID.bpm_min * 2 ** (int((np.maximum(mean[0], 0) * mean[1]).argmax()) / 36)
    label = 110 * change.stretch(GRID.bins_per_octave)
    ratio = found / label
    nearest = min((0.5, 1, 2, 4), key=lambda k: abs(math.log(ratio / k)))
    assert ratio == pytest.approx(nearest, rel=0.025)


def test_augmentation_leaves_the_cached_arrays_alone() -> None:
    rng = np.random.default_rng(0)
    maps = rng.random((N_MAPS, 40, GRID.n_bins + 2 * STRETCH_MARGIN)).astype(np.float16)
    statistics = rng.random(160).astype(np.float32)
    before = maps.copy(), statistics.copy()
    for _ in range(20):
        change = augment.draw(rng, 40)
        augment.apply_to_map(maps, change)
        augment.apply_to_statistics(statistics, change)
    np.testing.assert_array_equal(maps, before[0])
    np.testing.assert_array_equal(statistics, before[1])


def test_cached_views_are_fresh_views_bit_for_bit(folder: Path, tmp_path: Path) -> None:
    recordings = read_songs(folder)[:2]
    fresh = load_views(recordings, FRONT_END, WINDOWS, GRID, tmp_path, jobs=1)
    cached = load_views(recordings, FRONT_END, WINDOWS, GRID, tmp_path, jobs=1)
    for a, b in zip(fresh, cached, strict=True):
        np.testing.assert_array_equal(a.maps, b.maps)
        np.testing.assert_array_equal(a.statistics, b.statistics)
        assert a.n_full == b.n_full
    other = load_views(recordings, FRONT_END, Windows(8.0, 4.0), GRID, tmp_path, jobs=1)
    assert other[0].maps.shape != fresh[0].maps.shape or other[0].n_full != fresh[0].n_full


def test_training_sees_what_the_estimator_sees(tmp_path: Path) -> None:
    """Training and use have the same windows with the same weights, whatever silence is around."""
    sr = FRONT_END.sr
    song = drum_pattern(104, 26, sr, "rock", np.random.default_rng(1))
    audio = np.concatenate([np.zeros(5 * sr, np.float32), song, np.zeros(7 * sr, np.float32)])
    path = write_audio(tmp_path / "a.wav", audio, sr)
    views = views_of(path, FRONT_END, WINDOWS, GRID)
    seen = fit.full_windows(views)
    model = fit.new_model(FRONT_END, WINDOWS, CONFIG, checkpoint.load(SHIPPED).network)
    with AudioFile(path) as file:
        heard = hear(file, sr, WINDOWS, None)
    (batch,) = view(heard, {}, model)
    assert len(seen.which) == views.n_full == len(batch.which) == 4
    np.testing.assert_allclose(seen.inputs[0], batch.inputs[0], atol=2e-3)  # half precision
    np.testing.assert_allclose(seen.inputs[1], batch.inputs[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(seen.weights, batch.weights, rtol=1e-6)
    assert heard.n_seconds == pytest.approx(26, abs=0.2)
    assert fit.full_windows(views, weighed=False).weights.tolist() == [1.0] * 4


def test_unclear_windows_are_drawn_less_often_but_are_drawn() -> None:
    n = 4
    maps = np.zeros((n, N_MAPS, 40, GRID.n_bins + 2 * STRETCH_MARGIN), np.float16)
    maps += np.arange(n)[:, None, None, None]
    clarity = np.array([1.0, 1.0, 0.5, 0.02], np.float32)
    views = Views(maps, np.zeros((n, 160), np.float32), n, clarity)
    song = Recording(Path("a"), "songs", ((120.0, 1.0),), "train", "A")

    def counts(weighed: bool) -> np.ndarray:
        rng = np.random.default_rng(0)
        drawn = [
            fit.example(song, views, CONFIG, rng, fit.DrawOptions(None, weighed=weighed))[0].max()
            for _ in range(1300)
        ]
        return np.bincount(np.array(drawn, int), minlength=n)

    np.testing.assert_allclose(counts(True), [500, 500, 250, 50], atol=60)
    np.testing.assert_allclose(counts(False), [325] * 4, atol=60)


def test_no_example_is_stretched_further_than_the_recipe_says() -> None:
    rng = np.random.default_rng(0)
    views = Views(
        rng.random((2, N_MAPS, 40, GRID.n_bins + 2 * STRETCH_MARGIN)).astype(np.float16),
        rng.random((2, 160)).astype(np.float32), 2,
    )  # fmt: skip
    song = Recording(Path("a"), "songs", ((120.0, 1.0),), "train", "A")
    for stretched in (0, 3, STRETCH_MARGIN):
        recipe = fit.TempoRecipe(batch=200, stretched=stretched)
        targets = fit.WindowSampler([song], [views], CONFIG, recipe).draw(rng)[2]
        centre = 36 * math.log2(120 / GRID.bpm_min)
        moved = (targets[:, 0].argmax(dim=1) - centre).abs()
        assert stretched - 1 < moved.max() <= stretched + 0.5


@pytest.mark.slow
def test_one_batch_can_be_learned() -> None:
    torch.manual_seed(0)
    network = Learnable(
        Member(FRONT_END, TempoConfig(GRID, Model(channels=(8, 8, 8), dropout=0.0)))
    )
    maps, statistics = torch.rand(6, N_MAPS, 40, GRID.n_bins), torch.rand(6, 160)
    tempi = [70.0, 90.0, 110.0, 130.0, 150.0, 170.0]
    targets = torch.from_numpy(np.stack([encode([(bpm, 1.0)], CONFIG) for bpm in tempi]))
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    unanswerable = torch.from_numpy(~answerable(GRID))
    for _ in range(150):
        logits = network(maps, statistics).masked_fill(unanswerable, -torch.inf)
        loss = tempo.loss(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = [highest(row, GRID).bpm for row in activate(logits.detach().numpy(), CONFIG)]
    np.testing.assert_allclose(found, tempi, rtol=0.04)


def test_how_good_it_is_by_now_is_logged(tmp_path: Path) -> None:
    """Figures on held-out recordings are logged in both phases, as one curve."""
    rng = np.random.default_rng(0)
    views = Views(
        rng.random((2, N_MAPS, 40, GRID.n_bins + 2 * STRETCH_MARGIN)).astype(np.float16),
        rng.random((2, 160)).astype(np.float32), 2,
    )  # fmt: skip
    song = Recording(Path("a"), "songs", ((120.0, 1.0),), "train", "A")
    phases = (fit.Phase(2, 1e-3, False), fit.Phase(3, 1e-3, True))
    recipe = fit.TempoRecipe(phases=phases, batch=2, shares=(("songs", 1.0),))
    config = TempoConfig(GRID, Model(channels=(4, 4, 4), n_rate=8))
    log = tmp_path / "member.jsonl"
    network = fit.fit(
        fit.WindowSampler([song], [views], CONFIG, recipe),
        lambda: Learnable(Member(FRONT_END, config)),
        recipe,
        log,
        fit.validation([song], [views], CONFIG),
    )
    rows = read_history(log)
    assert [row["step"] for row in rows] == [2, 5]
    assert set(progress([120], [120])) <= set(rows[0])
    assert curve(rows, "loss", "step")[0] == curve(rows, "validation_acc1", "step")[0] == [2, 5]
    now = fit.validation([song], [views], CONFIG)(network)
    assert {name: rows[-1][name] for name in now} == pytest.approx(now)


def test_the_network_is_shift_equivariant_but_for_its_prior() -> None:
    torch.manual_seed(0)
    network = Learnable(Member(FRONT_END, CONFIG)).eval()
    with torch.no_grad():
        for parameter in network.get_submodule("prior").parameters():
            parameter.zero_()
    maps, statistics = torch.zeros(1, N_MAPS, 40, GRID.n_bins), torch.zeros(1, 160)
    maps[..., 80:100] = torch.rand(1, N_MAPS, 40, 20)
    with torch.inference_mode():
        here = network(maps, statistics)
        there = network(torch.roll(maps, 9, dims=-1), statistics)
    # Away from the edges, where a ratio's copy runs off the axis.
    torch.testing.assert_close(here[:, 85:95], there[:, 94:104], atol=1e-4, rtol=1e-3)


def test_the_parameter_count_is_what_the_docs_say() -> None:
    n = sum(p.numel() for p in Learnable(Member(FRONT_END, CONFIG)).parameters())
    assert n == N_PARAMETERS


N_PARAMETERS = 70_273


@pytest.mark.slow
def test_two_steps_of_training_make_a_model_that_estimates(folder: Path, tmp_path: Path) -> None:
    def train(out: str) -> Path:
        args = ["--data", folder, "--clips", folder, "--cache", tmp_path / "cache", "--steps", 2,
                "--out", tmp_path / out, "--jobs", 1, "--seed", 3, "--members", 1]  # fmt: skip
        result = CliRunner().invoke(fit.main, [str(a) for a in args])
        assert result.exit_code == 0, result.output
        (path,) = (tmp_path / out).glob("tempo-*.safetensors")
        return path

    path = train("a")
    assert train("b").name == path.name  # the same seed, the same weights
    members = list((tmp_path / "a").glob("member-*.safetensors"))
    assert len(members) == 1
    changed = [m.stat().st_mtime_ns for m in members]
    assert train("a").name == path.name  # finished members are not trained again
    assert [m.stat().st_mtime_ns for m in members] == changed
    assert 30 <= Estimator(model=path).estimate(folder / "3.ogg").bpm <= 300
    assert checkpoint.load(path).card["data"] == {
        "songs": 4,
        "rhythm": 3,
        "charts": 2,
        "consensus": 2,
        "synthesis": 5,
    }


@pytest.mark.slow
def test_learning_goes_on_from_the_members_of_a_model(folder: Path, tmp_path: Path) -> None:
    """After one step the weights are nearly those of the second member of the shipped model."""
    args = ["--data", folder, "--clips", folder, "--cache", tmp_path / "cache", "--steps", 1,
            "--out", tmp_path / "out", "--jobs", 1, "--seed", 1, "--members", 1,
            "--begin", "shipped"]  # fmt: skip
    result = CliRunner().invoke(fit.main, [str(a) for a in args])
    assert result.exit_code == 0, result.output
    (path,) = (tmp_path / "out").glob("tempo-*.safetensors")
    made, shipped = checkpoint.load(path), checkpoint.load(SHIPPED)
    assert made.card["recipe"]["begun_from"] == shipped.hash
    before, after = fit.member_weights(shipped, 1), fit.member_weights(made, 0)
    np.testing.assert_allclose(after["peak.weight"], before["peak.weight"], atol=1e-3)
    assert any((after[name] != before[name]).any() for name in after)


def test_calibration_takes_overconfidence_back() -> None:
    """Calibration lowers the confidence of a network that is always sure and half right."""
    logits = np.zeros((1, GRID.n_bins), np.float32)
    logits[0, 90:94] = 12.0
    bpm = GRID.bpm_min * 2 ** (91.5 / 36)
    scored = [(Batch((), np.zeros(1, int), np.ones(1)), activate(logits, CONFIG))]
    recordings = [
        Recording(Path("x"), "songs", ((bpm * k, 1.0),), "validation", "a") for k in (1.0, 1.5) * 5
    ]
    assert calibrate(recordings, [scored] * 10, CONFIG) > 1.5
    assert calibrate(recordings[::2], [scored] * 5, CONFIG) < 1.5
