"""`beet tempo-export`, and `beet tempo-labels --import` of the files of DJ programs."""

from __future__ import annotations

import csv
import io
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from beets.library import Item
from pyrekordbox.rbxml import RekordboxXml

from beetsplug.tempo import file_keys
from beetsplug.tempo.exporting import relocated
from beetsplug.tempo.grids import grid_of
from tempo_core.beatgrid import parse_grid, steady
from tempo_core.clock import Player, read_clock
from tempo_core.exports import rekordbox, traktor

from ..conftest import MakeAudio
from .conftest import Beet


@pytest.fixture
def crate(beet: Beet, make_audio: MakeAudio) -> list[Path]:
    """Three tracks in the library: with a grid, with a changing one, and without a tempo."""
    names = ("one.mp3", "two.flac", "three.wav")
    paths = [make_audio(name, bpm=120, duration=4.0) for name in names]
    beet.load()
    for path, title, fields in zip(
        paths,
        ("Don't & <stop>", "Two", "Three"),
        (
            {"bpm": 120, "tempo_bpm": 120.02, "tempo_first_beat": 0.5, "tempo_downbeat": 1.0,
             "initial_key": "F#m", "tempo_confidence": 0.9, "tempo_paces": "120.02:0.9"},
            {"bpm": 90, "tempo_bpm": 90.0, "tempo_grid": "0.2500 90.00 1; 2.2500 100.00",
             "tempo_paces": "90:0.9"},
            {},
        ),
        strict=True,
    ):  # fmt: skip
        beet.add(path, title=title, artist="A", album="B", **fields)
    return paths


def test_tracks_with_a_tempo_are_exported(beet: Beet, crate: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "x.xml"
    run = beet("tempo-export", "--format", "rekordbox", "-o", out, "--playlist", "Friday")
    assert (run.code, run.err) == (0, "")
    assert run.out == f"tempo-export: 2 tracks (2 with a beat grid) written to {out}\n"
    xml = RekordboxXml(out)
    one, two = xml.get_tracks()
    assert (one.Name, one.Tonality, one.AverageBpm) == ("Don't & <stop>", "F#m", 120.02)
    assert Path("/", one.Location) == crate[0]
    # The mp3 of libav has a delay of 1105 samples, which rekordbox plays.
    late = read_clock(crate[0]).offset(Player.REKORDBOX)
    assert late > 0.02
    assert [(t.Inizio, t.Battito) for t in one.tempos] == [(round(0.5 + late, 3), 4)]
    assert [(t.Inizio, t.Bpm) for t in two.tempos] == [(0.25, 90.0), (2.25, 100.0)]
    assert xml.get_playlist("Friday").get_tracks() == [1, 2]


@pytest.mark.parametrize(
    ("fields", "bpm", "grid"),
    [
        ({"bpm": 60, "tempo_verdict": "conflict"}, 60.0, [60.01]),
        ({"bpm": 150, "tempo_verdict": "conflict"}, 150.0, []),
        ({"bpm": 122, "tempo_source": "manual", "tempo_marker": "120.02 manual"}, 122.0, [122.0]),
    ],
)
def test_a_grid_is_counted_as_the_tempo_that_somebody_set(
    fields: dict[str, Any], bpm: float, grid: list[float], beet: Beet, crate: list[Path],
    tmp_path: Path,
) -> None:  # fmt: skip
    item = beet.item("tempo_first_beat:0.5")
    item.update(fields)
    item.store()
    out = tmp_path / "x.xml"
    assert beet("tempo-export", "--format", "rekordbox", "-o", out, f"id:{item.id}").code == 0
    (track,) = RekordboxXml(out).get_tracks()
    assert (track.AverageBpm, [tempo.Bpm for tempo in track.tempos]) == (bpm, grid)


@pytest.mark.usefixtures("crate")
def test_a_query_selects_and_nothing_has_to_be_known(beet: Beet, tmp_path: Path) -> None:
    out = tmp_path / "collection.nml"
    run = beet("tempo-export", "--format", "traktor", "-o", out, "-q", "title:Three")
    assert (run.code, run.out, run.err) == (0, "", "")
    (entry,) = ElementTree.parse(out).getroot().iter("ENTRY")
    assert entry.get("TITLE") == "Three"
    assert entry.find("TEMPO") is None


@pytest.mark.usefixtures("crate")
def test_standard_output_has_the_file_alone(beet: Beet) -> None:
    run = beet("tempo-export", "--format", "csv", "-o", "-")
    assert (run.code, run.err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(run.out)))
    assert [(row["title"], row["first_beat"], row["downbeat"]) for row in rows] == [
        ("Don't & <stop>", "0.5000", "0.9999"), ("Two", "0.2500", "0.2500"),
    ]  # fmt: skip
    # `bpm` is the tempo rounded; it is no pace of its own.
    assert [row["paces"] for row in rows] == ["120.02", "90"]
    run = beet("tempo-export", "--format", "m3u8", "-o", "-", "title:Two")
    assert run.out.splitlines()[0] == "#EXTM3U"
    assert run.out.splitlines()[-1].endswith("two.flac")


@pytest.mark.parametrize("name", ["one.mp3", "library"])
def test_music_and_databases_are_not_overwritten(
    name: str, beet: Beet, crate: list[Path], tmp_path: Path
) -> None:
    path = crate[0] if name == "one.mp3" else tmp_path / "another name.txt"
    if name == "library":
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("CREATE TABLE t (a)")
    before = path.read_bytes()
    for command in (
        ("tempo-export", "--format", "csv", "-o", path),
        ("tempo", "--cadence", "90..130", "--m3u", path),
        ("tempo-mix", "title:Two", "-o", path),
        ("tempo-mix", "--path", "2", "--sheet", path),
        ("tempo-labels", "--export", path),
    ):
        run = beet(*command)
        assert run.code == 1
        assert "which is not overwritten" in run.err
        assert path.read_bytes() == before


@pytest.mark.usefixtures("crate")
def test_a_full_device_is_named(beet: Beet) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("of Linux")
    run = beet("tempo-export", "--format", "csv", "-o", "/dev/full")
    assert run.code == 1
    assert run.err == "error: /dev/full cannot be written: No space left on device\n"


def test_missing_files_are_one_message(beet: Beet, crate: list[Path], tmp_path: Path) -> None:
    crate[0].unlink()
    out = tmp_path / "x.m3u8"
    run = beet("tempo-export", "--format", "m3u8", "-o", out)
    assert run.code == 1
    assert run.err.count("\n") == 1
    assert "1 track (1 with a beat grid) written" in run.err
    assert "1 track left out, their files are missing: A - Don't & <stop>" in run.err
    assert "one.mp3" not in out.read_text()
    crate[1].unlink()
    old = out.read_bytes()
    run = beet("tempo-export", "--format", "m3u8", "-o", out)
    assert run.code == 1
    assert "2 tracks left out" in run.err
    assert out.read_bytes() == old  # there was nothing to write


def test_names_that_are_no_text(beet: Beet, crate: list[Path], tmp_path: Path) -> None:
    bad = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff\n.flac"))
    bad.write_bytes(crate[1].read_bytes())
    beet.add(bad, title="Bad", artist="A", bpm=100)
    out = tmp_path / "x"
    assert beet("tempo-export", "--format", "rekordbox", "-o", out).code == 0
    assert bad in [Path(track.path) for track in rekordbox.read(out)]
    for form in ("traktor", "m3u8", "csv"):
        run = beet("tempo-export", "--format", form, "-o", out)
        assert run.code == 1
        assert "2 tracks (2 with a beat grid) written" in run.err
        assert "1 track left out, its path" in run.err


@pytest.mark.usefixtures("crate")
def test_files_can_lie_elsewhere(beet: Beet, tmp_path: Path) -> None:
    folder = str(tmp_path)
    run = beet(
        "tempo-export", "--format", "m3u8", "-o", "-", "--relocate", f"{folder}=D:\\My Music"
    )
    files = [line for line in run.out.splitlines() if not line.startswith("#")]
    assert [file.rpartition("/")[0] for file in files] == ["D:/My Music"] * 2
    for path, moved in (
        ("/music/a/b.mp3", "D:/Music/a/b.mp3"), ("/musical/x.mp3", "/musical/x.mp3"),
        ("/music", "D:/Music"),
    ):  # fmt: skip
        assert relocated(path, [("/music/", "D:\\Music\\")]) == moved
    assert relocated("/a/b", [("/", "/Volumes/X")]) == "/Volumes/X/a/b"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("-o", "x"), "--format says for which program"),
        (("--format", "csv"), "-o says where to write"),
        (("--format", "csv", "-o", "none/x"), "there is no folder"),
        (("--format", "mixxx", "-o", "-"), "mixxxdb.sqlite"),
        (("--format", "mixxx", "-o", "x.sqlite"), "there is no such file"),
        (("--format", "csv", "-o", "x", "--playlist", " "), "--playlist needs a name"),
        (("--format", "csv", "-o", "x", "--relocate", "/a"), "give FROM=TO"),
        (("--format", "csv", "-o", "x", "title:nothing"), "nothing to export: no track matches"),
    ],
)
@pytest.mark.usefixtures("crate")
def test_options_that_make_no_sense(args: tuple[str, ...], message: str, beet: Beet) -> None:
    run = beet("tempo-export", *args)
    assert run.code == 1
    assert message in run.err
    assert run.err.count("\n") == 1


def collection(path: Path, tracks: list[Path], program: str) -> Path:
    """A file of a DJ program about the tracks, with tempi, keys and grids."""
    if program == "rekordbox":
        entries = "".join(
            f'<TRACK TrackID="{k}" Name="{title}" Artist="A" AverageBpm="{bpm}" Tonality="{key}" '
            f'Location="{rekordbox.location(str(file))}"><TEMPO Inizio="{begin}" Bpm="{bpm}" '
            'Metro="4/4" Battito="1"/></TRACK>'
            for k, (file, title, bpm, key, begin) in enumerate(rows_of(tracks))
        )
        text = f"<DJ_PLAYLISTS><COLLECTION>{entries}</COLLECTION></DJ_PLAYLISTS>"
    else:
        places = [traktor.place_of(str(file)) for file in tracks]
        entries = "".join(
            f'<ENTRY TITLE="{title}" ARTIST="A"><LOCATION VOLUME="{place[0]}" DIR="{place[1]}" '
            f'FILE="{place[2]}"/><INFO KEY="{key}"/><TEMPO BPM="{bpm}"/><CUE_V2 NAME="Beat Marker" '
            f'TYPE="4" START="{1000 * begin}"><GRID BPM="{bpm}"/></CUE_V2></ENTRY>'
            for place, (_, title, bpm, key, begin) in zip(places, rows_of(tracks), strict=True)
        )
        text = f'<NML VERSION="20"><COLLECTION>{entries}</COLLECTION></NML>'
    path.write_text(text, encoding="utf-8")
    return path


def rows_of(tracks: list[Path]) -> list[tuple[Path, str, float, str, float]]:
    return [
        (tracks[0], "Don't stop", 120.02, "11A", 0.6), (tracks[1], "Two", 90.0, "Abm", 0.5),
        (tracks[2], "Three", 128.0, "1d", 0.75),
    ]  # fmt: skip


@pytest.mark.parametrize("program", ["rekordbox", "traktor"])
def test_corrections_of_a_dj_become_labels(
    program: str, beet: Beet, crate: list[Path], tmp_path: Path
) -> None:
    moved = [crate[0], crate[1], tmp_path / "elsewhere" / crate[2].name]
    # Its name says nothing about what is in it.
    file = collection(tmp_path / "labels.tsv", moved, program)
    run = beet("tempo-labels", "--import", file, "--apply", "-W")
    assert (run.code, run.err) == (0, "")
    one, two, three = (beet.item(f"title:{title}") for title in ("Don", "Two", "Three"))
    assert [item.tempo_label_source for item in (one, two, three)] == [program] * 3
    assert (one.tempo_label_bpm, one.tempo_label_key) == (120.02, "F#m")
    assert two.tempo_label_key == "G#m"
    # What the library has stays; what it lacks is filled.
    assert (one.bpm, one.tempo_first_beat, two.tempo_grid[:7]) == (120, 0.5, "0.2500 ")
    assert (three.bpm, three.initial_key) == (128, "C")
    assert three.tempo_source == f"label:{program}"
    assert grid_of(three) == parse_grid("0.7500 128.00 1")
    again = beet("tempo-labels", "--import", file, "--apply", "-W")
    assert again.code == 0


def test_times_are_those_of_the_program(beet: Beet, crate: list[Path], tmp_path: Path) -> None:
    file = collection(tmp_path / "x.xml", crate, "rekordbox")
    library = beet.library
    one = library.items("title:Don").get()
    assert one is not None
    for name in ("tempo_first_beat", "tempo_downbeat"):
        del one[name]
    one.store()
    assert beet("tempo-labels", "--import", file, "--apply", "-W", "title:Don").code == 0
    grid = grid_of(beet.item("title:Don"))
    late = read_clock(crate[0]).offset(Player.REKORDBOX)
    assert grid is not None
    assert grid.sections[0].begin == pytest.approx(0.6 - late, abs=0.0001)
    # An export of it says again what was imported.
    out = tmp_path / "again.xml"
    assert beet("tempo-export", "--format", "rekordbox", "-o", out, "title:Don").code == 0
    (track,) = rekordbox.read(out)
    assert track.grid == steady(0.6, 120.02, 0.6)


def test_a_grid_that_begins_after_the_end_is_none(
    beet: Beet, crate: list[Path], tmp_path: Path
) -> None:
    file = collection(tmp_path / "x.xml", crate, "rekordbox")
    file.write_text(file.read_text().replace('Inizio="0.75"', 'Inizio="99999"'))
    assert beet("tempo-labels", "--import", file, "--apply", "-W").code == 0
    three = beet.item("title:Three")
    assert three.bpm == 128
    assert grid_of(three) is None


def test_without_apply_nothing_but_labels_is_set(
    beet: Beet, crate: list[Path], tmp_path: Path
) -> None:
    file = collection(tmp_path / "x.xml", crate, "rekordbox")
    assert beet("tempo-labels", "--import", file).code == 0
    three = beet.item("title:Three")
    assert (three.bpm, three.get("tempo_first_beat"), three.tempo_label_bpm) == (0, None, 128.0)


def test_a_label_of_a_dj_may_be_trained_on(beet: Beet, crate: list[Path], tmp_path: Path) -> None:
    file, table = collection(tmp_path / "x.xml", crate, "rekordbox"), tmp_path / "t.tsv"
    assert beet("tempo-labels", "--import", file, "--export", table, "--trainable").code == 0
    # Those that the audio confirms; the third was not analysed.
    assert [line.split("\t")[0] for line in table.read_text().splitlines()] == [
        "title", "Don't & <stop>", "Two",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<DJ_PLAYLISTS><COLLECTION><TRACK", "is damaged or cut off"),
        ('<!DOCTYPE NML SYSTEM "file:///etc/passwd"><NML/>', "has a document type"),
        ("<plist/>", "is XML of another program (plist)"),
        ("<?xml", "is XML of another program"),
        ("no table", "has no column"),
    ],
)
@pytest.mark.usefixtures("crate")
def test_files_that_cannot_be_imported(
    content: str, message: str, beet: Beet, tmp_path: Path
) -> None:
    (tmp_path / "x").write_text(content)
    run = beet("tempo-labels", "--import", tmp_path / "x", "--apply")
    assert run.code == 1
    assert message in run.err
    assert run.err.count("\n") == 1


@pytest.mark.slow
def test_a_library_of_5000_tracks(beet: Beet, crate: list[Path], tmp_path: Path) -> None:
    beet.load()
    library = beet.library
    with library.transaction():
        for k in range(5_000):
            item = Item(
                path=os.fsencode(crate[k % 2]), title=f"Title & {k}", artist="A", bpm=120,
                tempo_bpm=120.5, tempo_first_beat=0.25, length=200.0,
            )  # fmt: skip
            # As an analysis notes it, so that nobody has to read the key from the file again
            item[file_keys.KEY_SEEN] = file_keys._seen(item)
            library.add(item)
    for form in ("rekordbox", "traktor", "m3u8", "csv"):
        begin = time.perf_counter()
        assert (
            beet("tempo-export", "--format", form, "-o", tmp_path / form, "title:Title").code == 0
        )
        assert time.perf_counter() - begin < 15
    begin = time.perf_counter()
    assert len(list(rekordbox.read(tmp_path / "rekordbox"))) == 5_000
    assert len(list(traktor.read(tmp_path / "traktor"))) == 5_000
    assert time.perf_counter() - begin < 10


def test_every_format_names_a_track_without_a_title_by_its_file(
    beet: Beet, make_audio: MakeAudio
) -> None:
    path = make_audio("some file.flac", duration=8, bpm=120)
    beet.add(path, title="", artist="Singer", bpm=120)

    def export(form: str) -> str:
        return beet("tempo-export", "--format", form, "-o", "-").out

    (row,) = csv.DictReader(io.StringIO(export("csv")))
    assert (row["title"], row["artist"]) == ("some file.flac", "Singer")
    assert "#EXTINF:8,Singer - some file\n" in export("m3u8")
    assert 'Name="some file.flac" Artist="Singer"' in export("rekordbox")
    assert 'TITLE="some file.flac" ARTIST="Singer"' in export("traktor")
