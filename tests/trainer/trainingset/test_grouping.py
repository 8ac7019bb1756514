"""Tests of groups of tracks that are held out together."""

from __future__ import annotations

from pathlib import Path

from trainer.trainingset.grouping import groups_of
from trainer.trainingset.tables import CollectedTrack


def track(name: str, **known: str) -> CollectedTrack:
    return CollectedTrack(Path("/music") / name, 0.0, "table", **known)  # type: ignore[arg-type]


def test_artists_who_play_together_are_one_group() -> None:
    one, two, both, other = groups_of(
        [
            track("1", artist="Anna"),
            track("2", artist="Ben"),
            track("3", artist="Anna; Ben"),
            track("4", artist="Cleo"),
        ]
    )
    assert one == two == both != other


def test_tracks_of_nobody_are_alone_unless_on_an_album() -> None:
    alone, also, first, second = groups_of(
        [track("1"), track("2"), track("3", album="Sampler"), track("4", album="Sampler")]
    )
    assert len({alone, also, first}) == 3
    assert first == second


def test_a_recording_is_one_whoever_it_is_by() -> None:
    one, other = groups_of(
        [track("1", artist="A", recording_id="x"), track("2", artist="B", recording_id="x")]
    )
    assert one == other
