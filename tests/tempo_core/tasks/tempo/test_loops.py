"""Files of a few seconds, which are loops or are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempo_core import Estimator
from tempo_core.audio import read_excerpts
from tempo_core.config import Windows
from tempo_core.excerpts import Excerpt
from tempo_core.task import Results
from tempo_core.tasks.tempo.config import TempoGrid
from tempo_core.tasks.tempo.decode import Tempo
from tempo_core.tasks.tempo.loops import as_loop, n_beats
from tests.audio import drum_pattern, write_audio
from tests.rows import mostly_slow

SR = 22050


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator()


@pytest.mark.parametrize(
    ("duration", "bpm", "beats"),
    [
        (2.0, 120.0, 4),
        (2.0, 121.4, 4),  # a little off, as it is heard in two seconds
        (2.0, 122.0, None),
        (2.5, 120.0, None),  # five beats are no loop
        (8.0, 119.9, 16),
        (0.2, 60.0, None),
    ],
)
def test_a_loop_is_a_number_of_beats(duration: float, bpm: float, beats: int | None) -> None:
    assert n_beats(duration, bpm) == beats


def say(bpm: float, confidence: float = 0.5) -> Results:
    """Results in which the tempo task has given a tempo [BPM]."""
    grid = TempoGrid()
    return {"tempo": Tempo(bpm, confidence, None, np.zeros(grid.n_bins), grid, Windows())}


def test_round_and_round() -> None:
    """The repeated audio is as long as a window, and made of the file only."""
    excerpt = Excerpt(np.arange(3 * 100, dtype=np.float32), 1.5)  # two beats of 40 BPM
    heard: list[Excerpt] = []

    def answer(other: Excerpt) -> Results:
        heard.append(other)
        return say(40.0)

    as_loop(excerpt, say(40.0), 100, 8.0, answer)
    (again,) = heard
    assert again.start == 1.5
    np.testing.assert_array_equal(again.audio, np.arange(800) % 300)


def test_places_are_those_in_the_file_alone() -> None:
    """A note of a loop is told once, not as often as the loop was repeated."""
    excerpt = Excerpt(np.zeros(300, np.float32), 0.0)
    alone, repeated = {**say(40.0), "notes": "once"}, {**say(40.0), "notes": "again and again"}
    found = as_loop(excerpt, alone, 100, 8.0, lambda _: {**repeated, "pace": "of the loop"})
    assert (found["notes"], found["pace"]) == ("once", "of the loop")


@pytest.mark.parametrize(
    ("before", "after", "surer", "taken"),
    [
        (120.0, 120.2, False, True),  # the same, but exact now
        (120.0, 60.0, False, True),  # another level of one pulse
        (120.0, 90.0, False, False),  # another pulse, no surer
        (120.0, 90.0, True, True),
        (120.0, 122.0, True, False),  # no whole number of beats
        (113.0, 120.0, True, False),  # neither in what is heard in the file alone
    ],
)
def test_what_repeating_may_change(before: float, after: float, surer: bool, taken: bool) -> None:
    excerpt = Excerpt(np.zeros(400, np.float32), 0.0)
    alone, repeated = say(before, 0.6), say(after, 0.7 if surer else 0.6)
    found = as_loop(excerpt, alone, 100, 12.0, lambda _: {**repeated, "pace": "of the loop"})
    if not taken:
        assert found is alone
        return
    assert found["pace"] == "of the loop"
    assert found["tempo"].bpm == 15 * round(after / 15)  # beats of a file of four seconds
    assert found["tempo"].confidence == repeated["tempo"].confidence


@mostly_slow(
    ("style", "bpm", "beats"),
    [("house", 126.3, 4), ("house", 126.3, 8), ("rock", 97.1, 4), ("dnb", 173.2, 16)],
    quick=2,
)
def test_the_tempo_of_a_loop_is_exact(
    estimator: Estimator, tmp_path: Path, style: str, bpm: float, beats: int
) -> None:
    duration = beats * 60 / bpm
    # From the second repetition of the chords on, so that it begins with the end of the last note.
    music = drum_pattern(bpm, 3 * duration, SR, style, np.random.default_rng(2))
    loop = music[round(duration * SR) :][: round(duration * SR)]
    found = estimator.estimate(write_audio(tmp_path / "a.wav", loop, SR))
    level = min((1 / 2, 1, 2), key=lambda k: abs(found.bpm / bpm - k))
    assert found.bpm == pytest.approx(level * bpm, abs=0.015 * level)
    assert found.stability is None


@pytest.mark.parametrize("beats", [2.8, 3.1, 4.5, 5.9, 8.1])
def test_a_random_cut_is_taken_as_it_is(
    estimator: Estimator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beats: float
) -> None:
    music = drum_pattern(126, 9, SR, "house", np.random.default_rng(0))
    cut = music[round(1.1 * SR) :][: round(beats * 60 / 126 * SR)]
    path = write_audio(tmp_path / "a.wav", cut, SR)
    found = estimator.estimate(path)
    monkeypatch.setattr("tempo_core.tasks.tempo.loops.BEATS", ())  # nothing is a loop
    assert estimator.from_excerpts(read_excerpts(path, 11025, None)) == found
