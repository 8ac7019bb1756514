"""Tests of folding tracks at the period of a candidate."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_core.config import FrontEnd
from tempo_core.spectrum import compress, mel_spectrogram, onset_strength
from tempo_core.tasks.folding import fold_beats, prepare
from tempo_core.tasks.pace.config import PaceModel
from tempo_core.tasks.pace.folds import folds, n_beats, places
from tests.audio import click_track
from tests.models import filterbank

FRONT_END = FrontEnd()
FPS, MODEL = FRONT_END.fps, PaceModel()


def rand(n_frames: int) -> np.ndarray:
    return np.random.default_rng(0).random((40, n_frames), np.float32)


@given(st.floats(40, 320), st.integers(100, 3000))
def test_folds_lie_inside_the_window(bpm: float, n_frames: int) -> None:
    n = n_beats(bpm, n_frames, FPS, 16)
    if n == 0:
        assert 4 * 60 * FPS / bpm > n_frames - 1e-3
        return
    assert n in (4, 8, 16)
    length = n * 60 * FPS / bpm
    for numbers in ((2,), (3, 1), (3, 2)):
        starts = places(n, bpm, n_frames, FPS, numbers)
        assert len(starts) == max([k for k in numbers if k * length <= n_frames], default=1)
        assert starts[0] >= -1e-3
        assert starts[-1] + length <= n_frames + 1e-3
        assert all(later - start >= length - 1e-3 for start, later in pairwise(starts))


def test_slow_candidates_get_fewer_rows_and_too_slow_ones_none() -> None:
    window = rand(round(12 * FPS) + 1)
    assert [f.shape[2:] for _, f in folds([window], [80.0, 60.0, 41.0], FPS, MODEL)] == [
        (16, 24), (8, 24),
    ]  # fmt: skip
    short = rand(round(3 * FPS))
    (found,) = folds([short], [60.0, 100.0], FPS, MODEL)
    assert (found[0], found[1].shape[2]) == ([1], 4)
    assert folds([short], [60.0], FPS, MODEL) == []


def test_what_is_folded_is_level_and_onsets_of_pairs_of_bands() -> None:
    window = rand(300)
    prepared = prepare(window)
    assert prepared.shape == window.shape
    compressed = compress(window)
    np.testing.assert_allclose(prepared[3], compressed[6:8].mean(axis=0), rtol=1e-5)
    onsets = onset_strength(compressed)
    np.testing.assert_allclose(prepared[23], onsets[6:8].mean(axis=0), rtol=1e-5)


def folded(signal: np.ndarray, bpm: float, n_beats: int, start: float = 0.0) -> np.ndarray:
    found = fold_beats(signal.astype(np.float32), FPS, [bpm], [start], n_beats, 24)
    assert found.dtype == np.float32
    return np.asarray(found[0])


@pytest.mark.parametrize("bpm", [93.7, 127.3, 174.9, 211.1])
def test_rows_of_a_fold_stay_together(bpm: float) -> None:
    """Rows of a fold stay in phase, since cells are cut between frames and not at whole frames."""
    samples = click_track(bpm, 12.0, FRONT_END.sr)
    onsets = onset_strength(compress(mel_spectrogram(samples, FRONT_END, filterbank())))
    n_beats = int(bpm * 12 / 60) - 1

    def coherence(rows: np.ndarray) -> float:
        rows = rows.mean(axis=0)[1:]  # the click at time 0 is no onset
        return float(np.corrcoef(rows)[0, 1:].mean())

    beat = round(60 * FPS / bpm)
    whole = onsets[:, : n_beats * beat].reshape(-1, n_beats, beat)
    assert coherence(folded(onsets, bpm, n_beats)) > 0.9
    assert coherence(whole) < 0.65


def test_a_fold_keeps_the_mean_and_begins_where_it_is_told() -> None:
    ramp = np.arange(1000.0)[None]
    rows = folded(ramp, 60.0 * FPS / 48, 4, 100.25)  # 48 frames a beat, 2 a cell
    expected = 100.25 + 2 * np.arange(96.0) + 0.5  # the mean of frames k, k + 1 is k + ½
    np.testing.assert_allclose(rows.ravel(), expected, rtol=1e-4, atol=0.05)
    assert abs(folded(np.ones((1, 500)), 123.4, 8) - 1).max() < 1e-3


def test_folds_at_several_tempi_are_as_one_by_one() -> None:
    signal = rand(1034)
    tempi, starts = [80.0, 123.4, 170.0], [3.0, 100.5, 0.25]
    together = fold_beats(signal, FPS, tempi, starts, 8, 24)
    for k, row in enumerate(together):
        np.testing.assert_array_equal(row, folded(signal, tempi[k], 8, starts[k]))
