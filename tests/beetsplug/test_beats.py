"""Tests of beat grids in a library: found along with the tempo, and counted as it is."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from beets.library import Item

from beetsplug.tempo.grids import (
    GRID_FIELDS,
    apply_beats,
    fitted,
    grid_of,
    set_grid,
    set_others_grid,
)
from tempo_core.beatgrid import Grid, Section, steady

from ..audio import drum_pattern, write_audio
from .conftest import Beet

BPM, SR, SILENCE = 124.0, 22050, 0.3


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    audio = drum_pattern(BPM, 30, SR, "house", np.random.default_rng(3))
    audio = np.concatenate([np.zeros(round(SILENCE * SR), np.float32), audio])
    return write_audio(tmp_path_factory.mktemp("beats") / "song.flac", audio, SR)


def off(time: float, bpm: float = BPM) -> float:
    """Distance of a time [s] from the nearest true beat."""
    period = 60 / bpm
    return abs(((time - SILENCE) / period + 0.5) % 1 - 0.5) * period


def grid_fields(item: Item) -> dict[str, Any]:
    return {name: item.get(name) for name in (*GRID_FIELDS, "tempo_beat_confidence")}


def test_an_analysis_finds_the_grid(beet: Beet, song: Path) -> None:
    beet.add(song)
    assert beet("tempo", "-W").code == 0
    item = beet.item()
    assert off(item.tempo_first_beat) < 0.012
    assert 0 <= item.tempo_first_beat < 60 / BPM
    assert off(item.tempo_downbeat) < 0.012
    assert item.tempo_downbeat_confidence > 0.8
    assert item.tempo_beat_confidence > 0.8
    assert "tempo_grid" not in item
    shown = beet("ls", "-f", "$tempo_first_beat").out
    assert shown == f"{item.tempo_first_beat:.4f}\n"
    assert "0 tracks analysed" in beet("tempo").out


@pytest.mark.slow
def test_a_library_analysed_before_there_were_beats(beet: Beet, song: Path) -> None:
    """Its tempi stay as they are, somebody's among them; the beats are added, counted alike."""
    for title in ("old", "half"):
        path = song.with_name(f"{title}.flac")
        path.write_bytes(song.read_bytes())
        beet.add(path, title=title)
    assert beet("tempo", "-W", "--tasks", "tempo,pace,key").code == 0
    assert beet("modify", "-y", "-W", "title:half", "bpm=62").code == 0
    before = {item.title: item for item in beet.items()}
    run = beet("tempo", "-W")
    assert run.code == 0, run.err
    assert run.out.count(": beats found\n") == 2
    assert "; beats: 2 of 2 found" in run.out
    for item in beet.items():
        old = before[item.title]
        for name in ("bpm", "tempo_confidence", "tempo_paces", "initial_key"):
            assert item[name] == old[name]
        assert off(item.tempo_first_beat) < 0.012
    half = beet.item("title:half")
    assert half.bpm == 62
    assert half.tempo_bpm == pytest.approx(62, abs=0.02)
    beats = [time for time, _ in grid_of(half).beats(20)]  # type: ignore[union-attr]
    assert np.allclose(np.diff(beats), 60 / 62, atol=1e-3)
    assert "0 tracks analysed" in beet("tempo", "-W").out


def test_no_beats_are_asked_for_without_the_task(beet: Beet, song: Path) -> None:
    beet.configure(tempo={"tasks": ["tempo", "pace", "key"]})
    beet.add(song)
    assert beet("tempo", "-W").code == 0
    assert set(grid_fields(beet.item()).values()) == {None}


def test_the_grid_of_somebody_else_stays(beet: Beet, song: Path) -> None:
    """Years of corrections in another program are not lost to the first analysis; -f replaces."""
    beet.add(song)
    item = beet.item()
    set_others_grid(item, steady(0.321, 123.97, 0.321))
    item.store()
    assert item.tempo_grid == "0.3210 123.97 1"
    for _ in range(2):
        assert beet("tempo", "-W").code == 0
        item = beet.item()
        assert item.tempo_bpm == pytest.approx(BPM, abs=0.02)
        assert str(grid_of(item)) == "0.3210 123.97 1"
    assert beet("tempo", "-W", "-f").code == 0
    item = beet.item()
    assert "tempo_grid" not in item
    assert item.tempo_beat_confidence > 0.8
    # Also where the analysis was asked before, and had nothing to say.
    set_others_grid(item, steady(0.321, item.tempo_bpm))
    assert "tempo_beat_confidence" not in item
    assert item.tempo_first_beat == 0.321


def test_a_grid_follows_a_tempo_that_is_changed_afterwards(beet: Beet, song: Path) -> None:
    """It is halved so that its bars stay, or goes if the beats are those of another tempo."""
    beet.add(song)
    assert beet("tempo", "-W").code == 0
    whole = grid_of(beet.item())
    assert whole is not None
    bar = beet.item().tempo_downbeat
    assert beet("modify", "-y", "-W", "bpm=62").code == 0
    shown = beet("tempo-export", "--format", "csv", "-o", "-").out
    (row,) = csv.DictReader(io.StringIO(shown))  # at once, also before the fields are settled
    assert row["bpm"] == "62.00"
    assert float(row["grid"].split()[1]) == pytest.approx(62, abs=0.02)
    assert beet("tempo", "-W").code == 0
    half = beet.item()
    assert half.tempo_bpm == pytest.approx(62, abs=0.01)
    assert half.tempo_downbeat == pytest.approx(bar, abs=1e-3)
    assert grid_of(half).sections[0].beat in (1, 4)  # type: ignore[union-attr]
    steps = (half.tempo_downbeat - half.tempo_first_beat) * half.tempo_bpm / 60
    assert abs(steps - round(steps)) < 0.01
    assert beet("modify", "-y", "-W", "bpm=150").code == 0
    assert beet("tempo", "-W").code == 0
    shown = beet("tempo-export", "--format", "csv", "-o", "-").out
    (row,) = csv.DictReader(io.StringIO(shown))
    assert (row["bpm"], row["grid"], row["first_beat"]) == ("150.00", "", "")


def test_a_grid_follows_a_tempo_analysed_without_it(beet: Beet, song: Path) -> None:
    beet.add(song)
    assert beet("tempo", "-W").code == 0
    bar = beet.item().tempo_downbeat
    beet.configure(tempo={"tasks": ["tempo", "pace"], "range": [50, 80]})
    assert beet("tempo", "-W", "-f").code == 0
    item = beet.item()
    assert item.bpm == 62
    assert item.tempo_downbeat == pytest.approx(bar, abs=1e-3)
    steps = (item.tempo_downbeat - item.tempo_first_beat) * item.tempo_bpm / 60
    assert abs(steps - round(steps)) < 0.01


def columns(grid: Grid | None, bpm: float = 128.0) -> dict[str, Any]:
    return {"bpm": bpm, "grid": grid, "beat_confidence": 0.9, "downbeat_confidence": 0.8}


def test_a_grid_is_counted_as_the_tempo_is() -> None:
    item = Item(length=200.0, tempo_bpm=64.0)
    apply_beats(item, columns(steady(0.1, 128, 0.1 + 3 * 60 / 128)))
    assert item.tempo_first_beat == pytest.approx(0.1 + 60 / 128, abs=1e-3)
    assert item.tempo_downbeat == pytest.approx(0.1 + 3 * 60 / 128, abs=1e-3)
    assert item.tempo_downbeat_confidence == 0.8


def test_a_grid_of_another_pulse_is_none() -> None:
    item = Item(length=200.0, tempo_bpm=96.0, tempo_first_beat=0.3)
    apply_beats(item, columns(steady(0.1, 128)))
    assert "tempo_first_beat" not in item
    assert item.tempo_beat_confidence == 0.9


def test_nothing_sure_removes_what_was_there() -> None:
    item = Item(length=200.0, tempo_bpm=128.0)
    set_grid(item, steady(0.2, 128, 0.2), 0.9)
    assert item.tempo_first_beat == 0.2
    apply_beats(item, columns(None))
    assert not any(name in item for name in GRID_FIELDS)


def test_a_changing_grid_is_one_text() -> None:
    item = Item(length=200.0, tempo_bpm=128.0)
    grid = Grid((Section(0.5, 128.0, 1), Section(60.0, 132.0, 1)))
    apply_beats(item, columns(grid))
    assert item.tempo_grid == "0.5000 128.00 1; 60.0000 132.00 1"
    assert "tempo_first_beat" not in item
    assert grid_of(item) == grid


@pytest.mark.parametrize(
    ("ratio", "fits"), [(1.0005, True), (1.004, False), (2.001, True), (1.5, False)]
)
def test_a_tempo_that_is_nearly_the_same_keeps_the_beats_in_the_middle(
    ratio: float, fits: bool
) -> None:
    grid = steady(0.1, 120)
    found = fitted(grid, ratio, 100.0)
    assert (found is not None) == fits
    if found is not None:
        old = np.array([time for time, _ in grid.beats(200)])
        new = np.array([time for time, _ in found.beats(200)])
        middle = old[np.abs(old - 100).argmin()]
        assert np.abs(new - middle).min() < 2e-3
