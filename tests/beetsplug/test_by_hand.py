"""Tests of a tempo set by hand as fields of a track: everything counted in it goes along."""

from __future__ import annotations

from typing import Any

import pytest
from beets.library import Item

from beetsplug.tempo.applying import hold, judged, settled
from beetsplug.tempo.by_hand import (
    ByHandError,
    known_tempo,
    lock,
    require_unlocked,
    restate,
    set_by_hand,
)
from beetsplug.tempo.grids import grid_of, set_grid
from beetsplug.tempo.moving import tempo_of
from beetsplug.tempo.origin import MANUAL, is_done, origin
from beetsplug.tempo.queries import PaceQuery
from tempo_core.beatgrid import Grid, Section, steady

from .conftest import Beet

SOURCE = "model:x@01234567"
ANALYSED = {
    "bpm": 128, "tempo_bpm": 127.98, "tempo_source": SOURCE, "tempo_verdict": "set",
    "tempo_marker": f"127.98 {SOURCE}", "tempo_confidence": 0.9, "tempo_stability": 0.99,
    "tempo_paces": "128:0.97 64:0.91 256:0.08", "tempo_half": 63.99,
    "tempo_range": "126.0-130.0",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _plugin(beet: Beet) -> None:
    beet.load()


def analysed(**fields: Any) -> Item:
    item = Item(**{**ANALYSED, **fields})
    set_grid(item, steady(0.5, item.tempo_bpm, 0.5), 0.8)
    return item


def test_half_time_is_half_in_every_field() -> None:
    item = analysed()
    set_by_hand(item, known_tempo(item) / 2)
    assert (item.bpm, item.tempo_bpm, item.tempo_source) == (64, 63.99, MANUAL)
    assert item.tempo_paces == "64:1.00 128:0.97 256:0.08"
    assert item.tempo_double == 127.98
    assert "tempo_half" not in item  # 32 BPM was no candidate
    assert item.tempo_range == "63.0-65.0"
    assert grid_of(item) == steady(0.5, 63.99, 0.5)
    assert item.tempo_downbeat_confidence == pytest.approx(0.4)
    assert item.tempo_marker == "63.99 manual"
    assert origin(item) == MANUAL
    assert is_done(item)
    assert (item.tempo_confidence, item.tempo_stability) == (0.9, 0.99)


def test_double_time_and_back() -> None:
    item = analysed()
    set_by_hand(item, 255.96)
    assert (item.bpm, item.tempo_bpm, item.tempo_half) == (256, 255.96, 127.98)
    assert item.tempo_paces == "256:1.00 128:0.97 64:0.91"
    assert grid_of(item) == steady(0.5, 255.96, 0.5)
    assert item.tempo_downbeat_confidence == 0.8
    set_by_hand(item, 127.98)
    assert (item.bpm, item.tempo_bpm, item.tempo_range) == (128, 127.98, "126.0-130.0")
    assert grid_of(item) == steady(0.5, 127.98, 0.5)


def test_half_and_double_are_inverse() -> None:
    item = analysed(tempo_bpm=127.97, tempo_marker=f"127.97 {SOURCE}")
    set_by_hand(item, known_tempo(item) / 2)
    set_by_hand(item, known_tempo(item) * 2)
    assert item.tempo_bpm == 127.97


def test_half_time_begins_where_a_downbeat_stays_a_beat() -> None:
    item = analysed()
    set_grid(item, steady(0.5, 127.98, 0.5 + 60 / 127.98), 0.8)  # the first beat is a 4
    set_by_hand(item, 63.99)
    assert item.tempo_first_beat == pytest.approx(0.5 + 60 / 127.98, abs=1e-4)
    assert item.tempo_downbeat == item.tempo_first_beat


def test_a_nudge_keeps_the_anchor_and_moves_the_paces() -> None:
    item = analysed()
    set_by_hand(item, 127.98 * 1.01)
    assert (item.bpm, item.tempo_bpm) == (129, 129.26)
    assert (item.tempo_first_beat, item.tempo_downbeat) == (0.5, 0.5)
    assert item.tempo_paces == "129.3:1.00 64.6:0.91 258.6:0.08"
    assert item.tempo_half == 64.63
    assert item.tempo_range == "127.3-131.3"


def test_a_wholly_other_tempo_leaves_nothing_of_the_old_one() -> None:
    item = analysed()
    set_by_hand(item, 100)
    assert (item.bpm, item.tempo_bpm, item.tempo_source) == (100, 100.0, MANUAL)
    assert grid_of(item) is None
    for field in ("tempo_first_beat", "tempo_downbeat", "tempo_downbeat_confidence",
                  "tempo_paces", "tempo_range"):  # fmt: skip
        assert field not in item
    assert PaceQuery("pace", "100").match(item)
    assert not PaceQuery("pace", "128").match(item)


def test_a_changing_grid_is_kept_as_one() -> None:
    item = analysed()
    set_grid(item, Grid((Section(0.5, 127.98, 1), Section(60.0, 130.0, 1))), 0.8)
    set_by_hand(item, 63.99)
    assert item.tempo_grid == "0.5000 63.99 1; 60.0000 65.00 1"
    assert "tempo_first_beat" not in item


def test_a_track_that_was_never_analysed_can_be_set() -> None:
    item = Item(bpm=0)
    set_by_hand(item, 87.5)
    assert (item.bpm, item.tempo_bpm, item.tempo_source) == (88, 87.5, MANUAL)
    assert "tempo_paces" not in item
    assert origin(item) == MANUAL


def test_in_a_conflict_grid_and_paces_are_those_of_the_audio() -> None:
    """The grid is counted in the tempo of the audio, also if somebody's differs from it."""
    item = analysed(bpm=85, tempo_source="tag", tempo_verdict="conflict")
    del item["tempo_marker"]
    assert known_tempo(item) == 85
    set_by_hand(item, 63.99)
    assert grid_of(item) == steady(0.5, 63.99, 0.5)
    item = analysed(bpm=85, tempo_source="tag", tempo_verdict="conflict")
    set_by_hand(item, 85)
    assert grid_of(item) is None
    assert item.tempo_verdict == "kept"
    assert not settled(item)


def test_a_confirmed_estimate_is_a_persons_and_stays_one() -> None:
    """Also if the marker of the plugin comes back from the file with the next `beet update`."""
    item = analysed()
    set_by_hand(item, known_tempo(item))
    assert (item.bpm, item.tempo_source, item.tempo_verdict) == (128, MANUAL, "set")
    item.tempo_marker = f"127.98 {SOURCE}"
    assert origin(item) == MANUAL


def test_another_tempo_said_elsewhere_since_counts_in_every_field() -> None:
    item = analysed()
    set_by_hand(item, 127.98)
    assert not restate(item)
    item.bpm = 64  # `beet modify`
    assert tempo_of(item) == 64
    assert restate(item)
    assert (item.tempo_bpm, item.tempo_source, tempo_of(item)) == (64.0, MANUAL, 64.0)
    assert item.tempo_paces.startswith("64:1.00 128")
    assert grid_of(item) == steady(0.5, 64.0, 0.5)
    assert not restate(item)
    item.bpm = 129  # also where it is nearly the same one
    assert tempo_of(item) == 129
    item.bpm = 128  # back again: the marker stayed in the file
    assert restate(item)
    assert (item.tempo_bpm, tempo_of(item)) == (127.98, 127.98)


@pytest.mark.parametrize("who", [SOURCE, MANUAL])
def test_what_another_library_knows_is_as_precise(who: str) -> None:
    """The file was imported without an analysis."""
    item = Item(bpm=128, tempo_marker=f"127.98 {who}")
    assert tempo_of(item) == known_tempo(item) == 127.98
    assert tempo_of(Item(bpm=140, tempo_marker=f"127.98 {who}")) == 140


@pytest.mark.parametrize("marker", [None, "127.98 manual", f"64.00 {SOURCE}"])
def test_a_tempo_of_others_that_is_confirmed_stays_as_they_wrote_it(marker: str | None) -> None:
    item = analysed(tempo_source="tag", tempo_verdict="kept", tempo_marker=marker)
    set_by_hand(item, known_tempo(item), as_it_stands=True)
    lock(item)
    assert (item.bpm, item.tempo_source, item.tempo_locked) == (128, MANUAL, 127.98)
    assert item.get("tempo_marker") == marker
    assert not hold(item)
    set_by_hand(item, 128)
    assert item.tempo_marker == "128.00 manual"


@pytest.mark.parametrize("bpm", [19.9, 400.1, 0.0, -3.0])
def test_what_is_no_tempo_changes_nothing(bpm: float) -> None:
    item = analysed()
    before = dict(item)
    with pytest.raises(ByHandError, match="20 to 400"):
        set_by_hand(item, bpm)
    assert dict(item) == before


@pytest.mark.parametrize(
    "fields", [{"bpm": 0}, {"bpm": 1200}, {"bpm": 0, "tempo_bpm": 128.0, "tempo_verdict": "unsure"}]
)
def test_without_a_tempo_there_is_none_to_change(fields: dict[str, Any]) -> None:
    with pytest.raises(ByHandError, match="has no tempo yet"):
        known_tempo(Item(**fields))


@pytest.mark.parametrize(
    "change",
    [
        {"bpm": 100}, {"bpm": 0}, {"tempo_bpm": 100.0}, {"tempo_source": SOURCE},
        {"tempo_marker": f"127.98 {SOURCE}", "bpm": 128}, {"tempo_verdict": "conflict"},
        {"tempo_source": "label:deezer", "tempo_label_bpm": 64.0},
        {"tempo_marker": "64.20 manual"}, {"tempo_marker": f"63.99 {SOURCE}"},
    ],
)  # fmt: skip
def test_a_locked_tempo_comes_back(change: dict[str, Any]) -> None:
    item = analysed()
    set_by_hand(item, 63.99)
    lock(item)
    assert not hold(item)
    item.update(change)
    assert origin(item) == MANUAL
    assert not judged(item)
    settled(item)
    assert (item.bpm, item.tempo_bpm, item.tempo_source) == (64, 63.99, MANUAL)
    assert item.tempo_marker == "63.99 manual"
    assert not settled(item)
    with pytest.raises(ByHandError, match=r"locked at 63.99 BPM; --unlock"):
        require_unlocked(item)


@pytest.mark.parametrize("value", [1.0, "yes", None, True])
def test_what_is_no_tempo_locks_nothing(value: object) -> None:
    item = analysed(tempo_locked=value)
    require_unlocked(item)
    assert not hold(item)
    assert item.bpm == 128
