"""Tests of which tracks are the same recording."""

from __future__ import annotations

import time

import pytest

from tempo_core.mixing.recordings import Recorded, recordings


def are_same(one: Recorded, other: Recorded) -> bool:
    return recordings([one, other]) == [0, 0]


SONG = Recorded("The Lintels", "Rain Gauge", "Doorframes", 200.0)


@pytest.mark.parametrize(
    "other",
    [
        Recorded("Lintels", "Rain Gauge (2014 Remaster)", "Best of", 202.5),
        Recorded("The Lintels feat. Subfloor", "RAIN GAUGE", "", 200.0),
        Recorded("the lintels", "Rain Gauge", "Doorframes"),  # of unknown length
    ],
)
def test_the_same_song_of_the_same_length_is_one_recording(other: Recorded) -> None:
    assert are_same(SONG, other)


@pytest.mark.parametrize(
    "other",
    [
        Recorded("The Lintels", "Rain Gauge (Live)", "Doorframes", 200.0),
        Recorded("The Lintels", "Rain Gauge", "Live at Leeds", 200.0),
        Recorded("The Lintels", "Rain Gauge (Subfloor Remix)", "Doorframes", 200.0),
        Recorded("The Lintels", "Rain Gauge", "Doorframes", 214.0),
        Recorded("The Lintels", "Rain Gauge, Pt. 2", "Doorframes", 200.0),
        Recorded("Subfloor", "Rain Gauge", "Doorframes", 200.0),
        Recorded("The Lintels", "", "Doorframes", 200.0),
        Recorded("", "Rain Gauge", "Doorframes", 200.0),
    ],
)
def test_another_version_artist_or_length_is_another_recording(other: Recorded) -> None:
    assert not are_same(SONG, other)


def test_a_common_identifier_is_enough() -> None:
    tracks = [
        Recorded("a", "b", identifiers=("isrc X",)),
        Recorded("c", "d", identifiers=("mb 1", "isrc Y")),
        Recorded("e", "f", identifiers=("isrc X", "mb 1")),
        Recorded("g", "h"),
        Recorded("i", "j", identifiers=("mb 2",)),
    ]
    assert recordings(tracks) == [0, 0, 0, 3, 4]


def test_nothing_known_is_nothing_in_common() -> None:
    assert recordings([Recorded(), Recorded(), Recorded(length=100)]) == [0, 1, 2]


def test_many_of_one_artist_take_no_time() -> None:
    tracks = [Recorded("x", f"title {k % 700}", "", 200 + 20 * (k % 3)) for k in range(3000)]
    start = time.process_time()
    found = recordings(tracks)
    assert time.process_time() - start < 3
    assert len(set(found)) == 2100
