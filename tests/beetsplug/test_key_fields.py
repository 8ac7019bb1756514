"""The origin of a key: an estimate never counts as a person's key, nor the reverse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import beets
import mutagen
import pytest
from beets.library import Item
from mediafile import MediaFile

import beetsplug.tempo.choosing as choosing
from beetsplug.tempo.collecting import labelled_tracks
from beetsplug.tempo.describing import track_of
from beetsplug.tempo.key_fields import apply_key, is_key_done, key_origin, settled_key
from beetsplug.tempo.origin import Decision
from beetsplug.tempo.selecting import ask
from beetsplug.tempo.settings import TEMPLATE
from tempo_core import Estimator
from tempo_core.keys import Key
from tempo_core.labels.files import read_track
from tempo_core.markers import KEY_MARKER
from tests.rows import mostly_slow
from trainer.trainingset.gather import gather

from ..conftest import MakeAudio
from ..formats import EACH_FORMAT
from .conftest import Beet

SOURCE = "model:key-20261128@01234567"
FOUND = {"key": "A", "key_confidence": 0.8}
NOTHING = {"key": None, "key_confidence": 0.2}
SET = {
    "initial_key": "A", "tempo_key": "A", "tempo_key_confidence": 0.8, "tempo_key_source": SOURCE,
}  # fmt: skip
MARKED = {"initial_key": "A", "tempo_key_marker": f"A {SOURCE}"}
LABEL = {"initial_key": "C#m", "tempo_label_key": "C#m", "tempo_label_source": "deezer"}

# Fields of a track, whose its `initial_key` is, and whether it is known.
WHOSE: list[tuple[dict[str, Any], str, bool]] = [
    ({}, "", False),
    ({"initial_key": "A"}, "tag", True),
    ({"initial_key": "o"}, "tag", True),
    *(({"initial_key": text}, "", False) for text in ("", "  ", "-", "?", "\u200b")),
    ({"initial_key": "-", "tempo_key_confidence": 0.2}, "", True),
    ({"initial_key": "A", "tempo_key_source": "manual"}, "manual", True),
    # Said by the marker, in whatever library; in another one it is looked at again.
    (MARKED, SOURCE, False),
    ({**MARKED, "tempo_key_confidence": 0.8}, SOURCE, True),
    ({**MARKED, "tempo_key_source": "tag"}, SOURCE, False),
    ({**MARKED, "tempo_key_source": "manual"}, "manual", False),
    ({**MARKED, "initial_key": "Am"}, "tag", True),
    ({**MARKED, "initial_key": "11B"}, "tag", True),  # another program wrote this
    ({**MARKED, "tempo_key_marker": "A label:deezer"}, "label:deezer", True),
    ({**MARKED, "tempo_key_marker": "nonsense"}, "tag", True),
    # Said by the record.
    (SET, SOURCE, True),
    ({**SET, **MARKED}, SOURCE, True),
    ({**SET, **MARKED, "initial_key": "Bm"}, "manual", True),
    ({**SET, "initial_key": "Bm", "tempo_key_source": "tag"}, "tag", True),
    ({**SET, **MARKED, "tempo_key_source": "manual"}, "manual", True),
    ({**SET, **MARKED, "tempo_key_source": "me"}, SOURCE, True),
    (LABEL, "label:deezer", True),
    ({**LABEL, "tempo_key_source": "label:deezer", "initial_key": "D"}, "manual", True),
    ({**LABEL, "tempo_label_source": "tags"}, "tag", True),
    # No key: never asked for, removed by somebody, and not likely enough.
    ({"tempo_key_source": SOURCE}, "", False),
    ({**SET, "initial_key": ""}, "", False),
    ({"tempo_key_confidence": 0.2}, "", True),
]


@pytest.fixture(autouse=True)
def _plugin(beet: Beet) -> None:
    beet.load()


@pytest.mark.parametrize(("fields", "whose", "is_done"), WHOSE)
def test_whose_key_it_is(fields: dict[str, Any], whose: str, is_done: bool) -> None:
    assert key_origin(Item(**fields)) == whose
    assert is_key_done(Item(**fields)) == is_done


def test_the_database_finds_what_is_to_be_settled_and_asked(beet: Beet) -> None:
    library = beet.library
    for number, (fields, _, _) in enumerate(WHOSE):
        library.add(Item(path=b"/%d.mp3" % number, **fields))
    wrong = [
        item.id for item in library.items() if item.get("tempo_key_source") and settled_key(item)
    ]
    assert len(wrong) == 4
    candidates = ask(library, choosing.UNSETTLED_KEYS)
    assert set(wrong) <= set(candidates)
    assert len(candidates) <= len(wrong) + 1
    choosing.settle(library)
    assert not set(wrong) & {item.id for item in library.items() if settled_key(item)}
    open_ = ask(library, f"SELECT id FROM items WHERE {choosing.WITHOUT_KEY}")
    assert set(open_) == {item.id for item in library.items() if not is_key_done(item)}


def test_what_an_estimate_sets() -> None:
    item = Item(title="A")
    for _ in range(2):
        assert apply_key(item, FOUND, SOURCE) is Decision.SET
        assert (item.initial_key, item.tempo_key, key_origin(item)) == ("A", "A", SOURCE)
        assert item.tempo_key_marker == f"A {SOURCE}"
    better = "model:better@76543210"
    assert apply_key(item, {**FOUND, "key": "F#m"}, better) is Decision.SET  # it was no person's
    assert (item.initial_key, key_origin(item)) == ("F#m", better)
    item.initial_key = "Bm"  # a person
    assert key_origin(item) == "manual"
    assert apply_key(item, FOUND, SOURCE) is Decision.CONFLICT
    assert (item.initial_key, item.tempo_key, item.tempo_key_source) == ("Bm", "A", "manual")
    assert not item.get("tempo_key_marker")
    assert apply_key(item, {**FOUND, "key": "Bm"}, SOURCE) is Decision.KEPT
    assert key_origin(item) == "manual"
    assert apply_key(item, FOUND, SOURCE, force=True) is Decision.SET
    assert (item.initial_key, key_origin(item)) == ("A", SOURCE)


def test_a_key_that_is_not_likely_enough_changes_nothing() -> None:
    item = Item(title="A")
    assert apply_key(item, NOTHING, SOURCE) is Decision.UNSURE
    assert not item.initial_key
    assert item.tempo_key_confidence == 0.2
    assert "tempo_key_source" not in item
    assert is_key_done(item)
    apply_key(item, FOUND, SOURCE)
    for force in (False, True):  # what was found before stays, as the model's
        assert apply_key(item, NOTHING, SOURCE, force=force) is Decision.UNSURE
        assert (item.initial_key, key_origin(item)) == ("A", SOURCE)
    assert apply_key(item, {"bpm": 120.0}, SOURCE) is None  # the key was not asked for


def test_a_label_that_was_applied_is_the_labels() -> None:
    item = Item(title="A", **LABEL)
    assert apply_key(item, FOUND, SOURCE) is Decision.CONFLICT
    assert item.tempo_key_source == "label:deezer"
    item.initial_key = "D"
    assert key_origin(item) == "manual"


@pytest.mark.parametrize("text", ["", "A", "A tag", "model:x", "H2 model:x", "A model:", None, 5])
def test_what_is_no_marker(text: object) -> None:
    assert KEY_MARKER.parse(text) is None


def test_a_marker_is_of_the_key_that_it_was_written_with() -> None:
    marker = KEY_MARKER.parse(str(KEY_MARKER(Key(6, True), SOURCE)))
    assert marker is not None
    assert (str(marker), marker.value, marker.source) == (f"F#m {SOURCE}", Key(6, True), SOURCE)
    assert marker.is_of("F#m")
    assert not any(marker.is_of(text) for text in ("F#", "Gbm", "11A", "", None))


# What stands in files.


@pytest.mark.parametrize("suffix", EACH_FORMAT)
def test_the_marker_in_every_format(suffix: str, beet: Beet, make_audio: MakeAudio) -> None:
    path = make_audio(f"a.{suffix}", duration=8, title="T", artist="B", albumartist="B")
    beet.add(path)
    assert beet("tempo", "--tasks", "key").code == 0
    item, media = beet.item(), MediaFile(path)
    assert item.tempo_key_marker == f"{item.initial_key} {item.tempo_key_source}"
    assert item.tempo_key_source == Estimator(tasks=("key",)).source
    assert (media.initial_key, media.tempo_key_marker) == (item.initial_key, item.tempo_key_marker)
    assert (media.bpm, media.tempo_marker) == (None, None)
    before = dict(item)
    assert beet("update").out == ""
    assert beet("write", "-p").out == ""
    assert {**beet.item(), "mtime": before["mtime"]} == before
    content = path.read_bytes()
    assert "0 tracks analysed" in beet("tempo", "--tasks", "key").out
    assert path.read_bytes() == content
    # Bare files know it as well.
    assert read_track(path).tag_key is None
    assert [track.key for track in gather([path], {}, None, [])] == [""]
    media.initial_key = "Gm"
    media.save()
    assert read_track(path).tag_key == "Gm"


@pytest.fixture
def ours(beet: Beet, in_a: Path) -> Path:
    """A file whose key the plugin wrote in another library."""
    beet.add(in_a)
    assert beet("tempo", "--tasks", "key").code == 0
    beet("remove", "-f")
    assert beet.items() == []
    return in_a


@mostly_slow("auto", [True, False], quick=1)
def test_our_own_key_in_another_library(auto: bool, beet: Beet, ours: Path) -> None:
    beet.configure(tempo={"auto": auto})
    assert beet("import", "-A", "-q", ours.parent).code == 0
    assert key_origin(beet.item()).startswith("model:")
    assert track_of(beet.item()).tag_key is None
    assert beet("update").out == ""
    beet("modify", "-y", "-W", "bpm=125")  # a person
    (track,) = labelled_tracks(beet.library, [], beets.config["tempo"].get(TEMPLATE))
    assert (track.bpm, track.key) == (125, "")
    assert beet("tempo", "--tasks", "key").code == 0
    item = beet.item()
    assert (item.initial_key, item.tempo_key) == ("A", "A")
    assert item.tempo_key_source.startswith("model:")


def test_a_correction_of_our_own_in_another_library(beet: Beet, ours: Path) -> None:
    media = MediaFile(ours)
    media.initial_key = "Bm"
    media.save()
    assert beet("import", "-A", "-q", ours.parent).code == 0
    item = beet.item()
    assert (item.initial_key, item.tempo_key, item.tempo_key_source) == ("Bm", "A", "tag")
    assert MediaFile(item.filepath).initial_key == "Bm"


@mostly_slow(("marker", "whose"), [(f"Em {SOURCE}", SOURCE), (None, "manual")], quick=1)
def test_importing_again_reads_the_marker_again(
    marker: str | None, whose: str, beet: Beet, in_a: Path
) -> None:
    beet("import", "-A", "-q", in_a.parent)
    media = MediaFile(beet.item().filepath)
    media.update({"initial_key": "Em", "tempo_key_marker": marker})
    media.save()
    beet("import", "-A", "-q", beet.music)
    item = beet.item()
    assert (item.initial_key, item.tempo_key_marker) == ("Em", marker)
    assert key_origin(item) == whose


def test_somebodys_key_in_the_file_is_taken(beet: Beet, in_a: Path) -> None:
    """What another program wrote since beets read the file is not overwritten."""
    beet.add(in_a)
    file = mutagen.File(in_a)
    file["INITIALKEY"] = "F# minor"
    file.save()
    assert beet("tempo").code == 0
    item = beet.item()
    assert (item.initial_key, item.tempo_key, item.tempo_key_source) == ("F#m", "A", "tag")
    assert mutagen.File(in_a)["INITIALKEY"] == ["F# minor"]
    assert beet("ls", "-f", "$camelot").out == "11A\n"


def test_another_notation_in_the_file_is_somebodys(beet: Beet, in_a: Path) -> None:
    """A program that writes the same key in its own notation keeps that in the file."""
    beet.add(in_a)
    assert beet("tempo", "-W").code == 0
    assert key_origin(beet.item()).startswith("model:")
    file = mutagen.File(in_a)
    file["INITIALKEY"] = "11B"
    file.save()
    assert beet("tempo", "-f", "--tasks", "key").code == 0
    assert mutagen.File(in_a)["INITIALKEY"] == ["A"]  # with --force
    file["INITIALKEY"] = "11B"
    file.save()
    item = beet.item()
    del item["tempo_key_confidence"]
    item.store()
    assert beet("tempo", "--tasks", "key").code == 0
    assert mutagen.File(in_a)["INITIALKEY"] == ["11B"]
    item = beet.item()
    assert (item.initial_key, item.tempo_key, item.tempo_key_source) == ("A", "A", "tag")


def test_a_key_of_the_analysis_is_no_label_and_no_witness(beet: Beet, in_a: Path) -> None:
    beet.add(in_a)
    beet("tempo")
    described = track_of(beet.item())
    assert (described.tag_key, described.estimate_key) == (None, "A")
    beet("modify", "-y", "-W", "bpm=125", "initial_key=F#m")  # a person
    (track,) = labelled_tracks(beet.library, [], beets.config["tempo"].get(TEMPLATE))
    assert track.key == "F#m"
    assert track_of(beet.item()).tag_key == "F#m"
    beet("tempo")
    assert beet.item().tempo_key_source == "manual"
    beet("modify", "-y", "-W", "initial_key=A", "tempo_key_source=" + SOURCE)
    (track,) = labelled_tracks(beet.library, [], beets.config["tempo"].get(TEMPLATE))
    assert track.key == ""
