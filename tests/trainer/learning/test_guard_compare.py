"""Tests of the guard set, and of the comparison that decides about installing a model."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tempo_core import checkpoint
from tempo_core.config import FrontEnd
from tempo_core.errors import CheckpointError, ConfigError
from tests.audio import drum_pattern, write_audio
from trainer.evaluation.metrics import acc1, acc2
from trainer.inputs.recordings import Recording
from trainer.learning import compare
from trainer.learning import guard as guards
from trainer.learning.compare import ComparisonVerdict, Errors, Guarded, PairedShare, paired
from trainer.making.guard import collect
from trainer.synthesis.styles import STYLES

MODEL = checkpoint.load(checkpoint.resolve("shipped"))


@pytest.mark.slow
def test_the_set_in_the_package() -> None:
    guard = guards.load(MODEL)
    (path,) = guards.FOLDER.glob("guard-*.safetensors")
    assert path.stat().st_size < 1_500_000
    assert Counter(guard.styles) == {style.name: 3 for style in STYLES}
    replay, rest = guard.part(replay=True), guard.part(replay=False)
    assert (len(replay), len(rest)) == (68, 136)
    assert set(replay.styles) == set(rest.styles) == set(guard.styles)
    answers = compare.guard_answers(guard, MODEL)
    assert acc2(guard.bpm, answers) > 0.98
    # Means in place of the network's maxima give 0.85: less than this is not the trained network.
    assert acc1(rest.bpm, compare.guard_answers(rest, MODEL)) > 0.88


def test_written_and_read_it_is_the_same(tmp_path: Path) -> None:
    recordings = []
    for k, bpm in enumerate((100, 128)):
        audio = drum_pattern(bpm, 13, 22050, "rock", np.random.default_rng(k))
        path = write_audio(tmp_path / f"{k}.wav", audio, 22050)
        recordings.append(Recording(path, "synthesis:rock", ((bpm, 1.0),), "test", str(k)))
    made = collect(recordings, MODEL)
    path = guards.save(made, MODEL, tmp_path)
    read = guards.load(MODEL, path)
    assert read.bpm == (100, 128)
    step = np.ptp(made.maps) / (guards.N_LEVELS - 1)
    assert np.abs(read.maps - made.maps).max() <= 0.51 * step
    np.testing.assert_allclose(read.statistics, made.statistics, atol=2e-3, rtol=1e-3)
    same = [compare.guard_answers(g, MODEL) for g in (made, read)]
    np.testing.assert_allclose(same[0], same[1], rtol=0.01)


def test_damaged_or_of_another_front_end(tmp_path: Path) -> None:
    (path,) = guards.FOLDER.glob("guard-*.safetensors")
    broken = tmp_path / path.name
    broken.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="does not match its name"):
        guards.load(MODEL, broken)
    other = dataclasses.replace(MODEL, front_end=FrontEnd(n_fft=2048))
    with pytest.raises(CheckpointError, match="made for the front end"):
        guards.load(other)
    with pytest.raises(CheckpointError, match="is not a usable guard set"):
        guards.load(MODEL, tmp_path / "guard-00000000.safetensors")


def test_a_pair_by_whole_groups() -> None:
    before, after = np.zeros(40), np.ones(40)
    assert paired(before, after, ["a"] * 20 + ["b"] * 20).p_better == 1
    same = paired(after, after, list(map(str, range(40))))
    assert (same.p_better, same.interval, same.n) == (0, (0, 0), 40)
    # 20 better of one artist, 20 worse of another: that is two observations, not forty.
    mixed = np.r_[np.ones(20), np.zeros(20)]
    even = paired(1 - mixed, mixed, ["a"] * 20 + ["b"] * 20)
    assert even.interval == (-1, 1)
    assert even.p_better == pytest.approx(0.25, abs=0.05)
    with pytest.raises(ConfigError, match="nothing to compare"):
        paired([], [], [])


def pair(before: float, after: float, p_better: float = 0.99) -> PairedShare:
    return PairedShare(100, before, after, (0, 0), p_better)


@pytest.mark.parametrize(
    ("own", "rate", "installs", "told"),
    [
        (pair(0.8, 0.9), pair(0.99, 0.985), True, "has unlearned nothing"),
        (pair(0.8, 0.9), pair(0.99, 0.98), True, "has unlearned nothing"),
        (pair(0.8, 0.9), pair(0.99, 0.97), False, "finds the rate of other music less often"),
        (pair(0.8, 0.82, 0.7), pair(0.99, 1.0), False, "may be chance"),
        (pair(0.8, 0.8, 0.0), pair(0.99, 1.0), False, "no better"),
        (pair(0.8, 0.7, 0.0), pair(0.99, 1.0), False, "it is worse"),
    ],
)
def test_the_verdict(own: PairedShare, rate: PairedShare, installs: bool, told: str) -> None:
    guard = Guarded("guard set", rate, pair(0.9, 0.2))
    verdict = ComparisonVerdict(own, Errors(1, 1), Errors(1, 1), (guard,))
    assert verdict.installable == installs
    assert told in verdict.reason()


def test_every_guard_counts() -> None:
    good, bad = (Guarded(n, pair(0.9, x), pair(1, 1)) for n, x in (("a", 0.9), ("b", 0.8)))
    verdict = ComparisonVerdict(pair(0.8, 0.9), Errors(1, 1), Errors(1, 1), (good, bad))
    assert not verdict.installable
    assert "(b:" in verdict.reason()
