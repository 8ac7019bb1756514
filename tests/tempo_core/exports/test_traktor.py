"""Traktor's collection: read by traktor-nml-utils, whose classes are made from a schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from traktor_nml_utils.models.collection import Nml
from xsdata.formats.dataclass.parsers import XmlParser

from tempo_core.beatgrid import Grid, Section, steady
from tempo_core.exports import traktor
from tempo_core.exports.formats import FILES, prove
from tempo_core.exports.track import ExportTrack
from tempo_core.keys import Key

from .conftest import LAME, ODD


def written(path: Path, tracks: list[ExportTrack], playlist: str | None = None) -> Path:
    path.write_bytes(traktor.encode(tracks, playlist))
    return path


def opened(path: Path) -> Any:
    """A collection as the independent reader sees it, without its function that opens files."""
    return XmlParser().from_bytes(path.read_bytes(), Nml)


def test_an_independent_reader_finds_all_of_it(tracks: list[ExportTrack], tmp_path: Path) -> None:
    nml = opened(written(tmp_path / "collection.nml", tracks, "Set <1> & more"))
    assert (nml.version, nml.head.program, nml.collection.entries) == (19, "Traktor", 6)
    first, second, windows, _, mac, disk = nml.collection.entry
    assert (first.title, first.artist, first.album.title) == (ODD, "A & B", "<Album>")
    assert (first.location.dir, first.location.file) == ("/:music/:", f"{ODD}.mp3")
    assert (windows.location.volume, windows.location.dir) == ("C:", "/:Music/:DJ/:")
    assert (mac.location.volume, mac.location.dir) == ("Macintosh HD", "/:Users/:me/:Music/:")
    assert (disk.location.volume, disk.location.dir) == ("USB", "/:")
    assert (first.tempo.bpm, first.tempo.bpm_quality) == (127.98, 100.0)
    assert (first.musical_key.value_attribute, second.musical_key.value_attribute) == (21, 3)
    assert (first.info.key, first.info.bitrate, first.info.release_date) == (
        "Am",
        320000,
        "1999/1/1",
    )
    (marker,) = first.cue_v2
    assert (marker.type, marker.grid.bpm) == (4, 127.98)
    assert marker.start == pytest.approx(1000 * (0.5125 + 2257 / 44100), abs=0.001)
    # Bars begin two beats after the third one; the second section begins with a bar.
    assert [cue.start for cue in second.cue_v2] == pytest.approx(
        [250 + 2 * 60000 / 120.5, 61000], abs=0.001
    )
    playlist = nml.playlists.node.subnodes.node[0]
    assert (playlist.name, playlist.playlist.entries) == ("Set <1> & more", 6)
    assert [entry.primarykey.key for entry in playlist.playlist.entry[2:4]] == [
        "C:/:Music/:DJ/:a b.mp3", "/:/:nas/:share/:x.wav",
    ]  # fmt: skip


def test_it_reads_its_own_files(tracks: list[ExportTrack], tmp_path: Path) -> None:
    prove(written(tmp_path / "x.nml", tracks), tracks, FILES["traktor"])
    found = list(traktor.read(tmp_path / "x.nml"))
    assert [track.path for track in found[2:]] == [
        "C:/Music/DJ/a b.mp3", "//nas/share/x.wav", "/Users/me/Music/y.m4a", "/Volumes/USB/z.aiff",
    ]  # fmt: skip
    assert found[0].raw_key == "Am"
    assert found[2].grid == steady(1.0, 174.0)  # without bars before, and without them now


def test_markers_set_by_traktor_itself_say_nothing_about_bars(tmp_path: Path) -> None:
    cue = '<CUE_V2 NAME="{}" TYPE="4" START="{}"><GRID BPM="{}"></GRID></CUE_V2>'
    (tmp_path / "x.nml").write_text(
        '<?xml version="1.0" encoding="UTF-8" standalone="no" ?>'
        '<NML VERSION="20"><COLLECTION ENTRIES="2"><ENTRY TITLE="A">'
        '<LOCATION DIR="/:Music/:" FILE="a.mp3" VOLUME="USB" VOLUMEID="USB"></LOCATION>'
        '<TEMPO BPM="128.000031"></TEMPO><MUSICAL_KEY VALUE="21"></MUSICAL_KEY><INFO KEY="8m"/>'
        + cue.format("AutoGrid", "52.5", "128.000031")
        + '<CUE_V2 NAME="n.n." TYPE="0" START="15052.5"></CUE_V2></ENTRY><ENTRY TITLE="B">'
        + cue.format("Beat Marker", "100", "90")
        + cue.format("Beat Marker", "nan", "90")
        + cue.format("Beat Marker", "9", "17178")
        + '<MUSICAL_KEY VALUE="24"></MUSICAL_KEY><INFO KEY="8m"/></ENTRY></COLLECTION></NML>'
    )
    first, second = traktor.read(tmp_path / "x.nml")
    assert first.grid == Grid((Section(0.0525, 128.000031, None),))
    assert (first.path, first.other_path) == ("/Volumes/USB/Music/a.mp3", "/Music/a.mp3")
    assert (first.raw_bpm, first.raw_key) == ("128.000031", "Am")
    assert second.grid == Grid((Section(0.1, 90.0, 1),))
    assert second.raw_key == "8m"


def test_all_keys_keep_their_numbers(tmp_path: Path) -> None:
    keys = [Key(k % 12, k >= 12) for k in range(24)]
    tracks = [ExportTrack(f"/{k}.mp3", key=key) for k, key in enumerate(keys)]
    nml = opened(written(tmp_path / "x.nml", tracks))
    assert [e.musical_key.value_attribute for e in nml.collection.entry] == list(range(24))
    assert [track.raw_key for track in traktor.read(tmp_path / "x.nml")] == list(map(str, keys))


def test_names_that_are_no_text_are_refused() -> None:
    assert traktor.objection(ExportTrack("/bad\udcff.mp3"))
    assert traktor.objection(ExportTrack("/new\nline.mp3"))
    assert not traktor.objection(ExportTrack(f"/{ODD}.mp3", clock=LAME))
