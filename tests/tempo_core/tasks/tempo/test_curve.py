"""Tests of the tempo over time: of music whose tempo is known at every moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tempo_core import ConfigError, Estimator
from tempo_core.audio import Recorded
from tempo_core.tasks.tempo.axis import place, tempo_axis
from tempo_core.tasks.tempo.config import TempoGrid
from tempo_core.tasks.tempo.course import TempoPoint, tempo_range
from tempo_core.tasks.tempo.curve import _path, _support, counted_at
from tempo_core.tasks.tempo.decode import Tempo
from tests.audio import Audio, click_track, drum_pattern, warped, write_audio

SR = 11025
GRID = TempoGrid()


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator(tasks=["tempo"], windows="all")


def heard(estimator: Estimator, audio: Audio) -> Tempo:
    found: Tempo = estimator._listen(Recorded(audio, SR))["tempo"]
    return found


def band(bpm: float, duration: float, style: str = "rock") -> Audio:
    return drum_pattern(bpm, duration, SR, style, np.random.default_rng(0))


def tempi(points: Sequence[TempoPoint]) -> list[float]:
    assert all(point.bpm is not None for point in points)
    return [point.bpm or 0.0 for point in points]


def test_a_steady_track_is_a_straight_line(estimator: Estimator) -> None:
    tempo = heard(estimator, band(121, 40))
    assert tempi(tempo.curve) == pytest.approx([121] * len(tempo.curve), abs=0.2)
    assert [p.start for p in tempo.curve] == pytest.approx([0, 6, 12, 18, 24, 28], abs=0.1)
    assert all(0.8 < point.confidence <= 1 for point in tempo.curve)
    assert tempo_range(tempo.curve) is None


def test_a_drift_is_followed(estimator: Estimator) -> None:
    rate = 1 + 0.03 * np.sin(2 * np.pi * np.arange(70 * SR) / SR / 60)
    tempo = heard(estimator, warped(band(112, 74), rate))
    middles = [point.start + 6 for point in tempo.curve]
    expected = [112 * (1 + 0.03 * np.sin(2 * np.pi * time / 60)) for time in middles]
    assert tempi(tempo.curve) == pytest.approx(expected, abs=0.7)
    low, high = tempo_range(tempo.curve) or (0, 0)
    assert 108.5 < low < 110
    assert 114 < high < 115.5


@pytest.mark.parametrize(
    ("slow", "fast", "styles"),
    [
        (76, 92, ("ballad", "ballad")),
        pytest.param(90, 140, ("rock", "house"), marks=pytest.mark.slow),
    ],
)
def test_a_medley_jumps(
    estimator: Estimator, slow: float, fast: float, styles: tuple[str, str]
) -> None:
    parts = [band(slow, 36, styles[0]), band(fast, 36, styles[1])]
    tempo = heard(estimator, np.concatenate(parts))
    first = [p for p in tempo.curve if p.start <= 24]
    second = [p for p in tempo.curve if p.start >= 36]
    assert tempi(first) == pytest.approx([slow] * len(first), abs=0.3)
    assert tempi(second) == pytest.approx([fast] * len(second), abs=0.3)
    assert tempo_range(tempo.curve) == pytest.approx((slow, fast), abs=0.3)


def test_a_ritardando_is_followed(estimator: Estimator) -> None:
    rate = np.concatenate([np.ones(30 * SR), np.linspace(1, 0.7, 36 * SR)])
    tempo = heard(estimator, warped(band(120, 70), rate))
    middles = [point.start + 6 for point in tempo.curve]
    expected = [120 * np.interp(time, (30, 66), (1, 0.7)) for time in middles]
    assert tempi(tempo.curve) == pytest.approx(expected, rel=0.025)
    assert tempi(tempo.curve)[-1] < 90


def test_silence_and_noise_have_no_tempo(estimator: Estimator) -> None:
    rng = np.random.default_rng(0)
    noise = (0.2 * rng.standard_normal(24 * SR)).astype(np.float32)
    silence = np.zeros(24 * SR, np.float32)
    for between in (noise, silence):
        tempo = heard(estimator, np.concatenate([band(110, 24), between, band(110, 24)]))
        inside = [point for point in tempo.curve if 24 <= point.start <= 36]
        assert inside
        assert all(point.bpm is None and point.confidence == 0 for point in inside)
        outside = [p for p in tempo.curve if p.start <= 12 or p.start >= 48]
        assert tempi(outside) == pytest.approx([110] * len(outside), abs=0.3)
        assert tempo_range(tempo.curve) is None
    assert [point.bpm for point in heard(estimator, noise).curve] == [None] * 3


@pytest.mark.slow
def test_a_silence_that_is_left_out_is_one_point(estimator: Estimator) -> None:
    silence = np.zeros(110 * SR, np.float32)
    tempo = heard(estimator, np.concatenate([band(96, 60), silence, band(96, 60)]))
    (pause,) = [point for point in tempo.curve if point.bpm is None]
    assert pause.start == pytest.approx(60, abs=1)


def test_a_second_and_a_loop_are_one_point(estimator: Estimator) -> None:
    (point,) = heard(estimator, band(126, 1.2, "house")).curve
    assert point.start == 0
    loop = heard(estimator, band(120, 4.0, "house"))
    assert [p.bpm for p in loop.curve] == [120.0]
    assert loop.bpm == pytest.approx(120.0)


def test_the_curve_of_a_file(make_audio: Callable[..., Path]) -> None:
    path = make_audio("a.flac", bpm=126)
    with_windows = Estimator(windows=1, tasks=("tempo",))
    assert tempi(with_windows.curve(path)) == pytest.approx([126] * 3, abs=0.3)
    with pytest.raises(ConfigError, match="the tempo is not among the tasks"):
        Estimator(tasks=["key"]).curve(path)


def test_a_preferred_range_moves_the_curve() -> None:
    preferring = Estimator(tasks=["tempo"], windows="all", bpm_range=(50, 90))
    assert tempi(heard(preferring, band(124, 30, "house")).curve) == pytest.approx(
        [62] * 4, abs=0.2
    )


def peaks(*bpm: float) -> np.ndarray:
    """Posteriors with one peak each, (n_windows, n_bins)."""
    bins = np.arange(GRID.n_bins)
    rows = np.exp(-0.5 * np.square(bins - np.array([[place(b, GRID)] for b in bpm])))
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


def path_of(rows: np.ndarray, bpm: float) -> list[float]:
    support = _support(rows, bpm, GRID)
    return tempo_axis(GRID)[_path(np.log(np.maximum(support, 1e-3)), GRID)].tolist()


def test_no_window_leaves_the_octave_of_the_track() -> None:
    for other in (45, 180, 30, 270):
        for rows in (peaks(90, 90, other, 90, 90), peaks(90, 90, 90, *[other] * 4)):
            assert path_of(rows, 90) == pytest.approx([90] * len(rows), rel=0.02), other


def test_one_window_at_another_tempo_is_no_change_but_several_are() -> None:
    assert path_of(peaks(90, 90, 135, 90, 90), 90) == pytest.approx([90] * 5, rel=0.02)
    found = path_of(peaks(90, 90, 90, 140, 70, 140, 140), 90)
    assert found == pytest.approx([90] * 3 + [140] * 4, rel=0.02)


def test_counting_otherwise_moves_the_scores() -> None:
    for ratio in (0.5, 2 / 3, 2.0):
        moved = counted_at(peaks(120), ratio, GRID)
        assert tempo_axis(GRID)[moved[0].argmax()] == pytest.approx(120 * ratio, rel=0.02)


@pytest.mark.slow
def test_an_hour(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "a.flac", click_track(130, 3600, SR), SR)
    points = Estimator(tasks=["tempo"]).curve(path)
    assert len(points) > 550
    assert tempi(points) == pytest.approx([130] * len(points), abs=0.2)
    starts = np.array([point.start for point in points])
    assert (np.diff(starts) > 0).all()
    assert starts[-1] == pytest.approx(3588, abs=1)
