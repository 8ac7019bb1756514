"""Tests of the origin of a tempo: an estimate never counts as a person's tempo, nor the reverse."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import mutagen
import pytest
from beets.library import Item
from mediafile import MediaFile

import beetsplug.tempo.choosing as choosing
import tempo_core
from beetsplug.tempo.applying import judged, settled
from beetsplug.tempo.marking import ALL_MARKED
from beetsplug.tempo.moving import tempo_of
from beetsplug.tempo.origin import UNKNOWN_MODEL, is_done, origin
from beetsplug.tempo.selecting import ask
from tempo_core.labels.files import read_track
from tempo_core.markers import TEMPO_MARKER
from tempo_core.tempi import is_tempo
from tests.rows import mostly_slow
from trainer.trainingset.gather import gather

from ..conftest import MakeAudio
from ..formats import EACH_FORMAT
from .conftest import Beet, BpmOf

MODEL = "model:x@01234567"
MARKED = {"bpm": 128, "tempo_marker": f"127.98 {MODEL}"}
ANALYSED = {"bpm": 128, "tempo_bpm": 127.98, "tempo_paces": "128:0.97 64:0.71"}
SET = {**ANALYSED, "tempo_verdict": "set", "tempo_source": MODEL}
LABEL = {"tempo_label_bpm": 64.1, "tempo_source": "label:deezer"}

# Fields of a track, and whose its `bpm` is.
WHOSE: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"bpm": 128}, "tag"),
    ({"bpm": 128, "tempo_source": "tag"}, "tag"),
    ({"bpm": 128, "tempo_source": "manual"}, "manual"),
    # Said by the marker, in whatever library.
    (MARKED, MODEL),
    ({**MARKED, "tempo_source": "tag"}, MODEL),
    ({**MARKED, "bpm": 127}, "tag"),
    ({**MARKED, "bpm": 63}, "tag"),
    ({**MARKED, "tempo_source": "manual"}, "manual"),
    ({**SET, **MARKED, "tempo_source": "manual"}, "manual"),
    ({**SET, **MARKED, "tempo_source": "manual", "tempo_verdict": "kept"}, MODEL),
    ({**SET, **MARKED, "tempo_source": "manual", "tempo_verdict": "kept", "bpm": 63}, "manual"),
    ({**MARKED, "tempo_marker": "64.10 label:deezer", "bpm": 64}, "label:deezer"),
    ({**MARKED, "tempo_marker": "nonsense"}, "tag"),
    ({**MARKED, "tempo_marker": "127.98"}, "tag"),
    # Said by the record, from before there were markers.
    ({**ANALYSED, "tempo_source": MODEL}, MODEL),
    ({**ANALYSED, "tempo_source": MODEL, "bpm": 63}, "manual"),
    ({**ANALYSED, "tempo_source": MODEL, "bpm": 127}, "manual"),
    ({**LABEL, "bpm": 64}, "label:deezer"),
    ({**LABEL, "bpm": 128}, "manual"),
    ({**ANALYSED}, UNKNOWN_MODEL),
    ({**ANALYSED, "bpm": 64}, "tag"),
    ({**ANALYSED, "bpm": 64, "tempo_bpm": 63.99}, "tag"),  # a tag that agreed with a pace
    ({**ANALYSED, "tempo_source": "tag"}, "tag"),
    # The record was removed or changed, the value was not.
    (SET, MODEL),
    ({**SET, "tempo_source": ""}, UNKNOWN_MODEL),
    ({**SET, "tempo_source": "tag"}, UNKNOWN_MODEL),
    ({**SET, "tempo_source": "me"}, UNKNOWN_MODEL),
    ({**SET, **MARKED, "tempo_source": "me"}, MODEL),
    ({**SET, "tempo_source": "manual"}, "manual"),
    ({**SET, **MARKED, "bpm": 63}, "manual"),
    ({**SET, **MARKED, "bpm": 63, "tempo_source": "tag"}, "tag"),
    # Left empty by an analysis, and filled by somebody since, with its very value.
    ({**SET, "tempo_verdict": "unsure"}, "manual"),
    ({**SET, "tempo_verdict": "kept", "tempo_source": ""}, "tag"),
    # No tempo at all.
    *(({**SET, "bpm": bpm}, "") for bpm in (0, -90, 19, 401, 12398, 99999)),
    ({"bpm": -90, "tempo_source": "manual"}, ""),
]


@pytest.fixture(autouse=True)
def _plugin(beet: Beet) -> None:
    beet.load()


@pytest.mark.parametrize(("fields", "whose"), WHOSE)
def test_whose_tempo_it_is(fields: dict[str, Any], whose: str) -> None:
    assert origin(Item(**fields)) == whose


def test_the_database_finds_what_is_to_be_settled(beet: Beet) -> None:
    """The condition in SQL finds all tracks that `origin` disagrees with, and few others."""
    library = beet.library
    for number, (fields, _) in enumerate(WHOSE):
        library.add(Item(path=b"/%d.mp3" % number, **fields))
    wrong = [item.id for item in library.items() if settled(item)]
    assert len(wrong) == 10
    candidates = ask(library, choosing.UNSETTLED)
    assert set(wrong) <= set(candidates)
    assert len(candidates) <= len(wrong) + 2
    choosing.settle(library)
    assert not [item.id for item in library.items() if settled(item)]


def test_the_database_and_python_agree_on_what_is_done(beet: Beet) -> None:
    library = beet.library
    for number, (fields, _) in enumerate(WHOSE):
        library.add(Item(path=b"/%d.mp3" % number, **fields))
    library.add(Item(path=b"/a.mp3", bpm=0, tempo_bpm=90.0, tempo_source=MODEL,
                     tempo_verdict="unsure"))  # fmt: skip
    done = [item.id for item in library.items() if is_done(item)]
    assert set(ask(library, f"SELECT id FROM items WHERE {choosing.DONE}")) == set(done)
    todo = ask(library, f"SELECT id FROM items WHERE {choosing.TO_ANALYSE}")
    assert sorted(todo + done) == sorted(item.id for item in library.items())
    assert len(done) > 10


@pytest.mark.parametrize(
    "text",
    ["", "127.98", "128 tag", "model:x", "127.98 model:", "0.50 model:x", "nan model:x", None, 5],
)
def test_what_is_no_marker(text: object) -> None:
    assert TEMPO_MARKER.parse(text) is None


@pytest.mark.parametrize(
    ("bpm", "rounded"), [(127.98, 128), (127.5, 128), (64.496, 64), (63.495, 63)]
)
def test_a_marker_is_of_the_tempo_that_it_was_written_with(bpm: float, rounded: int) -> None:
    marker = TEMPO_MARKER.parse(str(TEMPO_MARKER(bpm, MODEL)))
    assert marker is not None
    assert marker.source == MODEL
    assert [n for n in range(400) if marker.is_of(n)] == [rounded]


@pytest.mark.parametrize(
    "bpm", [None, 0, 0.5, -90, 19.9, 400.1, 12398, 99999, float("nan"), float("inf")]
)
def test_what_is_no_tempo(bpm: float | None) -> None:
    assert not is_tempo(bpm)


@pytest.mark.parametrize("source", ["tag", "manual"])
def test_the_verdict_is_about_the_bpm_that_is_there(source: str, beet: Beet) -> None:
    fields = {"tempo_bpm": 126.0, "tempo_paces": "126:0.99 63:0.97 42:0.02", "tempo_source": source}
    beet.configure(tempo={"tasks": ["tempo", "pace"]})
    beet.library.add(Item(path=b"/a.mp3", bpm=126, tempo_verdict="kept", **fields))
    for bpm, verdict, tempo in (
        (100, "conflict", 126.0),
        (101, "conflict", 126.0),
        (63, "kept", 63.0),
        (62, "kept", 63.0),
        (126, "kept", 126.0),
    ):
        beet("modify", "-yW", f"bpm={bpm}")
        assert beet("tempo").code == 0
        item = beet.item()
        assert (item.bpm, item.tempo_verdict, item.tempo_bpm) == (bpm, verdict, tempo)
        assert item.tempo_source == source


@pytest.mark.parametrize("estimated", [None, 0.0])
def test_without_an_estimate_there_is_nothing_to_judge_by(estimated: float | None) -> None:
    item = Item(bpm=120, tempo_source="tag", tempo_verdict="kept", tempo_bpm=estimated)
    assert not judged(item)
    assert (item.bpm, item.tempo_verdict) == (120, "kept")


def test_verdicts_of_what_was_analysed_before_there_were_any(beet: Beet) -> None:
    expected = [
        ({**ANALYSED, "tempo_source": MODEL}, "set"),
        ({**ANALYSED, "tempo_source": "tag"}, "kept"),
        ({**ANALYSED, "tempo_source": "tag", "bpm": 125}, "kept"),
        ({**ANALYSED, "tempo_source": "tag", "bpm": 100}, "conflict"),
        ({**ANALYSED, "tempo_source": "manual", "bpm": 100}, "conflict"),
        ({**ANALYSED, "tempo_source": MODEL, "bpm": 64}, "kept"),
        ({**ANALYSED, "tempo_source": MODEL, "bpm": 0}, None),
        ({"bpm": 100, "tempo_source": "manual"}, None),
        ({**SET, "tempo_verdict": "unsure", "bpm": 0}, "unsure"),
        (ANALYSED, None),
    ]
    library = beet.library
    for number, (fields, _) in enumerate(expected):
        library.add(Item(path=b"/%d.mp3" % number, **fields))
    for _ in range(2):
        choosing.settle(library)
        verdicts = [item.get("tempo_verdict") for item in library.items("id+")]
        assert verdicts == [verdict for _, verdict in expected]


# What stands in files.


@pytest.mark.parametrize("suffix", EACH_FORMAT)
def test_the_marker_in_every_format(
    suffix: str, beet: Beet, make_audio: MakeAudio, bpm_of: BpmOf
) -> None:
    path = make_audio(f"a.{suffix}", duration=8, title="T", artist="B", albumartist="B")
    bpm = bpm_of(path)
    beet.add(path)
    assert beet("tempo").code == 0
    item, media = beet.item(), MediaFile(path)
    assert item.tempo_marker == f"{item.tempo_bpm:.2f} {item.tempo_source}"
    assert (media.bpm, media.tempo_marker) == (bpm, item.tempo_marker)
    # Neither of beets' own ways to compare file and library has anything to do, now or later.
    before = dict(item)
    assert beet("update").out == ""
    os.utime(path, (2e9, 2e9))
    assert beet("update").out == ""
    assert beet("write", "-p").out == ""
    assert {**beet.item(), "mtime": before["mtime"]} == before
    content = path.read_bytes()
    assert "0 tracks analysed" in beet("tempo").out
    assert path.read_bytes() == content
    # Bare files know it as well.
    assert read_track(path).tag_bpm is None
    assert [track.bpm for track in gather([path], {}, None, [])] == [0]
    media.bpm = bpm // 2
    media.save()
    assert read_track(path).tag_bpm == str(bpm // 2)


@pytest.mark.parametrize("suffix", EACH_FORMAT)
def test_nothing_is_written_for_somebody_elses_values(
    suffix: str, beet: Beet, make_audio: MakeAudio
) -> None:
    path = make_audio(f"a.{suffix}", duration=8, title="T", artist="B", albumartist="B", bpm=126)
    media = MediaFile(path)
    media.bpm, media.initial_key = 111, "Am"
    media.save()
    beet.add(path)
    content = path.read_bytes()
    assert beet("tempo").code == 0
    assert path.read_bytes() == content
    beet("write", "-f")
    for marked in ALL_MARKED:
        assert getattr(MediaFile(path), marked.marker) is None
        assert beet.item().get(marked.marker) is None
        assert not any(marked.kind.tag in str(key) for key in (mutagen.File(path).tags or {}))


@pytest.fixture
def ours(beet: Beet, make_audio: MakeAudio) -> list[Path]:
    """Files with tempi that the plugin wrote in another library."""
    paths = [
        make_audio(f"new/{title}.{suffix}", duration=8, bpm=bpm, title=title, artist=title,
                   albumartist="B", album="L", track=number)
        for number, (title, suffix, bpm) in enumerate(
            [("A", "mp3", 126), ("B", "flac", 98), ("C", "m4a", 112)], 1
        )
    ]  # fmt: skip
    beet.add(*paths)
    assert beet("tempo").code == 0
    beet("remove", "-f")
    assert beet.items() == []
    return paths


@pytest.mark.slow
@mostly_slow("auto", [True, False], quick=1)
def test_our_own_values_in_another_library(
    auto: bool, beet: Beet, ours: list[Path], bpm_of: BpmOf
) -> None:
    beet.configure(tempo={"auto": auto})
    beet("import", "-A", ours[0].parent)
    assert len(beet.items()) == 3
    for item in beet.items():
        assert origin(item).startswith("model:")
        if auto:
            assert item.tempo_source.startswith("model:")
            assert item.tempo_verdict == "set"
    run = beet("tempo-eval")
    assert run.code == 1
    assert "no track that matches has a label" in run.err
    assert "would learn from nothing" in beet("tempo-train", "-p").out
    assert "3 skipped" in beet("tempo-labels").out
    assert "tempo_label_bpm" not in beet.items()[0]
    beet("tempo")
    assert all(item.tempo_source.startswith("model:") for item in beet.items())
    assert beet("update").out == ""


@pytest.mark.slow
def test_a_correction_of_our_own_in_another_library(beet: Beet, ours: list[Path]) -> None:
    media = MediaFile(ours[0])
    media.bpm = 63
    media.save()
    beet("import", "-A", ours[0].parent)
    item = beet.item("title:A")
    assert (item.bpm, item.tempo_source, item.tempo_verdict) == (63, "tag", "kept")
    assert "A - A: 63 BPM (tag)\n" in beet("tempo-train", "-p").out


@pytest.mark.parametrize(("marker", "whose"), [("62.99 model:other@1", "model:"), (None, "manual")])
def test_importing_again_what_another_library_wrote_to(
    marker: str | None, whose: str, beet: Beet, make_audio: MakeAudio
) -> None:
    """The marker is read again on a new import, for which beets takes only `bpm` from the file."""
    path = make_audio("new/a.mp3", duration=8, bpm=126, title="A", artist="B", albumartist="B")
    beet("import", "-A", path.parent)
    path = beet.item().filepath
    media = MediaFile(path)
    media.update({"bpm": 63, "tempo_marker": marker})
    media.save()
    beet("import", "-A", beet.music)
    item = beet.item()
    assert (item.bpm, item.tempo_marker) == (63, marker)
    assert origin(item).startswith(whose)


# What is changed outside of the plugin.


@pytest.fixture
def analysed(beet: Beet, make_audio: MakeAudio) -> Path:
    path = make_audio("a.mp3", duration=8, bpm=126, title="A", artist="B", albumartist="B")
    beet.add(path)
    assert beet("tempo").code == 0
    return path


def correct(how: str, beet: Beet, path: Path, bpm: int) -> None:
    if how == "modify":
        beet("modify", "-y", f"bpm={bpm}")
    elif how == "modify without tags":
        beet("modify", "-yW", f"bpm={bpm}")
    else:
        media = MediaFile(path)
        media.bpm = bpm
        if how == "another program that drops the marker":
            media.tempo_marker = None
        media.save()
        os.utime(path, (2e9, 2e9))
        beet("update")
    assert beet.item().bpm == bpm


CORRECTED = [
    "modify", "modify without tags", "another program", "another program that drops the marker",
]  # fmt: skip


@mostly_slow("how", CORRECTED, quick=(0, 3))
@mostly_slow(("bpm", "verdict"), [(63, "kept"), (100, "conflict")], quick=1)
def test_a_correction_survives(
    how: str, bpm: int, verdict: str, beet: Beet, analysed: Path
) -> None:
    correct(how, beet, analysed, bpm)
    before = beet.database.read_bytes()
    pretended = beet("tempo", "-pf", "tempo_source::^model:")
    assert pretended.out.startswith("tempo: would have: 0 tracks analysed")
    assert beet.database.read_bytes() == before
    run = beet("tempo", "-f", "tempo_source::^model:")
    assert (run.code, run.out.split(":")[1]) == (0, " 0 tracks analysed")
    item = beet.item()
    assert (item.bpm, item.tempo_source, item.tempo_verdict) == (bpm, "manual", verdict)
    beet("tempo")
    assert beet.item().bpm == bpm
    assert f"{bpm} BPM (manual)" in beet("tempo-train", "-p").out
    # As promised, plain `-f` overwrites whoever set it.
    beet("tempo", "-f")
    assert beet.item().bpm == MediaFile(analysed).bpm == 126


def test_our_own_value_that_comes_back_from_the_file(beet: Beet, analysed: Path) -> None:
    """A model's tempo that comes back from the file is not `manual`, as its correction was."""
    beet("modify", "-yW", "bpm=63")
    beet("tempo")
    assert beet.item().tempo_source == "manual"
    beet("update")
    assert beet.item().bpm == 126
    assert "would learn from nothing" in beet("tempo-train", "-p").out
    beet("tempo")
    item = beet.item()
    assert item.tempo_source.startswith("model:")
    assert (item.tempo_verdict, round(item.tempo_bpm)) == ("set", 126)
    # To say it of this one is another matter, and survives another analysis.
    beet("modify", "-yW", "tempo_source=manual")
    beet("modify", "-yW", "tempo_bpm!")
    beet("tempo")
    item = beet.item()
    assert (item.bpm, origin(item), item.tempo_verdict) == (126, "manual", "kept")
    assert "126 BPM (manual)" in beet("tempo-train", "-p").out


@mostly_slow("moment", [2e9, None], quick=1)  # None: programs can keep a file's time
@pytest.mark.parametrize("drop", [True, False])
@pytest.mark.parametrize("command", ["tempo", "tempo-labels"])
def test_a_tempo_in_the_file_that_beets_has_not_seen_yet(
    command: str, drop: bool, moment: float | None, beet: Beet, make_audio: MakeAudio
) -> None:
    """A tempo that another program wrote to a file is kept before `beet update` has read it."""
    path = make_audio("a.mp3", duration=8, bpm=126, title="A", artist="B", albumartist="B")
    beet.add(path)
    moment = path.stat().st_mtime if moment is None else moment
    media = MediaFile(path)
    media.bpm = 101
    media.tempo_marker = None if drop else f"63.02 {MODEL}"  # of a tempo that it had elsewhere
    media.save()
    os.utime(path, (moment, moment))
    if command == "tempo":
        assert "1 kept in conflict" in beet("tempo").out
        assert beet.item().tempo_source == "tag"
    else:
        table = path.with_suffix(".tsv")
        columns = ["title", "artist", "album", "genre", "path", "tempo", "key"]
        table.write_text(
            "\t".join(columns) + "\n" + "\t".join(["A", "B", "", "", str(path), "126", ""]) + "\n"
        )
        beet("tempo-labels", "--apply", "--import", str(table), "--source", "tags")
    assert beet.item().bpm == MediaFile(path).bpm == 101
    assert origin(beet.item()) == "tag"
    assert "101 BPM (tag)" in beet("tempo-train", "-p").out


@mostly_slow("change", ["tempo_source!", "tempo_source=tag", "tempo_source=me"], quick=1)
@pytest.mark.parametrize("marked", [True, False])
def test_a_changed_record_makes_nobody_of_it(
    change: str, marked: bool, beet: Beet, analysed: Path
) -> None:
    if not marked:  # as analysed by an earlier version
        item = beet.item()
        del item["tempo_marker"]
        if change == "tempo_source!":
            del item["tempo_verdict"]
        item.store()
    beet("modify", "-yW", change)
    assert "would learn from nothing" in beet("tempo-train", "-p").out
    assert beet("tempo-eval").code == 1
    beet("tempo-labels")
    assert "tempo_label_bpm" not in beet.item()
    beet("tempo")
    item = beet.item()
    assert item.tempo_source.startswith("model:")
    assert item.tempo_verdict == "set"


def test_a_person_may_stand_by_our_value(beet: Beet, analysed: Path) -> None:
    beet("modify", "-y", "tempo_source=manual")
    beet("tempo")
    assert beet.item().tempo_source == "manual"
    assert "126 BPM (manual)" in beet("tempo-train", "-p").out


@mostly_slow("bpm", [-90, 5, 12398, 99999], quick=(0, 2))
def test_an_impossible_tempo_is_a_missing_one(
    bpm: int, beet: Beet, make_audio: MakeAudio, bpm_of: BpmOf
) -> None:
    path = make_audio("a.flac", duration=8, bpm=126, title="A", artist="B", albumartist="B")
    expected = bpm_of(path)
    file = mutagen.File(path)
    file["bpm"] = str(bpm)
    file.save()
    beet.add(path)
    assert beet.item().bpm == bpm
    run = beet("tempo-eval")
    assert run.code == 1
    assert "no track that matches has a label" in run.err
    assert "would learn from nothing" in beet("tempo-train", "-p").out
    assert beet("ls", f"pace:{bpm - 10}..{bpm + 10}" if bpm > 0 else "pace:..0").out == ""
    assert beet("tempo", "--cadence", "1..100000").code == 1
    assert "has no tempo" in beet("tempo-mix", "title:A").err
    kept = [track.bpm for track in gather([path], {}, None, []) if is_tempo(track.bpm)]
    assert kept == []
    assert "1 set" in beet("tempo").out
    assert beet.item().bpm == MediaFile(path).bpm == expected


@pytest.mark.parametrize("change", ["tempo", "removed"])
def test_what_is_changed_during_an_analysis(
    change: str, beet: Beet, make_audio: MakeAudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes that people make to the library during an analysis are kept."""
    path = make_audio("a.flac", duration=8, bpm=126, title="A", artist="B", albumartist="B")
    beet.add(path)
    results = tempo_core.Estimator.results
    library = beet.library

    def meanwhile(self: Any, path: Any, genres: Any) -> Any:
        item = library.items().get()
        assert item is not None
        if change == "tempo":
            item.bpm = 63
            item.store()
        else:
            item.remove()
        return results(self, path, genres)

    monkeypatch.setattr(tempo_core.Estimator, "results", meanwhile)
    assert beet("tempo", "-t", "1").code == 0
    assert [(item.bpm, item.tempo_verdict) for item in beet.items()] == (
        [(63, "kept")] if change == "tempo" else []
    )


@pytest.mark.parametrize(
    ("fields", "tempo"),
    [
        ({"bpm": 128, "tempo_bpm": 127.98}, 127.98),
        ({"bpm": 64, "tempo_bpm": 63.99}, 63.99),
        ({"bpm": 100, "tempo_bpm": 127.98}, 100),  # in conflict
        ({"bpm": 63, "tempo_bpm": 127.98}, 63),  # corrected since
        ({"bpm": 100}, 100),
        ({"bpm": 0, "tempo_bpm": 127.98}, 127.98),
        ({"bpm": -90}, 0),
        ({"bpm": 12398}, 0),
        ({"bpm": 12398, "tempo_bpm": 127.98}, 127.98),
    ],
)
def test_the_tempo_to_mix_by(fields: dict[str, Any], tempo: float) -> None:
    assert tempo_of(Item(**fields)) == tempo
