"""Tests of the order of a set."""

from __future__ import annotations

import dataclasses
import random
import time
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest

from tempo_core.keys import Key
from tempo_core.mixing.energy import course
from tempo_core.mixing.path import SetTrack, best_path
from tempo_core.mixing.transitions import Counted, transition
from tests.rows import mostly_slow


def crate(n: int, rng: random.Random, low: float = 60, high: float = 190) -> list[SetTrack]:
    """Random tracks: tempo, key, whether half and double are paces, one of few artists, energy."""
    tracks = []
    for k in range(n):
        tempo = round(rng.triangular(low, high, (low + high) / 2), 2)
        paces = [tempo * ratio for ratio in (1, 0.5, 2, 1.5) if ratio == 1 or rng.random() < 0.6]
        key = None if rng.random() < 0.1 else Key(rng.randrange(12), rng.random() < 0.6)
        tracks.append(
            SetTrack(
                Counted(tempo, tuple(paces), key), k, rng.choice("abcdefgh"), rng.uniform(0, 10)
            )
        )
    return tracks


def joins(one: SetTrack, other: SetTrack, pitch: float) -> bool:
    way = transition(one.counted, other.counted, pitch)
    return way is not None and way.harmony != "clash"


def plain(tempo: float, key: int = 0, **fields: object) -> SetTrack:
    """A track with one pace in a minor key, by its number."""
    return SetTrack(Counted(tempo, (tempo,), Key(key, True)), **fields)  # type: ignore[arg-type]


def longest(tracks: list[SetTrack], pitch: float) -> int:
    """Number of tracks in the longest set, by trying all."""
    n = len(tracks)
    following = [
        [k for k in range(n) if k != a and joins(tracks[a], tracks[k], pitch)] for a in range(n)
    ]

    @lru_cache(None)
    def beyond(last: int, used: int) -> int:
        ways = [k for k in following[last] if not used >> k & 1]
        return 1 + max((beyond(k, used | 1 << k) for k in ways), default=0)

    return max(beyond(k, 1 << k) for k in range(n))


# In the last three the longest set is only found by looking for length.
@mostly_slow(("n", "seed"), [*((12, k) for k in range(8)), (14, 22), (14, 25), (14, 27)], quick=4)
def test_every_transition_mixes_and_the_set_is_as_long_as_can_be(n: int, seed: int) -> None:
    rng = random.Random(seed)
    tracks = crate(n, rng, 90, 150)
    path = best_path(tracks, n, pitch=8, curve=rng.choice(["up", "down", "wave", "flat"]))
    assert len(set(path)) == len(path) == longest(tracks, 8)
    assert all(joins(tracks[a], tracks[b], 8) for a, b in pairwise(path))


def test_half_and_double_time_join() -> None:
    tracks = [
        SetTrack(Counted(174, (174, 87), None), 0),
        SetTrack(Counted(87, (87,), None), 1),
        SetTrack(Counted(58, (58, 174), None), 2),
    ]
    assert best_path(tracks, 3, pitch=1) == [2, 0, 1]


def test_it_starts_where_it_is_told() -> None:
    tracks = [plain(120 + k, recording=k, energy=k) for k in range(5)]
    assert best_path(tracks, 5, pitch=2, curve="up", start=1)[0] == 1
    assert best_path(tracks, 5, pitch=2, curve="up") == [0, 1, 2, 3, 4]
    assert best_path(tracks, 5, pitch=2, curve="down") == [4, 3, 2, 1, 0]


def test_a_set_that_cannot_be_as_long_is_as_long_as_it_can() -> None:
    tracks = [plain(tempo, recording=k) for k, tempo in enumerate((100, 101, 102, 140, 141))]
    assert sorted(best_path(tracks, 5, pitch=3)) == [0, 1, 2]
    assert sorted(best_path(tracks, 5, pitch=3, start=4)) == [3, 4]
    alone = [plain(100, recording=0), plain(100, key=6, recording=1)]  # their keys clash
    assert len(best_path(alone, 2, pitch=3)) == 1
    assert best_path([], 3, pitch=3) == []


def test_no_recording_occurs_twice() -> None:
    tracks = [plain(120, recording=k // 2) for k in range(8)]
    path = best_path(tracks, 8, pitch=1)
    assert sorted(tracks[k].recording for k in path) == [0, 1, 2, 3]


def test_an_artist_follows_itself_only_if_there_is_no_other_way() -> None:
    artists = "aaabbb"
    tracks = [plain(120, recording=k, artist=a) for k, a in enumerate(artists)]
    path = "".join(artists[k] for k in best_path(tracks, 6, pitch=1))
    assert path in ("ababab", "bababa")
    tracks = [plain(120, recording=k, artist="a") for k in range(4)]
    assert len(best_path(tracks, 4, pitch=1)) == 4


def test_unknown_artists_are_not_taken_for_one() -> None:
    """Tracks without an artist may follow each other, even where a far worse way would not."""
    tracks = [plain(120, recording=0), plain(120, recording=1), plain(126, recording=2, artist="b")]
    assert best_path(tracks, 2, pitch=6, start=0) == [0, 1]


@mostly_slow("curve", ["up", "down", "wave", "flat"], quick=(0, 2))
def test_energy_follows_the_curve(curve: str) -> None:
    tracks = crate(400, random.Random(1), 115, 135)
    path = best_path(tracks, 20, pitch=6, curve=curve)
    assert len(path) == 20
    off = np.abs(np.array([tracks[k].energy for k in path]) - course(curve, 20))
    assert off.mean() < 0.8  # of a random order it is 3 to 4
    costs = [transition(tracks[a].counted, tracks[b].counted, 6) for a, b in pairwise(path)]
    assert np.mean([way.cost for way in costs if way]) < 3
    assert best_path(tracks, 20, pitch=6, curve=curve) == path


@pytest.mark.slow
def test_thousands_of_tracks_take_seconds() -> None:
    tracks = crate(8000, random.Random(2))
    start = time.process_time()
    path = best_path(tracks, 30, pitch=6, curve="up")
    assert time.process_time() - start < 6
    assert len(path) == 30
    assert all(tracks[a].artist != tracks[b].artist for a, b in pairwise(path))


@pytest.mark.slow
def test_asking_for_more_than_there_is_takes_no_longer() -> None:
    tracks = crate(150, random.Random(4), 90, 150)
    start = time.process_time()
    path = best_path(tracks, 10_000, pitch=4, curve="wave")
    assert time.process_time() - start < 5
    assert len(path) > 120


def test_what_sounds_alike_follows_if_all_else_is_equal() -> None:
    sounds = [[1, 0], [-1, 0], [0.9, 0.436], [0, 1], [0, 0]]
    tracks = [
        plain(120, recording=k, sound=np.array(sound, np.float32)) for k, sound in enumerate(sounds)
    ]
    assert best_path(tracks, 2, pitch=6, start=0) == [0, 2]
    assert best_path(tracks[:4], 4, pitch=6, start=1) == [1, 3, 2, 0]
    silent = [dataclasses.replace(track, sound=None) for track in tracks]
    assert best_path(silent, 2, pitch=6, start=0) == [0, 1]
