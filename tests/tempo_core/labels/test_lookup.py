"""Tests of a look-up: order of sources, choice of answers, the store, and what stops a run."""

from __future__ import annotations

import dataclasses
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tempo_core.errors import LabelError
from tempo_core.labels.demo_site import API_KEY, CATALOGUE, DemoSite, Entry, decoys
from tempo_core.labels.http.session import Timing
from tempo_core.labels.lookup import LookedUp, Run, choose, look_up
from tempo_core.labels.matching import GATES
from tempo_core.labels.options import LabelOptions, attributions, open_plan, open_run
from tempo_core.labels.record import LabelVerdict, Record, Status, TrackQuery
from tempo_core.labels.store import Store
from tempo_core.labels.summary import Tally, describe
from tempo_core.labels.training import objection

from .conftest import MakeSession, track_of

SONGS = [Entry(f"Song {name}", "The Lintels", 100 + 7 * i) for i, name in enumerate("ABCDEF")]
TRACKS = [track_of(entry) for entry in SONGS]


@pytest.fixture
def options(site: DemoSite, tmp_path: Path) -> LabelOptions:
    site.entries[:] = [e for song in SONGS for e in (song, *decoys(song))]
    return LabelOptions(
        ("musicstax",),
        tmp_path / "labels.db",
        site.urls,
        interval=0.0,
        values={"getsongbpm_key": API_KEY},
    )


def run_all(
    options: LabelOptions, tracks: list[TrackQuery] = TRACKS, **changes: Any
) -> list[LookedUp]:
    with quick(options, **changes) as run:
        return list(run.label(tracks))


@contextmanager
def quick(options: LabelOptions, stopped: list[str] | None = None, **changes: Any) -> Iterator[Run]:
    """A run that does not wait long between two tries."""
    told = [] if stopped is None else stopped
    changed = dataclasses.replace(options, **changes)
    with open_run(changed, told.append, Timing(backoff=0.01)) as run:
        yield run


def test_what_is_known_is_not_asked_again(options: LabelOptions, site: DemoSite) -> None:
    first = run_all(options)
    assert [labelled.status for labelled in first] == [Status.FOUND] * 6
    assert all(labelled.asked == ("musicstax",) for labelled in first)
    n_hits = len(site.hits)
    options.pages.unlink()  # not even the cache is needed
    again = run_all(options)
    assert len(site.hits) == n_hits
    assert [labelled.chosen for labelled in again] == [labelled.chosen for labelled in first]
    assert all(labelled.asked == () for labelled in again)


def test_force_asks_again_and_keeps_the_old_answer(options: LabelOptions, site: DemoSite) -> None:
    run_all(options, TRACKS[:1])
    n_hits = len(site.hits)
    site.entries[0] = dataclasses.replace(SONGS[0], bpm=50)
    (labelled,) = run_all(options, TRACKS[:1], force=True)
    assert len(site.hits) > n_hits
    assert labelled.chosen is not None
    assert (labelled.chosen.bpm, labelled.chosen.verdict) == (50, LabelVerdict.OCTAVE)
    with Store(options.database, read_only=True) as store:
        assert [record.raw_bpm for record in store] == ["100", "50"]


def test_only_what_failed_is_asked_again(options: LabelOptions, site: DemoSite) -> None:
    troubles = ["", "down", "missing", "redesigned", "down", ""]
    site.entries[:] = [
        dataclasses.replace(song, trouble=trouble)
        for song, trouble in zip(SONGS, troubles, strict=True)
    ]
    statuses = [labelled.status for labelled in run_all(options)]
    assert statuses == [
        Status.FOUND, Status.RETRYABLE, Status.NOT_FOUND, Status.PARSE_ERROR, Status.RETRYABLE,
        Status.FOUND,
    ]  # fmt: skip
    site.entries[:] = SONGS
    again = run_all(options)
    assert [bool(labelled.asked) for labelled in again] == [False, True, False, False, True, False]
    assert [labelled.status for labelled in again][1:5:3] == [Status.FOUND, Status.FOUND]


def test_a_better_parser_reads_again_from_the_cache(
    options: LabelOptions, site: DemoSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tempo_core.labels.sources.musicstax.source import MusicStax

    run_all(options)
    n_hits = len(site.hits)
    monkeypatch.setattr(MusicStax, "parser_version", MusicStax.parser_version + 1)
    assert all(labelled.asked for labelled in run_all(options))
    assert len(site.hits) == n_hits


def test_a_corrected_title_is_another_track_and_a_moved_file_is_not() -> None:
    track = TRACKS[0]
    assert dataclasses.replace(track, path="elsewhere.mp3", estimate_bpm=1.0).id == track.id
    for change in ({"title": "Song"}, {"artists": ("X",)}, {"duration": 1.0}, {"isrc": "X"}):
        assert dataclasses.replace(track, **change).id != track.id


def test_a_source_that_blocks_is_left_alone_and_the_rest_goes_on(
    options: LabelOptions, site: DemoSite
) -> None:
    site.entries[6] = dataclasses.replace(SONGS[1], trouble="blocked")
    assert site.entries[6].title == "Song B"
    told: list[str] = []
    tagged = [dataclasses.replace(track, tag_bpm="77") for track in TRACKS]
    with quick(options, told, sources=("musicstax", "tags")) as run:
        result = list(run.label(tagged))
    assert [labelled.left for labelled in result] == [(), (), *[("musicstax",)] * 4]
    assert result[1].records[0].status is Status.BLOCKED
    assert [labelled.chosen and labelled.chosen.source for labelled in result][1:] == ["tags"] * 5
    assert len(told) == 1
    assert "challenge" in told[0]
    n_hits = len(site.hits)
    site.blocking = False
    site.entries[6] = SONGS[1]
    again = run_all(options)
    assert [labelled.status for labelled in again] == [Status.FOUND] * 6
    assert [bool(labelled.asked) for labelled in again] == [False, *[True] * 5]
    assert len(site.hits) > n_hits


def test_failures_in_a_row_end_the_asking(options: LabelOptions, site: DemoSite) -> None:
    site.entries[:] = [dataclasses.replace(song, trouble="down") for song in SONGS]
    told: list[str] = []
    with quick(options, told) as run:
        result = list(run.label(TRACKS))
    assert [labelled.status for labelled in result] == [*[Status.RETRYABLE] * 3, *[None] * 3]
    assert told == ["musicstax is not asked any more: 3 failures in a row"]
    (*_, summary) = _tally(result, run)
    assert "3 left for the next run (see above)" in summary


def _tally(result: list[LookedUp], run: Run) -> list[str]:
    tally = Tally()
    for labelled in result:
        tally.add(labelled)
    return [*map(describe, result), tally.summary(run)]


def test_when_the_requests_are_spent_the_rest_waits(options: LabelOptions, site: DemoSite) -> None:
    with quick(options, max_requests=5) as run:
        result = list(run.label(TRACKS))
    n_found = sum(labelled.status is Status.FOUND for labelled in result)
    assert 0 < n_found < 6
    assert sum(labelled.left == ("musicstax",) for labelled in result) == 6 - n_found
    assert len(site.hits) == run.n_requests == 5
    lines = _tally(result, run)
    assert lines[-1].endswith(f"{6 - n_found} left for the next run (the requests are spent)")
    assert lines[-2] == "The Lintels - Song F: left (musicstax: left for the next run)"
    assert [labelled.status for labelled in run_all(options)] == [Status.FOUND] * 6


def test_a_second_opinion_is_asked_only_in_doubt(options: LabelOptions, site: DemoSite) -> None:
    tracks = [TRACKS[0], dataclasses.replace(TRACKS[1], estimate_bpm=71.0)]
    sure, doubtful = run_all(options, tracks, sources=("musicstax", "songbpm"))
    assert sure.asked == ("musicstax",)
    assert doubtful.asked == ("musicstax", "songbpm")


def test_nothing_is_asked_of_a_track_without_tags(options: LabelOptions, site: DemoSite) -> None:
    (labelled,) = run_all(options, [TrackQuery("", ("Somebody",))])
    assert labelled.status is Status.SKIPPED
    assert "lacks title" in describe(labelled)
    assert site.hits == []
    with Store(options.database) as store:
        assert len(store) == 0


def test_two_good_candidates_that_differ_are_no_label(
    options: LabelOptions, site: DemoSite
) -> None:
    site.entries.append(dataclasses.replace(SONGS[0], bpm=64, album="Other"))
    (labelled,) = run_all(options, TRACKS[:1])
    assert (labelled.status, labelled.chosen) == (Status.AMBIGUOUS, None)
    assert "equally good candidates: 100 or 64" in describe(labelled)
    record = labelled.records[0]
    assert (record.bpm, record.raw_bpm) == (None, "100")
    site.entries[-1] = dataclasses.replace(SONGS[0], bpm=103, album="Other")
    (labelled,) = run_all(options, TRACKS[:1], force=True)
    assert labelled.status is Status.FOUND


def test_an_isrc_decides_between_candidates(options: LabelOptions, site: DemoSite) -> None:
    site.entries[:] = [
        dataclasses.replace(SONGS[0], bpm=64, album="Other", isrc="USAAA0000001"),
        dataclasses.replace(SONGS[0], isrc="USAAA0000002"),
    ]
    track = dataclasses.replace(TRACKS[0], isrc="USAAA0000002")
    (labelled,) = run_all(options, [track], sources=("deezer",))
    assert labelled.chosen is not None
    assert (labelled.chosen.bpm, labelled.chosen.match_isrc) == (100, "USAAA0000002")


def test_a_doubtful_duration_is_for_a_person(options: LabelOptions) -> None:
    track = dataclasses.replace(TRACKS[0], duration=207.0)
    (labelled,) = run_all(options, [track])
    assert labelled.status is Status.AMBIGUOUS
    assert "duration (-7 s)" in describe(labelled)


def test_the_first_query_that_succeeds_is_the_last(options: LabelOptions, site: DemoSite) -> None:
    run_all(options, TRACKS[:1])
    n_searches = sum("/search?" in path for path in site.paths())
    assert n_searches == 1
    guests = "Nobody At All That Anybody Here Has Ever Heard Of Before"
    track = dataclasses.replace(TRACKS[1], title=f"Song B (feat. {guests})")
    (labelled,) = run_all(options, [track])
    assert labelled.status is Status.FOUND
    assert sum("/search?" in path for path in site.paths()) == 3


def test_a_bug_costs_one_track(
    options: LabelOptions, site: DemoSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tempo_core.labels.sources.musicstax import source as musicstax

    read = musicstax.parse_search
    calls = iter([True, False])

    def buggy(*args: Any) -> Any:
        return [][1] if next(calls) else read(*args)

    monkeypatch.setattr(musicstax, "parse_search", buggy)
    first, second = run_all(options, TRACKS[:2])
    assert first.status is Status.PARSE_ERROR
    assert "IndexError" in first.records[0].message
    assert second.status is Status.FOUND


def test_the_verdict_follows_the_audio_and_the_raw_value_does_not(
    options: LabelOptions, site: DemoSite
) -> None:
    verdicts = []
    for estimate in (None, 100.2, 50.1, 66.8, 89.0, 33.3):
        track = dataclasses.replace(TRACKS[0], estimate_bpm=estimate)
        (labelled,) = run_all(options, [track])
        assert labelled.chosen is not None
        verdicts.append(labelled.chosen.verdict.value)
    assert verdicts == ["no_estimate", "agree", "octave", "meter", "conflict", "triple"]
    with Store(options.database) as store:
        (record,) = store
    assert (record.raw_bpm, record.bpm, record.verdict) == ("100", 100, LabelVerdict.TRIPLE)


def test_a_plan_asks_nothing_and_leaves_nothing(options: LabelOptions, site: DemoSite) -> None:
    sources = dataclasses.replace(options, sources=("tags", "musicstax", "deezer"))
    with open_plan(sources) as plan:
        assert plan(TRACKS[0]) == ["musicstax", "deezer"]
        assert plan(TrackQuery("", ())) == []
    assert site.hits == []
    assert not options.database.exists()
    run_all(options, TRACKS[:1])
    with open_plan(sources) as plan:
        assert plan(TRACKS[0]) == ["deezer"]
        assert plan(TRACKS[1]) == ["musicstax", "deezer"]


def record(
    source: str, bpm: float, verdict: LabelVerdict = LabelVerdict.NO_ESTIMATE, **more: Any
) -> Record:
    return Record(
        "id", source, Status.FOUND, "", "A", "T", "2026-01-01", 1, bpm=bpm, verdict=verdict, **more
    )


def test_witnesses_of_one_family_are_one() -> None:
    stax, song, recco = (record(s, 64) for s in ("musicstax", "songbpm", "reccobeats"))
    deezer = record("deezer", 128)
    assert choose([stax, song, recco, deezer]) is stax  # one to one: the order counts
    agrees = dataclasses.replace(deezer, verdict=LabelVerdict.AGREE)
    assert choose([stax, song, recco, agrees]) is agrees
    tags = record("tags", 64.5)
    assert choose([agrees, stax, tags]) is stax  # two independent ones against one
    assert choose([]) is None
    assert choose([dataclasses.replace(stax, status=Status.NOT_FOUND)]) is None


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (record("tags", 120, LabelVerdict.AGREE), ""),
        (record("acousticbrainz", 120, LabelVerdict.AGREE), ""),
        (record("tags", 120, LabelVerdict.OCTAVE), "verdict: octave"),
        (record("tags", 120), "verdict: no_estimate"),
        (record("musicstax", 120, LabelVerdict.AGREE), "licence: derived from Spotify"),
        (record("deezer", 120, LabelVerdict.AGREE), "licence: Deezer"),
        (None, "no label"),
    ],
)
def test_what_may_be_trained_on(label: Record | None, reason: str) -> None:
    assert objection(label).startswith(reason)
    assert bool(objection(label)) == bool(reason)


def test_the_user_may_have_a_right_to_more() -> None:
    label = record("deezer", 60, LabelVerdict.OCTAVE)
    assert objection(label, ["deezer"], [LabelVerdict.OCTAVE]) == ""


def test_data_that_wants_to_be_attributed_is() -> None:
    assert attributions(["tags", "getsongbpm"]) == [
        "BPM and key data by GetSongBPM, https://getsongbpm.com"
    ]
    assert attributions(["musicstax"]) == []


# Stopping.


@pytest.mark.slow
def test_stopping_abandons_what_is_being_waited_for(options: LabelOptions, site: DemoSite) -> None:
    stop = threading.Event()
    with quick(options, interval=30.0) as run:
        labelled = run.label(TRACKS, stop.is_set)
        threading.Timer(0.2, stop.set).start()
        begin = time.monotonic()
        assert list(labelled) == []
        assert time.monotonic() - begin < 2
    n_hits = len(site.hits)
    time.sleep(0.2)
    assert len(site.hits) == n_hits  # nothing goes on behind the run's back
    assert [labelled.status for labelled in run_all(options)] == [Status.FOUND] * 6


KILLED = """
import os, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tempo_core.labels.demo_site import Entry
from tempo_core.labels.options import LabelOptions, open_run
from tempo_core.labels.record import TrackQuery
from tempo_core.labels.store import Store
import signal
add, calls = Store.add, 0
def fatal(self, record):
    global calls
    calls += 1
    if calls == 3 and not {after}:
        os.kill(os.getpid(), signal.SIGKILL)
    add(self, record)
    if calls == 3:
        os.kill(os.getpid(), signal.SIGKILL)
Store.add = fatal
tracks = [TrackQuery(f"Song {{name}}", ("The Lintels",), duration=200.4) for name in "ABCDEF"]
options = LabelOptions(("musicstax",), Path({database!r}), {urls!r}, interval=0.0)
with open_run(options) as run:
    for labelled in run.label(tracks):
        pass
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_kill_9_keeps_every_finished_track(
    after: bool, options: LabelOptions, site: DemoSite
) -> None:
    root = str(Path(__file__).parents[3])
    code = KILLED.format(
        root=root, database=str(options.database), urls=dict(options.urls), after=after
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with Store(options.database) as store:
        assert len(store) == 2 + after
    tracks = [dataclasses.replace(track, album="", estimate_bpm=None) for track in TRACKS]
    n_hits = len(site.hits)
    again = run_all(options, tracks)
    assert [bool(labelled.asked) for labelled in again] == [
        *[False] * (2 + after), *[True] * (4 - after)
    ]  # fmt: skip
    assert all(labelled.status is Status.FOUND for labelled in again)
    # What was fetched for the third track before the kill comes from the cache.
    assert len(site.hits) - n_hits <= 3 * 3 + 1
    with sqlite3.connect(options.database) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


# The store.


def test_every_field_comes_back(tmp_path: Path) -> None:
    full = record(
        "musicstax", 120.5, LabelVerdict.OCTAVE, path="/a", source_id="x", url="http://x",
        raw_key="Am",
        raw_bpm="120.5", key="Am", match_title="T", match_artist="A", match_duration=3.5,
        match_isrc="I", scores={"title": 100.0}, estimate_bpm=60.25, estimate_key="C",
    )  # fmt: skip
    with Store(tmp_path / "deep" / "labels.db") as store:
        store.add(full)
        store.add(dataclasses.replace(full, source="deezer"))
        store.add(dataclasses.replace(full, track="other"))
    with Store(tmp_path / "deep" / "labels.db") as store:
        current = store.current("id")
        assert current["musicstax"] == full
        assert set(current) == {"musicstax", "deezer"}
        store.add(dataclasses.replace(full, bpm=1.0))
        assert store.current("id")["musicstax"].bpm == 1.0
        assert len(store) == 4


def test_a_file_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database " * 1000)
    other = tmp_path / "library.db"
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE items (id)")
    db.close()
    newer = tmp_path / "newer.db"
    db = sqlite3.connect(newer)
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = {path: path.read_bytes() for path in (text, newer)}
    for path in (text, other, newer, tmp_path):
        for read_only in (False, True):
            with pytest.raises(LabelError, match=str(path)), Store(path, read_only=read_only):
                pass
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(LabelError, match="not a usable label store"):
        Store(tmp_path / "labels.db")


def test_gates_can_be_left_out_to_see_what_they_are_good_for(
    options: LabelOptions, site: DemoSite, make_session: MakeSession
) -> None:
    from tempo_core.labels.sources import make_sources

    site.entries[:] = decoys(SONGS[0])
    (source,) = make_sources(["musicstax"], options.settings, make_session())
    assert look_up(TRACKS[0], source, GATES).status is Status.NOT_FOUND
    assert look_up(TRACKS[0], source, ()).status in (Status.FOUND, Status.AMBIGUOUS)


def test_the_demo_site_has_what_it_says() -> None:
    assert len(decoys(CATALOGUE[0])) == 5
    assert len({entry.id for entry in decoys(CATALOGUE[0])} | {CATALOGUE[0].id}) == 6


def test_a_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    mask = os.umask(0o000)
    try:
        with Store(path):
            assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o644)  # as an earlier version made it
        with Store(path) as store:
            store.add(record("tags", 120))
            files = list(tmp_path.iterdir())
            assert len(files) == 3
            assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    finally:
        os.umask(mask)


def test_what_is_no_store_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(b"music" * 500)
    path.chmod(0o644)
    with pytest.raises(LabelError, match="not a usable label store"):
        Store(path)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"music" * 500, 0o644)


def test_an_empty_store_is_an_empty_one(tmp_path: Path) -> None:
    """An empty file, left by a run that was killed at its start, is an empty store."""
    path = tmp_path / "labels.db"
    path.touch()
    with Store(path, read_only=True) as store:
        assert len(store.current("x")) == 0
    with Store(path) as store:
        store.add(record("tags", 120))
        assert len(store) == 1
