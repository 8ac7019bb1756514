"""How frames become windows."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tempo_core.config import FrontEnd, Windows
from tempo_core.features import compress, mel_spectrogram, onset_strength
from tempo_core.windows import (
    fold_beats,
    group_by_length,
    sliding_windows,
    window_starts,
)
from trainer.dataset import filterbank

from ..audio import click_track

WINDOWS = Windows()
FRONT_END = FrontEnd()
FPS = FRONT_END.fps


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
    features = torch.rand(40, 200)
    windows = sliding_windows(features, 86.1, WINDOWS)
    assert windows.shape == (1, 40, 200)
    assert torch.equal(windows[0], features)


def test_windows_of_one_length_share_a_batch() -> None:
    batches = [torch.zeros(2, 40, 10), torch.zeros(1, 40, 7), torch.ones(3, 40, 10)]
    groups = group_by_length(batches)
    assert [(numbers, g.shape) for numbers, g in groups] == [
        ([0, 1, 3, 4, 5], (5, 40, 10)),
        ([2], (1, 40, 7)),
    ]
    assert groups[0][1][:, 0, 0].tolist() == [0, 0, 1, 1, 1]


def folded(signal: torch.Tensor, bpm: float, n_beats: int, start: float = 0.0) -> torch.Tensor:
    return fold_beats(signal, FPS, torch.tensor([bpm]), torch.tensor([start]), n_beats, 24)[0]


@pytest.mark.parametrize("bpm", [93.7, 127.3, 174.9, 211.1])
def test_rows_of_a_fold_stay_together(bpm: float) -> None:
    """Positions between frames: with whole frames a beat the rows drift apart."""
    samples = torch.from_numpy(click_track(bpm, 12.0, FRONT_END.sr))
    onsets = onset_strength(compress(mel_spectrogram(samples, FRONT_END, filterbank(FRONT_END))))
    n_beats = int(bpm * 12 / 60) - 1

    def coherence(rows: torch.Tensor) -> float:
        rows = rows.mean(dim=0)[1:]  # the click at time 0 is no onset
        return float(torch.corrcoef(rows)[0, 1:].mean())

    beat = round(60 * FPS / bpm)
    whole = onsets[:, : n_beats * beat].unflatten(1, (n_beats, beat))
    assert coherence(folded(onsets, bpm, n_beats)) > 0.9
    assert coherence(whole) < 0.65


def test_a_fold_keeps_the_mean_and_begins_where_it_is_told() -> None:
    ramp = torch.arange(1000.0)[None]
    rows = folded(ramp, 60.0 * FPS / 48, 4, 100.25)  # 48 frames a beat, 2 a cell
    expected = 100.25 + 2 * torch.arange(96.0) + 0.5  # the mean of frames k, k + 1 is k + ½
    torch.testing.assert_close(rows.flatten(), expected, rtol=1e-4, atol=0.05)
    assert folded(torch.ones(3, 500), 123.4, 8).sub(1).abs().max() < 1e-3
