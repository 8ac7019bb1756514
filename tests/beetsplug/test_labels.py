"""Tests of `beet tempo-labels`: what it asks, stores, writes, prints and returns."""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mutagen
import pytest
from beets.library import Item
from mediafile import MediaFile

from beetsplug.tempo import keeping, label_batches
from beetsplug.tempo.describing import estimate_of
from tempo_core.labels.demo_site import DemoSite, Entry
from tempo_core.labels.store import Store

from ..conftest import MakeAudio
from ..tempo_core.labels.hostile import HostileSite, answer
from .conftest import Beet

SONGS = {"Right": 126.0, "Half": 98.0, "Wrong": 110.0, "Missing": 120.0}
Fields = Callable[..., dict[str, Any]]


@pytest.fixture
def site() -> Iterator[DemoSite]:
    """A site with three of the four songs: one right, one at half its tempo, one wrong."""
    published = {"Right": (126, "A Minor"), "Half": (49, "C Major"), "Wrong": (137, "")}
    entries = [
        Entry(title, "Singer", bpm, key, duration=200)
        for title, (bpm, key) in published.items()
    ]  # fmt: skip
    with DemoSite(entries) as running:
        running.retry_after = 0
        yield running


@pytest.fixture
def labelled(beet: Beet, site: DemoSite, make_audio: MakeAudio) -> Beet:
    """A library of four analysed songs whose labels come from the site."""
    path = make_audio("a.flac", duration=8)
    beet.add()
    library = beet.library
    for title, bpm in SONGS.items():
        song = path.with_stem(title)
        song.write_bytes(path.read_bytes())
        media = MediaFile(song)
        media.update({"title": title, "artist": "Singer"})
        media.save()
        item = Item.from_path(str(song).encode())
        item.update(
            {
                "length": 200.4, "bpm": int(bpm), "tempo_bpm": bpm + 0.02,
                "tempo_source": "model:x@01234567", "tempo_paces": f"{bpm:g}:0.99",
            }
        )  # fmt: skip
        item.mtime = item.current_mtime()
        library.add(item)
    path.unlink()
    beet.configure(tempo={"sources": ["musicstax"], "labels": {"interval": 0, "urls": site.urls}})
    return beet


def fields(beet: Beet, title: str) -> dict[str, Any]:
    item = beet.item(f"title:{title}")
    return {
        name.removeprefix("tempo_label_"): item[name]
        for name in item
        if name.startswith("tempo_label_")
    }


def test_labels_are_found_kept_and_compared(labelled: Beet, site: DemoSite) -> None:
    run = labelled("tempo-labels")
    assert run.code == 0, run.err
    *lines, summary = run.out.splitlines()
    assert lines == [
        "Singer - Right: 126 BPM, Am (musicstax), the audio agrees (126.02)",
        "Singer - Half: 49 BPM, C (musicstax), an octave off the audio's 98.02",
        "Singer - Wrong: 137 BPM (musicstax), in conflict with the audio's 110.02",
        lines[3],
    ]
    assert lines[3].startswith("Singer - Missing: not found (musicstax: ")
    assert re.fullmatch(
        r"tempo-labels: 4 tracks: 3 found \(1 agree, 1 octave, 1 conflict\), 1 not found; "
        r"\d+ requests, 0 known before",
        summary,
    )
    right = fields(labelled, "Right")
    assert right.pop("url").startswith(f"{site.url}/musicstax/track/right/")
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", right.pop("date"))
    assert right == {
        "bpm": 126.0, "key": "Am", "source": "musicstax", "status": "found", "verdict": "agree",
    }  # fmt: skip
    assert fields(labelled, "Missing") == {"status": "not_found"}
    for query, titles in {
        "tempo_label_verdict:octave": "Half",
        "tempo_label_verdict:conflict": "Wrong",
        "tempo_label_status:not_found": "Missing",
        "tempo_label_bpm:126": "Right",
    }.items():
        assert labelled("ls", "-f", "$title", query).out.split() == [titles]


def test_published_keys_are_compared_with_the_audio_and_with_the_users(
    labelled: Beet, tmp_path: Path
) -> None:
    """The analysis's own key is what the audio says; that of a person is another witness."""
    for title, values in {
        "Right": {"initial_key": "C", "tempo_key": "C", "tempo_key_source": "model:key-x@01234567"},
        "Half": {"initial_key": "F#", "tempo_key": "G"},
    }.items():
        item = labelled.item(f"title:{title}")
        item.update(values)
        item.store()
    report = tmp_path / "report.html"
    run = labelled("tempo-labels", "--report", report)
    assert run.code == 0, run.err
    right, half, *_, summary = run.out.splitlines()
    assert right.endswith("; keys: relative (musicstax Am, audio C)")
    assert half.endswith("; keys: conflict (musicstax C, tags F#, audio G)")
    assert ", keys 1 relative 1 conflict; " in summary
    for title, verdict in {"Right": "relative", "Half": "conflict"}.items():
        assert fields(labelled, title)["key_verdict"] == verdict
    found = labelled("ls", "-f", "$title", "tempo_label_key_verdict:conflict")
    assert found.out == "Half\n"
    text = report.read_text()
    assert "published and in tags, among each other: 1 conflict" in text
    assert "these and the audio: 1 relative, 1 conflict" in text
    assert text.index("musicstax C, tags F#") < text.index("musicstax Am")


def test_nothing_of_the_users_is_touched(labelled: Beet) -> None:
    items = {item.title: (item.bpm, item.initial_key, item.mtime) for item in labelled.items()}
    files = {item.title: item.filepath.read_bytes() for item in labelled.items()}
    labelled("tempo-labels", "-w")
    assert {i.title: (i.bpm, i.initial_key, i.mtime) for i in labelled.items()} == items
    assert {i.title: i.filepath.read_bytes() for i in labelled.items()} == files
    assert labelled("update").out == ""


def test_a_second_run_asks_nothing(labelled: Beet, site: DemoSite) -> None:
    labelled("tempo-labels")
    n_hits = len(site.hits)
    run = labelled("tempo-labels")
    assert len(site.hits) == n_hits
    assert "0 requests, 4 known before" in run.out
    item = labelled.item("title:Right")
    item.bpm, item.tempo_bpm = 63, 63.01
    item.store()
    labelled("tempo-labels", "title:Right")
    assert fields(labelled, "Right")["verdict"] == "octave"
    assert len(site.hits) == n_hits


def test_a_track_that_was_not_analysed_has_no_verdict(labelled: Beet) -> None:
    item = labelled.item("title:Right")
    for name in ("tempo_bpm", "tempo_source", "tempo_paces"):
        del item[name]
    item.store()
    run = labelled("tempo-labels", "title:Right")
    assert "126 BPM, Am (musicstax), not analysed yet" in run.out
    assert fields(labelled, "Right")["verdict"] == "no_estimate"


@pytest.mark.parametrize("option", ["-p", "--pretend"])
def test_pretending_asks_and_writes_nothing(option: str, labelled: Beet, site: DemoSite) -> None:
    before = labelled.database.read_bytes()
    run = labelled("tempo-labels", option)
    assert run.out.splitlines() == [
        *(f"Singer - {t}: would ask musicstax for 'Singer {t}'" for t in SONGS),
        "tempo-labels: would have: 4 of 4 tracks looked up",
    ]
    assert (run.code, site.hits) == (0, [])
    assert labelled.database.read_bytes() == before
    assert not list(labelled.database.parent.glob("labels*"))
    labelled("tempo-labels", "title:Right")
    assert "3 of 4 tracks" in labelled("tempo-labels", option).out


def test_failures_are_lines_and_the_exit_status(labelled: Beet, site: DemoSite) -> None:
    site.entries[6] = dataclasses.replace(site.entries[6], trouble="redesigned")
    assert site.entries[6].title == "Half"
    path = labelled.item("title:Half").filepath
    run = labelled("tempo-labels", "-q")
    assert (run.code, run.out) == (1, "")
    lines = run.err.splitlines()
    assert lines[0] == f"tempo: {path}: musicstax: the track's page has another layout"
    assert lines[1].startswith("error: 4 tracks: 2 found (1 agree, 1 conflict), 1 not found, 1 par")
    assert fields(labelled, "Half") == {"status": "parse_error"}
    # It is settled: asking the same again would give the same.
    again = labelled("tempo-labels")
    assert again.code == 0
    assert "0 requests" in again.out
    site.entries[6] = dataclasses.replace(site.entries[6], trouble="")
    labelled("tempo-labels", "-f", "title:Half")
    assert fields(labelled, "Half")["verdict"] == "octave"


def test_a_site_that_blocks_is_one_message(labelled: Beet, site: DemoSite) -> None:
    site.entries[6] = dataclasses.replace(site.entries[6], trouble="blocked")
    run = labelled("tempo-labels")
    assert run.code == 1
    host = site.url.removeprefix("http://")
    message = f"{host} is not asked any more: it answers programs with a challenge"
    assert run.err.splitlines()[0] == f"tempo: {message}"
    assert run.err.splitlines()[-1].endswith("2 left for the next run (see above)")
    assert "Traceback" not in run.err
    assert fields(labelled, "Right")["verdict"] == "agree"
    assert fields(labelled, "Half") == {"status": "blocked"}
    assert fields(labelled, "Missing") == {}
    n_hits = len(site.hits)
    site.blocking = False
    site.entries[6] = dataclasses.replace(site.entries[6], trouble="")
    assert labelled("tempo-labels").code == 0
    assert fields(labelled, "Half")["status"] == "found"
    assert len(site.hits) > n_hits


def test_the_number_of_requests_can_be_limited(labelled: Beet, site: DemoSite) -> None:
    run = labelled("tempo-labels", "--max-requests", "4")
    assert run.code == 0
    assert len(site.hits) == 4
    assert "left for the next run (the requests are spent)" in run.out
    assert labelled("tempo-labels").code == 0
    assert fields(labelled, "Wrong")["status"] == "found"


def test_tags_are_labels_unless_the_plugin_wrote_them(labelled: Beet) -> None:
    labelled.configure(tempo={"sources": ["tags"]})
    run = labelled("tempo-labels")
    assert "0 found" in run.out  # `bpm` is the model's own everywhere
    item = labelled.item("title:Half")
    file = mutagen.File(item.filepath)
    file["bpm"], file["initialkey"] = "49.2", "8A"
    file.save()
    kept = {"bpm": 49, "tempo_bpm": 49.01, "tempo_source": "tag", "tempo_verdict": "kept"}
    item.update(kept)
    item.store()
    for _ in range(2):
        labelled("tempo-labels")
        half = fields(labelled, "Half")
        assert (half["bpm"], half["key"], half["source"]) == (49.2, "Am", "tags")
        assert half["verdict"] == "octave"  # the paces say 98, whatever was kept
    with Store(labelled.database.parent / "labels.db") as store:
        assert len(store) == 1  # read twice, kept once


@pytest.mark.parametrize(
    ("changes", "tempo"),
    [
        ({"tempo_bpm": 127.98, "tempo_source": "model:x@1", "tempo_paces": "64:0.9"}, 127.98),
        ({"tempo_bpm": 63.99, "tempo_source": "tag", "tempo_paces": "128:0.97 64:0.7"}, 128.0),
        ({"tempo_bpm": 63.99, "tempo_source": "manual", "tempo_paces": "nonsense"}, None),
        ({}, None),
    ],
)
def test_only_the_audio_is_a_witness(changes: dict[str, Any], tempo: float | None) -> None:
    assert estimate_of(Item(**changes)) == tempo


def _forget_analysis(beet: Beet) -> None:
    library = beet.library
    for item in library.items():
        for name in ("tempo_bpm", "tempo_source", "tempo_paces"):
            del item[name]
        item.bpm = 0
        item.mtime = item.current_mtime()
        item.store()


def test_applying_fills_what_is_empty(labelled: Beet) -> None:
    _forget_analysis(labelled)
    labelled("tempo-labels")
    assert {item.bpm for item in labelled.items()} == {0}
    labelled("tempo-labels", "--apply", "title:Right")
    right = labelled.item("title:Right")
    assert (right.bpm, right.initial_key, right.tempo_source) == (126, "Am", "label:musicstax")
    assert (MediaFile(right.filepath).bpm, MediaFile(right.filepath).initial_key) == (126, "Am")
    assert labelled.item("title:Half").bpm == 0
    assert labelled("update").out == ""
    labelled("tempo-labels", "--apply", "-W", "title:Half")
    half = labelled.item("title:Half")
    assert (half.bpm, MediaFile(half.filepath).bpm) == (49, None)
    assert labelled("update").out == ""
    # An applied label is no witness for itself.
    labelled.configure(tempo={"sources": ["tags"]})
    labelled("tempo-labels", "title:Right")
    assert fields(labelled, "Right") == {"status": "skipped"}


def test_applying_never_overwrites(labelled: Beet) -> None:
    labelled.configure(tempo={"labels": {**labelled._settings["tempo"]["labels"], "apply": True}})
    item = labelled.item("title:Right")
    item.update({"bpm": 63, "initial_key": "C", "tempo_source": "manual"})
    item.store()
    labelled("tempo-labels")
    item = labelled.item("title:Right")
    assert (item.bpm, item.initial_key, item.tempo_source) == (63, "C", "manual")
    # A contradicted tempo says that this may be another recording: its key is not taken either.
    assert labelled.item("title:Half").initial_key is None


def test_an_analysis_keeps_an_applied_label_apart_from_tags(
    labelled: Beet, make_audio: MakeAudio
) -> None:
    path = make_audio("real.flac", bpm=126, duration=8, title="Right", artist="Singer")
    labelled("rm", "-f", "title:Right")
    labelled.add(path, length=200.4)
    labelled("tempo-labels", "--apply", "title:Right")
    labelled("tempo", "title:Right")
    item = labelled.item("title:Right")
    assert (item.bpm, item.tempo_source) == (126, "label:musicstax")
    assert abs(item.tempo_bpm - 126) < 0.2


def test_a_report_and_a_table(labelled: Beet, tmp_path: Path) -> None:
    report, table = tmp_path / "report.html", tmp_path / "table.tsv"
    labelled("tempo-labels", "--report", report, "--export", table)
    text = report.read_text()
    assert "Singer - Half" in text
    assert "<svg" in text
    assert [line.split("\t")[-2:] for line in table.read_text().splitlines()[1:]] == [
        ["126", "A min"], ["49", "C Maj"], ["137", "NA"], ["NA", "NA"],
    ]  # fmt: skip
    labelled("tempo-labels", "--export", table, "--trainable")
    assert len(table.read_text().splitlines()) == 1  # Spotify's values are not for training
    labelled.configure(
        tempo={"labels": {**labelled._settings["tempo"]["labels"], "trainable": ["musicstax"]}}
    )
    labelled("tempo-labels", "--export", table, "--trainable")
    assert [line.split("\t")[0] for line in table.read_text().splitlines()[1:]] == ["Right"]
    labelled.configure(tempo={"sources": ["tags"]})
    run = labelled("tempo-labels", "--import", table, "title:Right")
    assert "126 BPM, Am (tsv), the audio agrees" in run.out


def test_tracks_that_say_nothing_are_counted_and_no_more(
    labelled: Beet, make_audio: MakeAudio, tmp_path: Path
) -> None:
    for number in range(3):
        path = make_audio(f"more/{number}.mp3", duration=1, title=f"Untagged {number}", artist="X")
        labelled.add(path)
    labelled.configure(tempo={"sources": ["tags"]})
    assert labelled("tempo-labels", "-p", "artist:X").out.splitlines() == [
        "tempo-labels: would have: 0 of 3 tracks looked up"
    ]
    report = tmp_path / "report.html"
    run = labelled("tempo-labels", "--report", report, "artist:X")
    assert (run.code, run.err) == (0, "")
    assert run.out.splitlines() == [
        "tempo-labels: 3 tracks: 0 found, 3 skipped (lacks a BPM in its tags); 0 requests, "
        "0 known before"
    ]
    assert "3 more say nothing" in report.read_text()
    lines = labelled("-v", "tempo-labels", "artist:X").out.splitlines()
    assert lines[0] == "X - Untagged 0: skipped (tags: lacks a BPM in its tags)"
    # What was looked for in vain is said: that is news.
    labelled.configure(tempo={"sources": ["tags", "musicstax"]})
    assert labelled("tempo-labels", "title:Missing").out.count("not found") == 2


def test_a_terminal_says_how_to_find_what_disagrees(
    labelled: Beet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from beets import ui

    main = ui.main

    def on_terminal(args: list[str]) -> None:
        for stream in (sys.stdout, sys.stderr):
            monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
        main(args)

    with monkeypatch.context() as patch:
        patch.setattr(ui, "main", on_terminal)
        lines = labelled("tempo-labels").out.splitlines()
    assert lines[1:] == [
        "tempo-labels: which they are: beet ls tempo_label_verdict:conflict, "
        "beet ls tempo_label_verdict:octave"
    ]
    assert labelled("ls", "-f", "$title", "tempo_label_verdict:conflict").out == "Wrong\n"


def test_albums_can_be_matched(labelled: Beet) -> None:
    library = labelled.library
    library.add_album(list(library.items("title:Right"))).store()
    assert "tempo-labels: 1 track: 1 found" in labelled("tempo-labels", "-a").out


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sources": ["spotify"]}, "configuration error: tempo.sources: no source 'spotify'"),
        ({"sources": 5}, "configuration error: tempo.sources"),
        ({"labels": {"interval": -1}}, "configuration error: tempo.labels.interval"),
        ({"labels": {"max_requests": 0}}, "configuration error: tempo.labels.max_requests"),
        ({"labels": {"urls": [1]}}, "configuration error: tempo.labels.urls"),
        ({"labels": {"apply": "maybe"}}, "configuration error: tempo.labels.apply"),
        ({"labels": {"trainable": ["x"]}}, "configuration error: tempo.labels.trainable"),
        (
            {"labels": {"urls": {"deezer": "x"}}, "sources": ["deezer"]},
            "error: the address of deez",
        ),
        ({"sources": ["getsongbpm"]}, "error: getsongbpm needs a key"),
        ({"sources": ["acousticbrainz"]}, "error: acousticbrainz needs the file"),
        ({"labels": {"contact": "a\nb"}}, "error: contact is"),
    ],
)
def test_bad_settings_are_one_line(settings: Any, message: str, beet: Beet) -> None:
    beet.configure(tempo=settings)
    beet.add()
    run = beet("tempo-labels")
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith(message)
    assert run.err.count("\n") == 1


def test_without_configuration_nobody_is_asked(beet: Beet, make_audio: MakeAudio) -> None:
    path = make_audio("a.mp3", duration=8, bpm=126, title="Song", artist="Singer")
    media = MediaFile(path)
    media.bpm = 63
    media.save()
    beet.add(path)
    run = beet("tempo-labels")
    assert run.out.splitlines() == [
        "Singer - Song: 63 BPM (tags), not analysed yet",
        "tempo-labels: 1 track: 1 found (1 no estimate); 0 requests, 0 known before",
    ]


def test_a_store_that_cannot_be_used_is_one_error(beet: Beet, tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("text" * 100)
    beet.configure(tempo={"labels": {"database": str(tmp_path / "x.db")}})
    run = beet("tempo-labels")
    assert run.code == 1
    assert run.err.startswith(f"error: {tmp_path / 'x.db'}: is not a usable label store")


def test_the_key_is_not_shown(beet: Beet) -> None:
    proxy = "http://me:secret@proxy.example.org:3128"
    beet.configure(tempo={"labels": {"getsongbpm_key": "secret", "proxy": proxy}})
    assert "secret" not in beet("config").out


def test_a_site_that_gives_the_key_back_makes_nobody_keep_it(
    labelled: Beet, tmp_path: Path
) -> None:
    """A key that a site repeats in its answer is stored nowhere and sent to no other site."""
    key = "hunter2-key"
    songs = [
        {
            "id": key, "title": title, "uri": f"https://getsongbpm.com/?api_key={key}",
            "tempo": "126", "artist": {"name": "Singer"}, "album": {"title": key},
        }
        for title in ("Right", key)
    ]  # fmt: skip
    found = answer(json.dumps({"search": songs}), "application/json")
    refused = answer(json.dumps({"error": key}), "application/json", status="401 X")
    report, table = tmp_path / "report.html", tmp_path / "table.tsv"
    for content in (found, refused):
        with HostileSite({"echo": content}) as echo:
            urls = {"getsongbpm": f"{echo.url}/echo"}
            labels = {"interval": 0, "urls": urls, "getsongbpm_key": f" {key}\n"}
            labelled.configure(tempo={"sources": ["getsongbpm"], "labels": labels})
            run = labelled("-vv", "tempo-labels", "-f", "--report", report, "--export", table)
            assert f"X-API-KEY: {key}\r\n" in echo.requests[0]
        assert key not in run.out + run.err
    assert labelled.item("title:Right").tempo_label_status == "blocked"
    files = [path for path in labelled.database.parent.rglob("*") if path.is_file()]
    files = [path for path in files if path.suffix != ".yaml"]
    assert {path.name for path in files} >= {"labels.db", "labels-pages.db", "library.db"}
    for path in (*files, report, table):
        assert key.encode() not in path.read_bytes(), path


def test_files_to_write_may_be_named_from_the_home_folder(labelled: Beet, home: Path) -> None:
    run = labelled("tempo-labels", "--report", "~/r.html", "--export", "~/t.tsv")
    assert run.code == 0
    assert {path.name for path in home.iterdir()} >= {"r.html", "t.tsv"}


def test_no_key_is_one_message_without_it(labelled: Beet) -> None:
    labels = {"getsongbpm_key": "hunter2\u00fc", "urls": {}}
    labelled.configure(tempo={"sources": ["getsongbpm"], "labels": labels})
    run = labelled("tempo-labels")
    assert (run.code, run.err.count("\n")) == (1, 1)
    assert "getsongbpm_key is no key" in run.err
    labels = {"urls": {"deezer": "http://me:hunter2@127.0.0.1/"}}
    labelled.configure(tempo={"sources": ["deezer"], "labels": labels})
    run = labelled("tempo-labels")
    assert (run.code, run.err.count("\n")) == (1, 1)
    assert "without a user and password" in run.err
    assert "hunter2" not in run.out + run.err


# Ctrl-C and kill -9.


def _hurry(beet: Beet, interval: float) -> None:
    labels = {**beet._settings["tempo"]["labels"], "interval": interval}
    beet.configure(tempo={"labels": labels})


@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_a_run_that_is_ended_goes_on_next_time(
    how: signal.Signals, labelled: Beet, site: DemoSite
) -> None:
    _hurry(labelled, 0.25)
    process = labelled.start("tempo-labels")
    assert process.stdout
    process.stdout.readline()
    process.send_signal(how)
    begin = time.monotonic()
    _, err = process.communicate(timeout=20)
    assert time.monotonic() - begin < 2
    n_known = sum(item.get("tempo_label_status") is not None for item in labelled.items())
    assert 0 < n_known < len(SONGS)
    if how == signal.SIGINT:
        assert process.returncode == 1
        assert err.splitlines()[-1].startswith(f"error: interrupted: {n_known} track")
    for name in ("library.db", "labels.db", "labels-pages.db"):
        with sqlite3.connect(labelled.database.parent / name) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.close()
    _hurry(labelled, 0)
    n_hits = len(site.hits)
    run = labelled("tempo-labels")
    assert run.code == 0
    n_before = int(re.findall(r"(\d) known before", run.out)[0])
    assert n_before >= n_known
    assert len(site.hits) - n_hits <= 4 * (len(SONGS) - n_known)
    assert fields(labelled, "Wrong")["verdict"] == "conflict"


RAISER = """
from beets.plugins import BeetsPlugin

class Raiser(BeetsPlugin):
    def __init__(self):
        super().__init__()
        self.register_listener("write", self.fail)

    def fail(self, item, path, **kwargs):
        if item.title == "Right":
            raise RuntimeError("no")
"""


def test_a_plugin_that_raises_costs_one_track(labelled: Beet, tmp_path: Path) -> None:
    for item in labelled.items("title::Right|Missing"):
        item.bpm = 0
        item.tempo_bpm, item.tempo_source = 0, ""
        item.tempo_paces = ""
        item.store()
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "raising_for_right.py").write_text(RAISER)
    labelled.configure(plugins=["tempo", "raising_for_right"], pluginpath=[str(folder)])
    run = labelled("tempo-labels", "--apply")
    assert run.code == 1
    failed, summary = run.err.splitlines()
    assert failed.endswith("Right.flac: RuntimeError: no")
    assert summary.startswith("error: 4 tracks: 3 found")
    item = labelled.item("title:Right")
    assert (item.bpm, item.tempo_source) == (126, "label:musicstax")
    assert item.tempo_marker == "126.00 label:musicstax"
    assert (item.tempo_key_source, item.tempo_key_marker) == (
        "label:musicstax", "Am label:musicstax"
    )  # fmt: skip
    assert item.tempo_pending == "bpm initial_key tempo_key_marker tempo_marker"
    labelled.configure(plugins=["tempo"])
    assert labelled("tempo-labels", "--apply", "title:Right").code == 0
    item, media = labelled.item("title:Right"), MediaFile(item.filepath)
    assert "tempo_pending" not in item
    assert (media.bpm, media.initial_key, media.tempo_marker) == (126, "Am", item.tempo_marker)
    assert labelled("update", "title:Right").out == ""


def test_beet_tempo_finishes_what_labels_began(labelled: Beet) -> None:
    """`beet tempo` writes the tags that a killed `tempo-labels` left, without an analysis."""
    item = labelled.item("title:Right")
    item.update({"bpm": 64, "initial_key": "Am", "tempo_marker": "64.10 label:deezer"})
    item.tempo_label_bpm, item.tempo_source = 64.1, "label:deezer"
    item.tempo_label_key, item.tempo_key_source = "Am", "label:deezer"
    item.tempo_pending = "bpm initial_key tempo_marker"
    item.mtime = item.current_mtime()
    item.store()
    assert "1 interrupted before and finished now" in labelled("tempo", "title:Right").out
    media = MediaFile(item.filepath)
    assert (media.bpm, media.initial_key, media.tempo_marker) == (64, "Am", "64.10 label:deezer")
    assert labelled("update").out == ""


def test_a_library_that_is_locked_ends_the_run_in_one_line(
    labelled: Beet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "LOCK_PATIENCE", 0.2)
    labelled.configure(timeout=0.2)
    holder = sqlite3.connect(labelled.database)
    store_each = label_batches.store_each

    def locked(*args: Any) -> list[Exception | None]:
        holder.execute("BEGIN IMMEDIATE")
        return store_each(*args)

    with monkeypatch.context() as patch:
        patch.setattr(label_batches, "store_each", locked)
        run = labelled("tempo-labels")
    holder.rollback()
    holder.close()
    assert run.code == 1
    assert run.err == (
        "error: the library cannot be used (database is locked): what was found is in the label "
        "store; the next run continues from here\n"
    )
    assert labelled("tempo-labels").code == 0
    assert fields(labelled, "Right")["verdict"] == "agree"
