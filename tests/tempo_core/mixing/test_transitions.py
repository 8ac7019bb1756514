"""Tests of how one track follows another."""

from __future__ import annotations

import pytest

from tempo_core.keys import parse_key
from tempo_core.mixing.transitions import (
    SOUND_COST,
    Counted,
    Transition,
    relation_of,
    sound_cost,
    transition,
)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Counted(128, (128,)), Transition(-3.125, 1.0, "unknown")),
        (Counted(62, (62, 124)), Transition(0.0, 2.0, "unknown")),
        (Counted(62, (62,)), Transition(0.0, 2.0, "unknown")),  # 62 is a pace of the track as well
        (Counted(248, (248,)), None),  # at 124 nobody moves to it, nor at 248 to the track
        (Counted(140, (140,)), None),
    ],
)
def test_beats_meet_where_a_pace_of_both_does(other: Counted, expected: Transition | None) -> None:
    assert transition(Counted(124, (124, 62)), other, 6) == expected


def test_the_cheapest_of_several_ways_is_taken() -> None:
    way = transition(Counted(100, (100, 50)), Counted(70, (70, 140, 35)), 45)
    assert way is not None
    assert (way.ratio, round(way.pitch, 1)) == (2.0, -28.6)


@pytest.mark.parametrize(
    ("keys", "relation"),
    [
        (("Am", "Am"), "same"), (("Am", "Em"), "neighbour"), (("Am", "C"), "relative"),
        (("Am", "D#m"), "clash"), (("Am", ""), "unknown"), (("", ""), "unknown"),
    ],
)  # fmt: skip
def test_keys_have_a_relation(keys: tuple[str, str], relation: str) -> None:
    one, other = (parse_key(text) for text in keys)
    assert relation_of(one, other) == relation_of(other, one) == relation


def test_the_cost_of_a_sound() -> None:
    assert [sound_cost(likeness) for likeness in (1.0, 0.0, -1.0)] == [
        0,
        SOUND_COST / 2,
        SOUND_COST,
    ]
