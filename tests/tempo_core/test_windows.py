"""Tests of grouping frames into windows."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tempo_core.config import Windows
from tempo_core.windows import by_length, sliding_windows, window_spans, window_starts

WINDOWS = Windows()


@given(st.integers(1, 3000), st.integers(1, 500), st.integers(1, 400))
def test_windows_lie_inside_and_reach_the_last_frame(n_frames: int, length: int, hop: int) -> None:
    starts = window_starts(n_frames, length, hop)
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    if n_frames <= length:
        assert starts == [0]
    else:
        assert starts[-1] + length == n_frames
        assert all(b - a <= hop for a, b in itertools.pairwise(starts))


def test_a_short_track_is_one_short_window() -> None:
    features = np.random.default_rng(0).random((40, 200), np.float32)
    windows = sliding_windows(features, 86.1, WINDOWS)
    assert windows.shape == (1, 40, 200)
    np.testing.assert_array_equal(windows[0], features)


def test_windows_are_what_is_at_their_spans() -> None:
    features = np.random.default_rng(0).random((3, 2500), np.float32)
    windows = sliding_windows(features, 86.1, WINDOWS)
    spans = window_spans(2500, 86.1, WINDOWS)
    assert [last - first for first, last in spans] == [1034] * len(windows)
    for window, (first, last) in zip(windows, spans, strict=True):
        np.testing.assert_array_equal(window, features[:, first:last])
    windows[:] = 0  # copies
    assert features.all()


def test_windows_of_one_length_share_a_batch() -> None:
    windows = [np.full((40, n), k) for k, n in enumerate((10, 10, 7, 10))]
    groups = by_length(windows)
    assert [(numbers, g.shape) for numbers, g in groups] == [
        ([0, 1, 3], (3, 40, 10)),
        ([2], (1, 40, 7)),
    ]
    assert groups[0][1][:, 0, 0].tolist() == [0, 1, 3]
