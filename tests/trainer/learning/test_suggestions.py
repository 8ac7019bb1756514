"""Tests of choosing tracks to label next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trainer.learning.suggestions import SURE_OCTAVE, SuggestionCandidate, suggest

UNSURE = SuggestionCandidate(90.0, 0.55, 0.6, artist="A")


def tracks(n: int, bpm: float, **values: object) -> list[SuggestionCandidate]:
    """Unsure tracks at about a tempo [BPM], each of another artist."""
    return [
        replace(UNSURE, **{"bpm": bpm + k / 10, "artist": f"{bpm} {k}", **values})  # type: ignore[arg-type]
        for k in range(n)
    ]


def test_what_is_sure_is_not_asked_for() -> None:
    sure = replace(UNSURE, octave_confidence=SURE_OCTAVE + 0.01, confidence=0.9)
    nothing = replace(UNSURE, octave_confidence=0.0, confidence=0.0)
    assert suggest([sure, UNSURE, nothing], [], 5) == [1]
    assert suggest([sure], [], 5) == []
    assert suggest([], [], 5) == []
    assert suggest([UNSURE], [], 0) == []


def test_the_more_doubtful_octave_first_unless_the_rate_is_in_doubt() -> None:
    doubtful = replace(UNSURE, octave_confidence=0.5, confidence=0.48)
    noise = replace(UNSURE, octave_confidence=0.5, confidence=0.1)
    assert suggest([UNSURE, noise, doubtful], [], 1) == [2]
    assert doubtful.doubt == pytest.approx(0.48)
    assert noise.doubt == pytest.approx(0.1)


def test_one_that_stands_for_many_comes_before_one_that_is_odd() -> None:
    odd = replace(UNSURE, bpm=170.0, artist="odd")
    assert suggest([odd, *tracks(10, 90.0)], [], 1) != [0]


def test_no_region_of_tempi_is_asked_for_over_and_over() -> None:
    many = [*tracks(30, 80.0), *tracks(8, 110.0), *tracks(8, 150.0)]
    first = suggest(many, [], 3)
    assert {round(many[k].bpm, -1) for k in first} == {80, 110, 150}


@pytest.mark.parametrize("field", ["artist", "album"])
def test_others_of_an_artist_or_an_album_come_last(field: str) -> None:
    same = tracks(6, 90.0, **{field: "Same"})
    others = tracks(2, 92.0, genre="")
    chosen = suggest([*same, *others], [], 3)
    assert sum(k < len(same) for k in chosen) == 1


def test_other_genres_are_asked_for_as_well() -> None:
    both = [*tracks(6, 90.0, genre="Rock"), *tracks(3, 90.5, genre="Hip-Hop")]
    assert {both[k].genre for k in suggest(both, [], 2)} == {"Rock", "Hip-Hop"}


def test_what_is_labelled_already_is_not_asked_for_again() -> None:
    many = [*tracks(30, 80.0), *tracks(5, 150.0)]
    assert many[suggest(many, [], 1)[0]].bpm < 100
    labelled = [replace(UNSURE, bpm=80.5 + k, artist=f"L{k}") for k in range(3)]
    assert many[suggest(many, labelled, 1)[0]].bpm > 100


@pytest.mark.slow
def test_a_large_library_is_no_burden(rng: np.random.Generator) -> None:
    many = [
        SuggestionCandidate(bpm, octave, octave, f"{artist}")
        for bpm, octave, artist in zip(
            rng.uniform(60, 200, 4000), rng.uniform(0.4, 1, 4000), rng.integers(400, size=4000),
            strict=True,
        )
    ]  # fmt: skip
    chosen = suggest(many, many[:50], 20)
    assert len(set(chosen)) == 20
    assert chosen == suggest(many, many[:50], 20)
