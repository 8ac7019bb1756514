"""The XML of rekordbox: read by pyrekordbox, and checked against Pioneer's description."""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pyrekordbox.rbxml import RekordboxXml

from tempo_core.beatgrid import Grid, Section
from tempo_core.errors import LabelError
from tempo_core.exports import rekordbox
from tempo_core.exports.formats import FILES, prove
from tempo_core.exports.track import ExportTrack
from tempo_core.keys import Key

from .conftest import ODD

# Pioneer's list: elements, what stands in them, and the type of each attribute
WHOLE, NUMBER, TEXT = r"-?\d+", r"-?\d+(\.\d+)?", r"[^\x00-\x1f]*"
FORMAT = {
    "DJ_PLAYLISTS": (("PRODUCT", "COLLECTION", "PLAYLISTS"), {"Version": r"1\.0\.0"}),
    "PRODUCT": ((), {"Name": TEXT, "Version": TEXT, "Company": TEXT}),
    "COLLECTION": (("TRACK",), {"Entries": WHOLE}),
    "TRACK": (
        ("TEMPO",),
        {
            "TrackID": TEXT, "Name": TEXT, "Artist": TEXT, "Album": TEXT, "Genre": TEXT,
            "Kind": TEXT, "Size": WHOLE, "TotalTime": WHOLE, "TrackNumber": WHOLE, "Year": WHOLE,
            "AverageBpm": NUMBER, "BitRate": WHOLE, "SampleRate": NUMBER, "Comments": TEXT,
            "Location": r"file://[a-z]+/[\x21-\x7e]*", "Tonality": "[A-G][b#]?m?|", "Key": WHOLE,
        },
    ),
    "TEMPO": (
        (), {"Inizio": r"\d+\.\d{3}", "Bpm": r"\d+\.\d\d", "Metro": "4/4", "Battito": "[1-4]"},
    ),
    "PLAYLISTS": (("NODE",), {}),
    "NODE": (
        ("NODE", "TRACK"),
        {"Type": "[01]", "Name": TEXT, "Count": WHOLE, "KeyType": "0", "Entries": WHOLE},
    ),
}  # fmt: skip


def check(element: ElementTree.Element) -> None:
    """Fail unless an element and all in it are as the description says."""
    inside, attributes = FORMAT[element.tag]
    for name, value in element.attrib.items():
        assert re.fullmatch(attributes[name], value), (element.tag, name, value)
    for child in element:
        assert child.tag in inside, (element.tag, child.tag)
        check(child)


def written(path: Path, tracks: list[ExportTrack], playlist: str | None = None) -> Path:
    path.write_bytes(rekordbox.encode(tracks, playlist))
    return path


def test_the_file_is_as_pioneer_describes_it(tracks: list[ExportTrack], tmp_path: Path) -> None:
    root = ElementTree.parse(written(tmp_path / "x.xml", tracks, "Set <1>")).getroot()
    check(root)
    assert root.find("COLLECTION").get("Entries") == str(len(tracks))  # type: ignore[union-attr]
    assert all(track.get("Location") for track in root.iter("TRACK") if track.get("TrackID"))


def test_an_independent_reader_finds_all_of_it(tracks: list[ExportTrack], tmp_path: Path) -> None:
    xml = RekordboxXml(written(tmp_path / "x.xml", tracks, "Set & more"))
    assert (xml.frmt_version, xml.product_name, xml.num_tracks) == ("1.0.0", "beets-tempo", 6)
    first, second, windows = (xml.get_track(k) for k in range(3))
    assert (first.Name, first.Artist, first.Album, first.Year) == (ODD, "A & B", "<Album>", 1999)
    assert (first.AverageBpm, first.Tonality, first.BitRate) == (127.98, "Am", 320)
    assert Path("/", first.Location) == Path(f"/music/{ODD}.mp3")
    assert first.Comments == "=1+1  [31m x"
    # rekordbox plays the frame with the header of LAME, and the delay: 2257 samples
    (tempo,) = first.tempos
    assert (tempo.Inizio, tempo.Bpm, tempo.Battito) == (round(0.5125 + 2257 / 44100, 3), 127.98, 1)
    assert [(t.Inizio, t.Bpm, t.Battito) for t in second.tempos] == [
        (0.25, 120.5, 3), (61.0, 126.25, 1),
    ]  # fmt: skip
    assert windows.Location.replace("\\", "/") == "C:/Music/DJ/a b.mp3"
    playlist = xml.get_playlist("Set & more")
    assert playlist.get_tracks() == [1, 2, 3, 4, 5, 6]
    assert playlist.key_type == "TrackID"


def test_it_reads_its_own_files(tracks: list[ExportTrack], tmp_path: Path) -> None:
    prove(written(tmp_path / "x.xml", tracks), tracks, FILES["rekordbox"])
    found = list(rekordbox.read(tmp_path / "x.xml"))
    assert found[1].grid == tracks[1].grid
    assert found[3].path == "//nas/share/x.wav"
    assert found[5].grid is None
    assert found[5].raw_key is None


@pytest.mark.parametrize(
    "path",
    [
        "/a/b.mp3",
        "/ä/😀 %41.mp3",
        "/a#b?c&d=e;f:g.mp3",
        "/new\nline\t.mp3",
        "/bad\udcff.mp3",
        "C:/x y",
    ],
)
def test_addresses_lead_back_to_paths(path: str) -> None:
    address = rekordbox.location(path)
    assert address.isascii()
    assert rekordbox.path_of(address) == path
    assert os.fsencode(rekordbox.path_of(address)) == os.fsencode(path)


def test_addresses_that_others_write() -> None:
    for address, path in (
        ("file://localhost/C:/Music/a%20b.mp3", "C:/Music/a b.mp3"),
        ("file:///Users/me/x.mp3", "/Users/me/x.mp3"),
        ("file://localhost/Users/me/%C3%A9#1.mp3", "/Users/me/é#1.mp3"),
        ("FILE://localhost/Users/x.mp3", "/Users/x.mp3"),
        ("file://nas/music/x.mp3", "//nas/music/x.mp3"),
        ("/plain/path.mp3", "/plain/path.mp3"),
        ("", ""),
    ):
        assert rekordbox.path_of(address) == path


def test_files_of_rekordbox_with_gaps_and_nonsense(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><DJ_PLAYLISTS Version="1.0.0"><COLLECTION>'
        '<TRACK TrackID="1" AverageBpm="127,98" Tonality="8A" Location="file://localhost/a.mp3">'
        '<TEMPO Inizio="9" Bpm="120" Metro="3/4" Battito="2"/>'
        '<TEMPO Inizio="1.5" Bpm="127,98" Metro="4/4" Battito="4"/>'
        '<TEMPO Inizio="-1" Bpm="128"/><TEMPO Inizio="nan" Bpm="128"/><TEMPO Inizio="3" Bpm="0"/>'
        '<POSITION_MARK Name="cue" Type="0" Start="0"/></TRACK><TRACK/></COLLECTION>'
        '<PLAYLISTS><NODE Type="0"><NODE Type="1"><TRACK Key="1"/></NODE></NODE></PLAYLISTS>'
        "</DJ_PLAYLISTS>"
    )
    first, empty = rekordbox.read(tmp_path / "x.xml")
    assert first.grid == Grid((Section(1.5, 127.98, 4), Section(9.0, 120.0, None)))
    assert (first.raw_bpm, first.raw_key) == ("127,98", "8A")
    assert (empty.path, empty.raw_bpm, empty.grid) == ("", None, None)


def test_keys_are_named_as_rekordbox_does() -> None:
    assert [rekordbox.key_name(Key(k, True)) for k in (3, 6, 8, 9)] == ["Ebm", "F#m", "Abm", "Am"]


def test_a_damaged_file_is_one_message(tracks: list[ExportTrack], tmp_path: Path) -> None:
    path = written(tmp_path / "x.xml", tracks)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(LabelError, match=r"x\.xml: is damaged or cut off \(line \d+: "):
        list(rekordbox.read(path))
