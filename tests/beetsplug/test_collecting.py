"""Tests of the labels of a library that a model may learn from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mutagen
import pytest
from mediafile import MediaFile

from beetsplug.tempo.collecting import labelled_tracks
from beetsplug.tempo.describing import track_of
from beetsplug.tempo.settings import TEMPLATE
from tempo_core.labels.files import read_track
from tempo_core.labels.record import LabelVerdict, Record, Status
from tempo_core.labels.store import Store
from trainer.trainingset.build import BuildOptions, build
from trainer.trainingset.gather import gather
from trainer.trainingset.tables import (
    CollectedTrack,
    LabelledTrack,
    collected,
    read_table,
    write_table,
)

from ..conftest import MakeAudio
from .conftest import Beet

Collect = Callable[..., list[LabelledTrack]]
ESTIMATED = {"tempo_bpm": 97.02, "tempo_source": "model:x@01234567"}


@pytest.fixture
def collect(beet: Beet) -> Collect:
    def run(*query: str) -> list[LabelledTrack]:
        import beets

        beet.load()
        settings = beets.config["tempo"].get(TEMPLATE)
        return list(labelled_tracks(beet.library, list(query), settings))

    return run


def tag(path: Path, bpm: str) -> None:
    file = mutagen.File(str(path))
    file.tags.add(mutagen.id3.TBPM(encoding=3, text=[bpm]))
    file.save()


@pytest.mark.parametrize(
    ("fields", "written", "expected"),
    [
        ({"bpm": 0}, None, None),
        ({"bpm": 128}, None, (128.0, "field", "")),
        ({"bpm": 128}, "127.98", (127.98, "tag", "")),
        ({"bpm": 127}, "127.98", (127.98, "tag", "")),
        ({"bpm": 128}, "97", (128.0, "field", "tag 97")),
        ({"bpm": 128}, "nonsense", (128.0, "field", "")),
        ({"bpm": 128, "tempo_source": "tag"}, None, (128.0, "field", "")),
        ({"bpm": 128, "tempo_source": "manual"}, "128", (128.0, "manual", "")),
        ({"bpm": 128, "tempo_source": "manual"}, "97", (128.0, "manual", "tag 97")),
        ({"bpm": 97, **ESTIMATED}, "97", None),
        ({"bpm": 97, **ESTIMATED}, "128", None),
        ({"bpm": 194, **ESTIMATED}, "97", (194.0, "manual", "")),
        ({"bpm": 194, **ESTIMATED}, "128", (194.0, "manual", "tag 128")),
        ({"bpm": 64, "tempo_source": "label:deezer", "tempo_label_bpm": 64.1}, None, None),
        ({"bpm": 128, "tempo_source": "label:deezer", "tempo_label_bpm": 64.1}, None,
         (128.0, "manual", "")),
    ],
)  # fmt: skip
def test_whose_label(
    fields: dict[str, Any],
    written: str | None,
    expected: tuple[float, str, str] | None,
    beet: Beet,
    collect: Collect,
    make_audio: MakeAudio,
) -> None:
    path = make_audio("a.mp3", duration=2, title="T", artist="A")
    beet.add(path, **fields)
    if written:
        tag(path, written)
    found = [(t.bpm, t.label_source, t.other_labels) for t in collect()]
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("source", "verdict", "usable"),
    [
        ("acousticbrainz", LabelVerdict.AGREE, True),
        ("acousticbrainz", LabelVerdict.CONFLICT, False),
        ("deezer", LabelVerdict.AGREE, False),
    ],
)
def test_published_labels(
    source: str,
    verdict: LabelVerdict,
    usable: bool,
    beet: Beet,
    collect: Collect,
    make_audio: MakeAudio,
) -> None:
    beet.add(make_audio("a.mp3", duration=2, title="T", artist="A"), bpm=97, **ESTIMATED)
    beet.load()
    track = track_of(beet.item())
    with Store(beet.database.parent / "labels.db") as store:
        store.add(
            Record(track.id, source, Status.FOUND, "", "A", "T", "2024-01-01T00:00:00+00:00", 1,
                   bpm=97.3, verdict=verdict, match_title="T (there)")
        )  # fmt: skip
    found = [(t.bpm, t.label_source, t.label_title) for t in collect()]
    assert found == ([(97.3, f"label:{source}", "T (there)")] if usable else [])


@pytest.mark.parametrize("fields", [ESTIMATED, {"tempo_marker": "97.02 model:x@01234567"}])
def test_our_own_tempo_is_no_published_tag(
    fields: dict[str, Any], beet: Beet, collect: Collect, make_audio: MakeAudio, tmp_path: Path
) -> None:
    """A tempo of the plugin that an earlier version stored as a label of `tags` is no label."""
    beet.load()
    path = make_audio("a.mp3", duration=2, title="T", artist="A", bpm=97)
    media = MediaFile(path)
    media.bpm, media.tempo_marker = 97, "97.02 model:x@01234567"
    media.save()
    beet.add(path, **{"bpm": 97, **fields})
    database = beet.database.parent / "labels.db"
    with Store(database) as store:
        for track in (track_of(beet.item()), read_track(path)):
            store.add(
                Record(track.id, "tags", Status.FOUND, "", "A", "T", "2024-01-01T00:00:00+00:00", 1,
                       bpm=97.0, verdict=LabelVerdict.AGREE, match_title="T")
            )  # fmt: skip
    assert collect() == []
    with Store(database, read_only=True) as store:
        assert [track.bpm for track in gather([path], {}, store, [])] == [0.0]


def test_what_else_is_known(beet: Beet, collect: Collect, make_audio: MakeAudio) -> None:
    path = make_audio("ä b.mp3", duration=2)
    beet.add(
        path, bpm=128, title="T", artist="A feat. B", artists=["A", "B"], album="L", year=1999,
        genres=["house", "techno"], mb_trackid="0123",
    )  # fmt: skip
    (track,) = collect()
    assert track == LabelledTrack(
        path, 128.0, "field", "A feat. B; A; B", "T", "L", "house; techno", 1999, "0123"
    )


def test_the_query_selects(beet: Beet, collect: Collect, make_audio: MakeAudio) -> None:
    for title in ("one", "two"):
        beet.add(make_audio(f"{title}.mp3", duration=2), title=title, bpm=120)
    assert [t.title for t in collect("title:two")] == ["two"]
    assert collect("title:three") == []


def test_from_a_library_to_a_training_set(
    beet: Beet, collect: Collect, make_audio: MakeAudio, tmp_path: Path
) -> None:
    for k, bpm in enumerate((126, 96, 112)):
        path = make_audio(f"{k}.flac", duration=12, bpm=bpm, seed=k)
        beet.add(path, title=f"T{k}", artist=f"A{k}", bpm=bpm)
    built = build(collect(), tmp_path / "set", BuildOptions(jobs=1, quiet=True, views=False))
    assert sorted(track.split for track in built.kept) == ["test", "train", "validation"]


def test_a_persons_word_survives_an_analysis(
    beet: Beet, collect: Collect, make_audio: MakeAudio
) -> None:
    beet.add(make_audio("a.mp3", duration=8, bpm=126), bpm=84, tempo_source="manual")
    assert beet("tempo", "-W").code == 0
    assert beet.item().tempo_source == "manual"
    assert [(t.bpm, t.label_source) for t in collect()] == [(84.0, "manual")]


def test_a_text_without_end_is_cut_so_that_the_training_set_can_be_read(
    beet: Beet, collect: Collect, make_audio: MakeAudio, tmp_path: Path
) -> None:
    path = make_audio("a.wav", duration=2, sr=8000, channels=1)
    long = "x" * 200_000
    genres = [f"genre number {n}" for n in range(20_000)]
    beet.load()
    fields = {"artist": long, "title": long, "album": long, "mb_trackid": long}
    beet.add(path, bpm=120, genres=genres, **fields)
    tracks = [collected(track, "", 2.0) for track in collect()]
    write_table(tmp_path / "tracks.tsv", tracks, CollectedTrack)
    (read,) = read_table(tmp_path / "tracks.tsv", CollectedTrack)
    assert read == tracks[0]
    assert read.genre.startswith("genre number 0; genre number 1; ")
