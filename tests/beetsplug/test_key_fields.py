"""The estimated key in the library: filled where it is empty, and nobody's word overwritten."""

from __future__ import annotations

from pathlib import Path

import beets
import numpy as np
import pytest
from beets.library import Item
from mediafile import MediaFile

from beetsplug.tempo.collecting import labelled_tracks
from beetsplug.tempo.describing import track_of
from beetsplug.tempo.key_fields import apply_key, key_origin
from beetsplug.tempo.settings import TEMPLATE
from tempo_core import Estimate, Estimator
from tests.audio import chord_song, click_track, write_audio

from .conftest import Beet

SR = 22050
SOURCE = "model:key-20261128@01234567"
FOUND = Estimate(120.0, 0.9, key="A", key_confidence=0.8, columns={"key": "A"})
NOTHING = Estimate(120.0, 0.9, key=None, key_confidence=0.2, columns={"key": None})


@pytest.fixture
def in_a(tmp_path: Path) -> Path:
    """Chords in A major with a beat."""
    chords, clicks = chord_song(9, False, 16, SR), click_track(120, 16.0, SR)
    audio = 0.8 * chords + 0.2 * clicks[: len(chords)]
    return write_audio(tmp_path / "a.flac", audio.astype(np.float32), SR)


def test_an_empty_key_is_filled_and_written(beet: Beet, in_a: Path) -> None:
    beet.configure(tempo={"tasks": ["tempo", "pace", "key"]})
    beet.add(in_a)
    run = beet("tempo")
    assert run.code == 0, run.err
    assert ", A" in run.out
    item = beet.item()
    assert item.initial_key == "A"
    assert item.tempo_key_source == Estimator(tasks=("key",)).sources["key"]
    assert item.tempo_key_confidence > 0.3
    assert MediaFile(in_a).initial_key == "A"
    assert beet("update").out == ""  # nothing that the file does not say
    assert beet("ls", "initial_key:A").out != ""
    assert "1 had a tempo already" in beet("tempo").out


def test_it_is_not_asked_for_unless_it_is(beet: Beet, in_a: Path) -> None:
    beet.add(in_a)
    assert beet("tempo").code == 0
    item = beet.item()
    assert not item.initial_key
    assert "tempo_key_source" not in item
    assert MediaFile(in_a).initial_key is None


def test_somebodys_key_stays_without_force(beet: Beet, in_a: Path) -> None:
    beet.configure(tempo={"tasks": ["tempo", "pace", "key"]})
    beet.add(in_a, initial_key="F#m")
    beet("tempo")
    item = beet.item()
    assert (item.initial_key, item.tempo_key, item.tempo_key_source) == ("F#m", "A", "tag")
    beet("tempo", "-f")
    item = beet.item()
    assert (item.initial_key, item.tempo_key) == ("A", "A")
    assert item.tempo_key_source.startswith("model:")


def test_an_import_fills_it(beet: Beet, in_a: Path) -> None:
    beet.configure(tempo={"tasks": ["tempo", "pace", "key"]}, **{"import": {"copy": True}})
    assert beet("import", "-A", "-q", in_a.parent).code == 0
    item = beet.item()
    assert item.initial_key == "A"
    assert MediaFile(item.path).initial_key == "A"
    assert MediaFile(in_a).initial_key is None  # the original


def test_whose_word_a_key_is() -> None:
    item = Item(title="A")
    assert key_origin(item) == ""
    assert apply_key(item, FOUND, SOURCE)
    assert (item.initial_key, key_origin(item)) == ("A", SOURCE)
    assert not apply_key(item, FOUND, SOURCE)  # again: nothing changes
    item.initial_key = "Bm"  # a person
    assert key_origin(item) == "manual"
    assert not apply_key(item, FOUND, SOURCE)
    assert (item.initial_key, item.tempo_key, item.tempo_key_source) == ("Bm", "A", "manual")
    assert apply_key(item, FOUND, SOURCE, force=True)
    assert item.initial_key == "A"


def test_a_key_that_is_not_likely_enough_changes_nothing() -> None:
    item = Item(title="A")
    assert not apply_key(item, NOTHING, SOURCE)
    assert not item.initial_key
    assert item.tempo_key_confidence == 0.2
    assert "tempo_key_source" not in item
    apply_key(item, FOUND, SOURCE)
    assert not apply_key(item, NOTHING, SOURCE)  # what was found before stays, as the model's
    assert (item.initial_key, key_origin(item)) == ("A", SOURCE)
    assert not apply_key(item, Estimate(120.0, 0.9), SOURCE)  # the key was not asked for


def test_a_key_of_the_analysis_is_no_label_and_no_witness(beet: Beet, in_a: Path) -> None:
    beet.configure(tempo={"tasks": ["tempo", "pace", "key"]})
    beet.add(in_a)
    beet("tempo")
    item = beet.item()
    assert item.initial_key == "A"
    described = track_of(item)
    assert (described.tag_key, described.estimate_key) == (None, "A")
    beet("modify", "-y", "-W", "bpm=125", "initial_key=F#m")  # a person
    (track,) = labelled_tracks(beet.library, [], beets.config["tempo"].get(TEMPLATE))
    assert track.key == "F#m"
    assert track_of(beet.item()).tag_key == "F#m"
    beet("modify", "-y", "-W", "initial_key=A")
    (track,) = labelled_tracks(beet.library, [], beets.config["tempo"].get(TEMPLATE))
    assert track.key == ""


def test_a_label_that_was_applied_is_the_labels() -> None:
    item = Item(title="A", initial_key="C#m", tempo_label_key="C#m", tempo_label_source="deezer")
    assert key_origin(item) == "label:deezer"
    assert not apply_key(item, FOUND, SOURCE)
    assert item.tempo_key_source == "label:deezer"
    item.initial_key = "D"
    assert key_origin(item) == "manual"
