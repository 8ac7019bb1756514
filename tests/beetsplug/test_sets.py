"""Tests of the sets of `beet tempo-mix --path`, of crates, and of playlists of lists."""

from __future__ import annotations

import hashlib
import os
import random
import re
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from beets.library import Item, Library

from .conftest import Beet

MakeAudio = Callable[..., Path]
KEYS = ("Am", "Em", "Bm", "F#m", "C#m")


def add(library: Library, name: str, tempo: float, key: str = "Am", **fields: Any) -> Item:
    """Add an analysed track without a file."""
    values: dict[str, Any] = {
        "title": name, "artist": f"the {name}s", "path": f"/music/{name}.mp3".encode(),
        "length": 200.0,
        "bpm": round(tempo), "initial_key": key or None, "tempo_bpm": tempo,
        "tempo_paces": f"{tempo}:0.98", "tempo_stability": 0.97,
    }  # fmt: skip
    item = Item(**(values | fields))
    library.add(item)
    return item


@pytest.fixture
def library(beet: Beet) -> Library:
    """Eight tracks in a row by tempo and key, louder and louder, and some that do not fit in."""
    beet.load()
    library = beet.library
    for k in range(8):
        key = KEYS[k // 2]
        add(library, f"step {k}", 120 + 2 * k, key, rg_track_gain=-4.0 - k, genres=["house"])
    add(library, "far", 90, genres=["house"])
    add(library, "drifting", 121, tempo_stability=0.5)
    add(library, "live", 121, tempo_range="115.0-128.0")
    add(library, "clash", 122, "D#m")
    return library


def titles(out: str) -> list[str]:
    return [line.split(" - ")[-1] for line in out.splitlines()]


@pytest.mark.usefixtures("library")
def test_a_set_is_a_row_of_transitions(beet: Beet) -> None:
    before = hashlib.sha256(beet.database.read_bytes()).digest()
    args = ("tempo-mix", "--path", "8", "--crate", "title:step", "title:step 0")
    run = beet(*args)
    assert (run.code, run.err) == (0, "")
    assert titles(run.out) == [f"step {k}" for k in range(8)]
    first, second, third = run.out.splitlines()[:3]
    assert first == "  1  120.00            0.0  8A             the step 0s -  - step 0"
    assert second == "  2  122.00   -1.6 %   1.0  8A  same       the step 1s -  - step 1"
    assert "9A  neighbour" in third
    assert hashlib.sha256(beet.database.read_bytes()).digest() == before
    assert beet(*args).out == run.out


@pytest.mark.usefixtures("library")
def test_without_a_track_the_set_begins_with_the_best(beet: Beet) -> None:
    up = beet("tempo-mix", "--path", "8", "--crate", "title:step")
    down = beet("tempo-mix", "--path", "8", "--crate", "title:step", "--curve", "down")
    assert titles(up.out) == [f"step {k}" for k in range(8)]
    assert titles(down.out) == titles(up.out)[::-1]


@pytest.mark.usefixtures("library")
def test_a_set_that_cannot_be_as_long_says_so(beet: Beet) -> None:
    run = beet("tempo-mix", "--path", "20", "--pitch", "3", "--crate", "genres:house")
    assert run.code == 0
    assert len(titles(run.out)) == 8
    assert run.err.strip() == (
        "tempo: 8 of 20 tracks; more could not be joined within 3 % and in keys that fit"
    )
    run = beet("tempo-mix", "--path", "20", "--pitch", "3", "title:step 0")
    assert run.err.strip().endswith("; left out: 2 unsteady tracks (--unsteady)")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["title:far"],
            "no transition within 6 % and in keys that fit joins the fars -  - far and another of "
            "10 tracks; left out: 2 unsteady tracks (--unsteady)",
        ),
        (
            ["--crate", "title:far"],
            "no transition within 6 % and in keys that fit joins any two tracks of 1 track",
        ),
        (
            ["--crate", "title:nothing"],
            "no track of the crate has a tempo",
        ),
        (["--curve", "sideways"], "--curve must be one of up, down, wave, flat"),
        (["--max", "3"], "--max does nothing with --path, which says how many"),
        (["--relative-to", "/"], "--relative-to is for --m3u"),
        (["--crate", "'"], "invalid query"),
        (["--sheet", "/nowhere/a.html"], "--sheet /nowhere/a.html: there is no folder /nowhere"),
    ],
)
@pytest.mark.usefixtures("library")
def test_what_is_wrong_is_one_message(beet: Beet, args: list[str], message: str) -> None:
    run = beet("tempo-mix", "--path", "8", *args)
    assert (run.code, run.out) == (1, "")
    assert message in run.err
    assert run.err.count("\n") == 1


@pytest.mark.usefixtures("library")
def test_options_of_a_set_need_one(beet: Beet) -> None:
    for option, value in (("--curve", "up"), ("--sheet", "a.html")):
        run = beet("tempo-mix", option, value, "title:far")
        assert run.err == f"error: {option} is for --path\n"
    assert beet("tempo-mix", "--path", "1").err == "error: --path must be a whole number from 2\n"


@pytest.mark.usefixtures("library")
def test_a_crate_is_what_all_its_queries_match(beet: Beet) -> None:
    every = titles(beet("tempo-mix", "title:step 0").out)
    assert {"step 1", "step 3", "clash"} <= set(every)
    assert titles(beet("tempo-mix", "--crate", "title:step", "title:step 0").out) == [
        "step 1", "step 2", "step 3",
    ]  # fmt: skip
    # Words in one, several queries, and either of two with a comma; with and without SQL.
    for crate in (
        ["title:step bpm:123.."],
        ["title:step", "bpm:123.."],
        ["'title:step 2' , 'title:step 3'"],
        ["tempo_bpm:123..", "title:step"],
    ):
        args = [arg for query in crate for arg in ("--crate", query)]
        assert titles(beet("tempo-mix", *args, "title:step 0").out) == ["step 2", "step 3"], crate


@pytest.mark.usefixtures("library")
def test_unsteady_tracks_are_left_out_unless_wanted(beet: Beet) -> None:
    assert not {"drifting", "live"} & set(titles(beet("tempo-mix", "title:step 0").out))
    run = beet("tempo-mix", "--unsteady", "title:step 0")
    assert {"drifting", "live"} <= set(titles(run.out))
    run = beet("tempo-mix", "--crate", "title:drifting", "title:step 0")
    assert run.err.endswith("step 0; left out: 1 unsteady track (--unsteady)\n")
    # The chosen track may be unsteady, it is known to be wanted.
    assert titles(beet("tempo-mix", "--path", "3", "title:drifting").out)[0] == "drifting"


def test_the_same_recording_is_left_out_unless_wanted(beet: Beet, library: Library) -> None:
    copies = {
        "album": {"title": "Step 1 (2014 Remaster)", "artist": "Step 1s", "length": 202.0},
        "tagged": {"mb_trackid": "5cbb1bd1-1d11-4b11-9a11-8f2dcb4c3b6e"},
        "heard": {"acoustid_fingerprint": "AQAA" + 900 * "x"},
    }
    for name, fields in copies.items():
        item = library.items(["title::^step 1$"]).get()
        for field in ("mb_trackid", "acoustid_fingerprint"):
            if field in fields:
                item[field] = fields[field]
        item.store()
        add(library, name, 122.1, **fields)
    add(library, "longer", 122.1, **copies["album"] | {"length": 300.0, "title": "step 1"})
    add(library, "another", 122.1, acoustid_fingerprint="AQAA" + 899 * "x" + "y")
    alone = titles(beet("tempo-mix", "title:step 0").out)
    assert alone.count("step 1") == 2  # the longer one is another recording
    assert "another" in alone
    assert not {"tagged", "heard", "Step 1 (2014 Remaster)"} & set(alone)
    every = titles(beet("tempo-mix", "--duplicates", "title:step 0").out)
    assert {"tagged", "heard", "Step 1 (2014 Remaster)"} <= set(every)
    # Copies of the chosen track, too.
    for options in ((), ("--path", "9")):
        found = titles(beet("tempo-mix", *options, "title::^step 1$", "length:..250").out)
        assert "another" in found
        assert not {"tagged", "heard"} & set(found)
    args = ("tempo-mix", "--path", "6", "--crate", "bpm:122", "--curve", "flat")
    assert len(titles(beet(*args).out)) == 3
    assert len(titles(beet(*args, "--duplicates").out)) == 6


def test_half_time_missing_keys_and_missing_fields(beet: Beet, library: Library) -> None:
    add(library, "slow", 60.5, "", artist="", title="", tempo_paces="60.5:0.9 121:0.8")
    library.add(Item(title="bare", bpm=121, path=b"/music/bare.mp3"))
    library.add(Item(title="nothing", path=b"/music/nothing.mp3"))
    crate = ("--crate", "bpm:60..61 , title:bare , title:nothing , 'title:step 0'")
    run = beet("tempo-mix", "--path", "3", *crate, "-f", "$mix_bpm|$mix_key|$mix_relation")
    assert run.code == 0
    assert sorted(line.split("|")[0].strip() for line in run.out.splitlines()) == [
        "120.00", "121.00", "60.50",
    ]  # fmt: skip
    assert "half time" in run.out or "double time" in run.out
    assert "unknown" in run.out


def test_the_key_in_the_file_decides(beet: Beet, make_audio: MakeAudio) -> None:
    """beets reads `C# major` as C; a set goes by the key in the file, as the list does."""
    for name, key in (("one", "F"), ("two", "C# major"), ("three", "C")):
        path = make_audio(f"{name}.flac", title=name, artist=name, initial_key=key)
        beet.add(path, bpm=120)
    assert beet.item("title:two").initial_key == "C"
    run = beet("tempo-mix", "--path", "3", "title:one")
    assert titles(run.out) == ["one", "three"]
    assert "2 of 3 tracks" in run.err


@pytest.mark.usefixtures("library")
def test_a_playlist_is_what_beets_reads_again(beet: Beet, tmp_path: Path) -> None:
    beet.configure(plugins=["tempo", "playlist"])
    file = tmp_path / "set ö.m3u8"
    run = beet("tempo-mix", "--path", "4", "--crate", "title:step", "-o", file)
    assert run.code == 0
    assert titles(beet("ls", f"playlist:{file}", "bpm+").out) == titles(run.out)
    first = titles(run.out)[0]
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[:3] == ["#EXTM3U", f"#EXTINF:200,the {first}s - {first}", f"/music/{first}.mp3"]
    # The list of what mixes, relative to a folder.
    run = beet("tempo-mix", "title:step 0", "--max", "2", "--m3u", file, "--relative-to", "/music")
    assert [line for line in file.read_text().splitlines() if line[0] != "#"] == [
        f"{title}.mp3" for title in titles(run.out)
    ]
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_odd_names_stay_in_their_line(beet: Beet, library: Library, tmp_path: Path) -> None:
    odd = ("a\nb", "\x1b[31m", "#hash", "<b>&\"'", "caf\udce9", " blank ", "夜")
    for k, name in enumerate(odd):
        path = os.fsencode(f"/odd/{name}.mp3")
        title = name.encode(errors="replace").decode()
        add(library, title, 150 + k / 10, artist=f"artist {k}", path=path, album="odd")
    list_, sheet = tmp_path / "a.m3u8", tmp_path / "a.html"
    run = beet("tempo-mix", "--path", "7", "--crate", "album:odd", "-o", list_, "--sheet", sheet)
    assert run.code == 0
    assert "\x1b" not in run.out + list_.read_text() + sheet.read_text()
    lines = list_.read_text().splitlines()
    assert len(lines) == 1 + 2 * 7
    assert sum(line.startswith("file:///odd/") for line in lines) == 3
    assert sheet.read_text().count("<tr>") == 8
    assert "<b>&" not in sheet.read_text()


@pytest.mark.usefixtures("library")
def test_a_file_that_cannot_be_written_is_one_message(beet: Beet, tmp_path: Path) -> None:
    for option in ("--m3u", "--sheet"):
        run = beet("tempo-mix", "--path", "4", "title:step 0", option, "/dev/full")
        assert run.code == 1
        assert run.err.startswith("error: /dev/full cannot be written: ")
        assert run.err.count("\n") == 1


@pytest.mark.usefixtures("library")
def test_the_sheet_has_what_is_printed(beet: Beet, tmp_path: Path) -> None:
    sheet = tmp_path / "set.html"
    run = beet("tempo-mix", "--path", "8", "title:step 0", "--sheet", sheet)
    page = sheet.read_text(encoding="utf-8")
    assert re.findall(r"<b><bdi>(.*?)</bdi></b>", page) == titles(run.out)
    assert "26:40" in page  # eight times 200 s
    assert "tempo and loudness (by ReplayGain)" in page


@pytest.mark.usefixtures("library")
def test_a_cadence_as_playlist(beet: Beet, tmp_path: Path) -> None:
    beet.configure(plugins=["tempo", "playlist"])
    file = tmp_path / "run.m3u"
    run = beet("tempo", "--cadence", "125..133", "--m3u", file)
    assert run.code == 0
    assert len(titles(run.out)) == 4
    assert [line for line in file.read_text().splitlines() if line[0] != "#"] == [
        f"/music/{title}.mp3" for title in titles(run.out)
    ]
    assert set(titles(beet("ls", f"playlist:{file}").out)) == set(titles(run.out))
    assert beet("tempo", "--m3u", file).err == "error: --m3u is for --cadence\n"
    before = file.read_bytes()
    assert beet("tempo", "--cadence", "300..310", "--m3u", file).code == 1
    assert file.read_bytes() == before


@pytest.mark.usefixtures("library")
def test_smart_playlists_take_paces(beet: Beet, tmp_path: Path) -> None:
    beet.configure(
        plugins=["tempo", "smartplaylist"],
        smartplaylist={
            "playlist_dir": str(tmp_path),
            "output": "extm3u",
            "playlists": [
                {"name": "run.m3u", "query": "pace:125..133"},
                {"name": "walk.m3u", "query": ["pace:60..66", "pace:89..91@0.9 title:far"]},
            ],
        },
    )
    assert beet("splupdate").code == 0
    listed = {
        name: [line for line in (tmp_path / name).read_text().splitlines() if line[0] != "#"]
        for name in ("run.m3u", "walk.m3u")
    }
    assert sorted(listed["run.m3u"]) == [f"/music/step {k}.mp3" for k in range(3, 7)]
    assert listed["walk.m3u"] == ["/music/far.mp3"]
    beet("modify", "-y", "-W", "title:far", "tempo_paces_manual=129 64.5")
    beet("splupdate", "run")
    assert "/music/far.mp3" in (tmp_path / "run.m3u").read_text().splitlines()


@pytest.mark.slow  # the order itself is timed in `tests/tempo_core/mixing/test_path.py`
def test_a_large_library_takes_seconds(beet: Beet) -> None:
    beet.load()
    library, rng = beet.library, random.Random(0)
    with library.transaction():
        for k in range(4000):
            add(
                library, f"title {k}", round(rng.triangular(70, 180, 124), 2), rng.choice(KEYS),
                artist=f"artist {k % 300}", length=rng.uniform(100, 500),
            )  # fmt: skip
    start = time.process_time()
    run = beet("tempo-mix", "--path", "30", "--curve", "wave", "-f", "$artist")
    assert time.process_time() - start < 8
    artists = run.out.splitlines()
    assert len(artists) == 30
    assert all(a != b for a, b in pairwise(artists))
