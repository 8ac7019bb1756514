"""Tests of recordings with known beats, and of the examples made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempo_core.config import FrontEnd
from tempo_core.tasks.beats.bars import BARS
from trainer.making.beat_tracks import (
    BeatTrack,
    bar_target,
    counted,
    example,
    read_beat_charts,
    read_beat_clips,
    usable_octaves,
)

FPS, N_PHASES = FrontEnd().fps, 24


def track(
    bpm: float = 120.0, first: float = 0.2, downbeat: int | None = 2, metre: int = 4
) -> BeatTrack:
    beats = np.arange(first, 30, 60 / bpm)
    known = downbeat is not None
    return BeatTrack(Path("x"), "train", bpm, beats, downbeat, metre if known else None)


def ticking(of: BeatTrack) -> np.ndarray:
    features = np.full((40, round(30 * FPS)), 1e-3, np.float16)
    for time in of.beats:
        features[:, round(time * FPS)] = 1.0
    return features


def test_targets_lie_where_the_onsets_are() -> None:
    rng = np.random.default_rng(1)
    one = track(downbeat=None)
    features, found = ticking(one), 0
    for _ in range(20):
        drawn = example(one, features, FPS, 16, N_PHASES, np.ones((40, 1), np.float32), rng)
        if drawn is None or drawn.beats.sum() < 12:
            continue
        onsets = drawn.fold[20:].mean(axis=0)
        rows = drawn.beats.sum(axis=1) > 0
        off = (onsets.argmax(axis=1) - drawn.beats.argmax(axis=1) + 12) % N_PHASES - 12
        every_second = onsets[rows].max(axis=1) > 0.1  # at double time there is no onset between
        assert np.abs(off[rows][every_second]).max() <= 2
        assert not drawn.bars.any()
        found += 1
    assert found > 10


@pytest.mark.parametrize("begin", [0.0, 0.45, 3.3])
def test_bars_are_counted_from_the_rows_of_the_fold(begin: float) -> None:
    one = track(first=0.2, downbeat=2)
    target = bar_target(one, begin, 0.5, 16)
    (k,) = np.flatnonzero(target)
    length, first = BARS[k]
    assert length == 4
    downs = one.beats[2::4]
    rows = np.floor((downs[downs > begin] - begin) / 0.5).astype(int)
    assert (rows % 4 == first).all()


def test_bars_of_two_begin_at_either_of_two_beats_of_four() -> None:
    target = bar_target(track(metre=2, downbeat=0), 0.0, 0.5, 16)
    assert sorted(target[target > 0].tolist()) == [0.5, 0.5]
    assert all(BARS[k][0] == 4 for k in np.flatnonzero(target))


def test_half_the_tempo_needs_the_bar() -> None:
    assert 0.5 in usable_octaves(track(downbeat=2))
    assert 0.5 not in usable_octaves(track(downbeat=None))
    assert 0.5 not in usable_octaves(track(metre=3))


def test_beats_at_half_and_double_the_tempo() -> None:
    one = track(downbeat=3)
    assert counted(one, 0.5)[0] == pytest.approx(one.beats[1])  # the parity of the downbeat
    assert np.allclose(np.diff(counted(one, 2)), 0.25)
    assert np.isin(one.beats, counted(one, 2)).all()


def test_tables_are_read(tmp_path: Path) -> None:
    (tmp_path / "clips.tsv").write_text(
        "file\tsplit\tbpm\tbeats\tfirst_beat\tdownbeat\n"
        "a.ogg\ttrain\t120\t4\t0.25\t1.25\nb.ogg\tvalidation\t90\t3\t0.1\t0.1\n"
    )
    one, other = read_beat_clips(tmp_path)
    assert (one.downbeat, one.metre, one.split, one.beats[0]) == (2, 4, "train", 0.25)
    assert (other.downbeat, other.metre) == (0, 3)
    (tmp_path / "a.beats").write_text("0.1\n0.6\n")
    rows = [
        "a.opus\ttrain\thigh\t120\ta.beats\t",
        "b.opus\ttrain\tlow\t120\ta.beats\t",
        "c.opus\ttrain\thigh\t120\t\t",
        "d.opus\ttrain\thigh\t120\ta.beats\tyes",
    ]
    (tmp_path / "charts.tsv").write_text(
        "\n".join(["file\tsplit\ttrust\tbpm\tbeats\tdoubtful", *rows]) + "\n"
    )
    assert [t.path.name for t in read_beat_charts(tmp_path)] == ["a.opus"]
    assert [t.path.name for t in read_beat_charts(tmp_path, ("low",))] == ["b.opus"]
