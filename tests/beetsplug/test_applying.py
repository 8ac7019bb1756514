"""Tests of the fields that an estimate sets, and of the tempi that it does not replace."""

from __future__ import annotations

import dataclasses

import pytest
from beets.library import Item

from beetsplug.tempo.applying import agreeing_tempo, apply_estimate, settled
from beetsplug.tempo.grids import grid_of, set_grid
from beetsplug.tempo.origin import Decision, is_done, is_ours
from beetsplug.tempo.queries import PaceQuery
from tempo_core import Estimate, Pace
from tempo_core.beatgrid import Grid, Section
from tempo_core.tempi import round_half_up

from .conftest import Beet

SOURCE = "model:default@0123abcd"
HOUSE = Estimate(
    bpm=127.98,
    confidence=0.93,
    paces=(Pace(128.0, 0.97), Pace(64.0, 0.91), Pace(256.0, 0.08)),
    stability=0.99,
    octave_confidence=0.95,
)


@pytest.fixture(autouse=True)
def _plugin(beet: Beet) -> None:
    beet.load()


@pytest.mark.parametrize(
    ("tempo", "bpm"), [(127.49, 127), (127.5, 128), (128.5, 129), (127.98, 128), (99.995, 100)]
)
def test_halves_are_rounded_up(tempo: float, bpm: int) -> None:
    """Halves are rounded up, where beets would round to even and mediafile cut off."""
    assert round_half_up(tempo) == bpm
    item = Item()
    apply_estimate(item, Estimate(tempo, 0.9, ()), SOURCE)
    assert item.bpm == bpm


def test_an_untagged_track_gets_every_field() -> None:
    item = Item()
    assert apply_estimate(item, HOUSE, SOURCE) is Decision.SET
    assert item.bpm == 128
    assert item.tempo_bpm == 127.98
    assert item.tempo_confidence == 0.93
    assert item.tempo_stability == 0.99
    assert item.tempo_octave_confidence == 0.95
    assert item.tempo_half == pytest.approx(63.99)
    assert "tempo_double" not in item  # unlikely, so it is not there at all
    assert "tempo_triple" not in item
    assert item.tempo_paces == "128:0.97 64:0.91 256:0.08"
    assert item.tempo_source == SOURCE
    assert is_done(item)
    assert is_ours(item)


@pytest.mark.parametrize(
    ("bpm", "precise"),
    [
        (128, 127.98),
        (125, 127.98),  # within 4 %
        (133, 127.98),
        (64, 63.99),
        (256, 255.96),
        (122, None),
        (134, None),
        (96, None),  # three quarters is no pace
        (43, None),  # a third is none of this track's
    ],
)
def test_a_tag_near_a_pace_is_that_pace_precisely(bpm: int, precise: float | None) -> None:
    assert agreeing_tempo(bpm, HOUSE) == precise


def test_a_pace_that_is_no_simple_multiple_counts_as_it_is() -> None:
    odd = Estimate(bpm=100.0, confidence=0.5, paces=(Pace(100.0, 0.9), Pace(83.3, 0.6)))
    assert agreeing_tempo(83, odd) == 83.3


def test_fields_and_query_agree_at_the_border() -> None:
    item = Item()
    apply_estimate(item, Estimate(100.0, 0.9, (Pace(50.0, 0.7451), Pace(200.0, 0.7449))), SOURCE)
    assert item.tempo_paces == "50:0.75 200:0.74"
    assert (item.get("tempo_half"), item.get("tempo_double")) == (50.0, None)
    assert PaceQuery("pace", "50").match(item)
    assert not PaceQuery("pace", "200").match(item)


def test_a_tag_that_agrees_is_kept() -> None:
    item = Item(bpm=64)
    assert apply_estimate(item, HOUSE, SOURCE) is Decision.KEPT
    assert (item.bpm, item.tempo_bpm, item.tempo_source) == (64, 63.99, "tag")
    # Half and double are counted from this track's tempo, which is what the tag says.
    assert item.tempo_double == pytest.approx(127.98)
    assert "tempo_half" not in item
    assert is_done(item)
    assert not is_ours(item)


def test_a_tag_that_disagrees_is_kept_too() -> None:
    item = Item(bpm=100)
    assert apply_estimate(item, HOUSE, SOURCE) is Decision.CONFLICT
    assert (item.bpm, item.tempo_bpm, item.tempo_source) == (100, 127.98, "tag")
    assert is_done(item)
    assert not is_ours(item)


def test_force_overwrites_the_tag() -> None:
    item = Item(bpm=100)
    assert apply_estimate(item, HOUSE, SOURCE, force=True) is Decision.SET
    assert (item.bpm, item.tempo_source) == (128, SOURCE)


def test_a_pace_of_an_earlier_analysis_goes_when_it_is_not_found_again() -> None:
    item = Item(tempo_half=60.0, tempo_double=240.0, tempo_triple=360.0)
    apply_estimate(item, HOUSE, SOURCE)
    assert item.tempo_half == pytest.approx(63.99)
    assert "tempo_double" not in item
    assert "tempo_triple" not in item


@pytest.mark.parametrize("name", ["stability", "octave_confidence"])
def test_what_is_unknown_is_not_there(name: str) -> None:
    item = Item(**{f"tempo_{name}": 0.5})
    apply_estimate(item, dataclasses.replace(HOUSE, **{name: None}), SOURCE)
    assert f"tempo_{name}" not in item


@pytest.mark.parametrize("changing", [False, True])
def test_a_correction_by_an_octave_takes_the_grid_along(changing: bool) -> None:
    """A track that begins with an upbeat: its downbeats stay beats."""
    source = "model:x@01234567"
    item = Item(bpm=64, tempo_bpm=127.98, tempo_source=source, tempo_verdict="set",
                tempo_marker=f"127.98 {source}", tempo_paces="128:0.97 64:0.91")  # fmt: skip
    second = 0.5 + 60 / 127.98
    sections = [Section(0.5, 127.98, 4), *([Section(60.0, 130.0, 1)] if changing else [])]
    set_grid(item, Grid(tuple(sections)), 0.8)
    assert settled(item)
    assert (item.tempo_bpm, item.tempo_verdict) == (63.99, "kept")
    grid = grid_of(item)
    assert grid is not None
    assert [section.bpm for section in grid.sections] == [63.99, 65.0][: 1 + changing]
    assert grid.first_beat == grid.downbeat == pytest.approx(second, abs=1e-4)
    item.bpm = 128
    assert settled(item)
    grid = grid_of(item)
    assert grid is not None
    assert (grid.sections[0].bpm, grid.sections[0].beat) == (127.98, 1)


def test_beside_a_tempo_of_another_origin_the_confidences_are_those_of_the_analysis() -> None:
    item = Item(bpm=64)
    assert apply_estimate(item, HOUSE, SOURCE) is Decision.KEPT
    assert (item.tempo_confidence, item.tempo_octave_confidence) == (0.93, 0.95)


def test_the_range_of_a_tempo_that_changes() -> None:
    item = Item()
    apply_estimate(item, dataclasses.replace(HOUSE, tempo_range=(118.0, 131.52)), SOURCE)
    assert item.tempo_range == "118.0-131.5"
    apply_estimate(item, HOUSE, SOURCE)  # steady, or not heard enough of
    assert "tempo_range" not in item


def test_a_library_from_before_there_were_ranges_is_not_analysed_again(beet: Beet) -> None:
    item = Item(title="a", path=b"/a.mp3", initial_key="Am", tempo_beat_confidence=0.9)
    apply_estimate(item, HOUSE, SOURCE)
    assert "tempo_range" not in item
    beet.library.add(item)
    run = beet("tempo")
    assert (run.code, run.err) == (0, "")
    assert run.out == ("tempo: 0 tracks analysed: 0 set, 0 kept, 0 failed; 1 had a tempo already\n")


def test_the_record_alone_does_not_make_a_track_done() -> None:
    """A track without `bpm` is not done, whatever its fields: importing it again keeps these."""
    item = Item()
    apply_estimate(item, HOUSE, SOURCE)
    item.bpm = 0
    assert not is_done(item)
    item.bpm = 128
    del item["tempo_source"]
    assert not is_done(item)


def test_the_albums_record_is_not_its_tracks(beet: Beet) -> None:
    library = beet.library
    item = Item(title="a", path=b"/a.mp3", bpm=128)
    library.add(item)
    album = library.add_album([item])
    album.update({"tempo_bpm": 127.98, "tempo_source": SOURCE, "tempo_double": 255.96})
    album.store(inherit=False)
    item = library.items().get()
    assert not is_done(item)
    apply_estimate(item, HOUSE, SOURCE)  # must not try to delete the album's tempo_double
    item.store()


def test_a_new_tempo_leaves_the_time_of_the_last_look_at_the_file() -> None:
    """Setting a tempo keeps `mtime`; were it reset, `beet update` would undo the change."""
    item = Item(bpm=0)
    item.mtime = 12345
    apply_estimate(item, HOUSE, SOURCE)
    assert item.mtime == 12345
