"""Tests that each item is paired with the labels of its own track."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from beets.library import Item

from beetsplug.tempo.labelling import labelled_tracks

from .conftest import Beet


class FakeRun:
    """Stand-in for a run that stops after the first tracks; it answers with their titles."""

    def __init__(self, n_answers: int) -> None:
        self._n_answers = n_answers

    def label(self, tracks: Iterable[Any], stopped: Callable[[], bool]) -> Iterator[str]:
        for k, track in enumerate(tracks):
            if k == self._n_answers:
                return
            yield track.title


@pytest.mark.parametrize("n_answers", [0, 2, 3])
def test_each_item_comes_with_the_answer_about_it(n_answers: int, beet: Beet) -> None:
    beet.load()
    items = [Item(title=title, path=b"/away.mp3") for title in "abc"]
    run: Any = FakeRun(n_answers)
    paired = list(labelled_tracks(run, iter(items), 10, lambda: False))
    assert [(track.item.title, track.found) for track in paired] == [
        (title, title) for title in "abc"[:n_answers]
    ]


def test_items_are_taken_one_at_a_time(beet: Beet) -> None:
    beet.load()
    taken: list[str] = []

    def items() -> Iterator[Item]:
        for title in "abc":
            taken.append(title)
            yield Item(title=title, path=b"/away.mp3")

    run: Any = FakeRun(3)
    paired = labelled_tracks(run, items(), 10, lambda: False)
    next(paired)
    assert taken == ["a"]
