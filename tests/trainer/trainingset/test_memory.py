"""Tests of the list, stored in a model, of tracks that it learned from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainer.trainingset import memory
from trainer.trainingset.tables import CollectedTrack


def track(k: int) -> CollectedTrack:
    return CollectedTrack(
        Path(f"/music/{k}.mp3"), 120.0, "tag", f"The Artist {k}", f"Title {k}",
        recording_id=f"ABC-{k}", id=f"{k:016x}",
    )  # fmt: skip


REMEMBERED = memory.remember(track(k) for k in range(1000))


@pytest.mark.parametrize(
    "known",
    [
        {"path": Path("/music/7.mp3")},
        {"path": Path("/x"), "artist": "the artist 7", "title": "Title  7"},
        {"path": Path("/x"), "recording_id": "abc-7"},
        {"path": Path("/x"), "content": f"{7:016x}" + "0" * 48},
    ],
)
def test_a_track_is_known_by_any_of_what_is_known_of_it(known: dict[str, str]) -> None:
    assert REMEMBERED.knows(**known)  # type: ignore[arg-type]


def test_others_are_not_known() -> None:
    for k in range(2000, 4000):
        other = track(k)
        assert not REMEMBERED.knows(
            other.path, other.artist, other.title, other.recording_id, other.id
        )
    assert not REMEMBERED.knows(Path("/x"), "The Artist 7", "Title 8")
    assert not REMEMBERED.knows(Path("/x"))
    assert not memory.NO_MEMORY
    assert not memory.NO_MEMORY.knows(Path("/music/7.mp3"))


def test_it_is_small_and_names_nobody() -> None:
    card = {memory.CARD_KEY: memory.pack(REMEMBERED)}
    text = json.dumps(card)
    assert len(text) < 40_000
    assert "Artist" not in text
    assert memory.of_card(json.loads(text)) == REMEMBERED


@pytest.mark.parametrize(
    "card", [{}, {memory.CARD_KEY: 7}, {memory.CARD_KEY: "ä"}, {memory.CARD_KEY: "A"}]
)
def test_a_card_without_one(card: dict[str, object]) -> None:
    assert memory.of_card(card) is None
