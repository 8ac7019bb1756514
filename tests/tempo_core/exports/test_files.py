"""Playlists, tables, XML of strangers, and how files are written."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import m3u8
import pytest

from tempo_core.errors import LabelError, StorageError
from tempo_core.exports import m3u8 as playlists
from tempo_core.exports import rekordbox, table, traktor
from tempo_core.exports.formats import FILES, prove
from tempo_core.exports.track import ExportTrack, plain, same_path
from tempo_core.exports.writing import proven, write
from tempo_core.exports.xml_files import root_of

from .conftest import ODD


def test_a_playlist_is_read_by_an_independent_reader(tracks: list[ExportTrack]) -> None:
    text = playlists.encode(tracks, "Set\n1").decode()
    assert text.startswith("#EXTM3U\n#PLAYLIST:Set 1\n")
    found = m3u8.loads(text).segments
    assert [segment.uri for segment in found] == [track.path for track in tracks]
    assert [segment.duration for segment in found] == [245, 300, -1, -1, -1, -1]
    assert found[0].title == f"A & B - {ODD}"
    assert found[3].title == "x"
    assert "#EXTALB:<Album>\n#EXTART:A & B\n#EXTGENRE:House; Techno\n/music/" in text


def test_a_table_is_read_by_the_csv_module(tracks: list[ExportTrack], tmp_path: Path) -> None:
    data = table.encode(tracks)
    assert data.count(b"\r\n") == data.count(b"\n") == 7
    (tmp_path / "x.csv").write_bytes(data)
    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as file:
        first, second, *_, last = csv.DictReader(file)
    assert first["path"] == f"/music/{ODD}.mp3"
    assert (first["title"], first["bpm"], first["key"]) == (ODD, "127.98", "Am")
    assert (first["camelot"], first["openkey"], first["confidence"]) == ("8A", "1m", "0.93")
    # Times are ours here, and not those of a program.
    assert (first["first_beat"], first["downbeat"], first["paces"]) == (
        "0.5125",
        "0.5125",
        "128 64",
    )
    assert second["grid"] == "0.2500 120.50 3; 61.0000 126.25 1"
    assert (last["bpm"], last["key"], last["first_beat"], last["duration"]) == ("", "", "", "")


def test_no_cell_of_a_table_is_a_formula(tracks: list[ExportTrack], tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(table.encode([*tracks, ExportTrack("/a", "\t@x", "+1")]))
    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert (rows[2][1], rows[2][2], rows[1][-1]) == ("'-dash", "'=SUM(A1)", "'=1+1  [31m x")


@pytest.mark.parametrize("name", FILES)
def test_a_file_replaces_another_only_as_a_whole(
    name: str, tracks: list[ExportTrack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, form = tmp_path / "x", FILES[name]
    write(path, tracks, None, form)
    old = path.read_bytes()
    assert old == proven(tracks, None, form)

    # A disk that loses the second half of what it is given
    monkeypatch.setattr("os.fsync", lambda handle: os.ftruncate(handle, len(old) // 2))
    with pytest.raises((StorageError, LabelError)):
        write(path, [*tracks, ExportTrack("/b.mp3")], None, form)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_the_proof_notices_what_differs(tracks: list[ExportTrack], tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    for old, new, told in (
        (b"127.98", b"127.88", "tempo"), (b'"Am"', b'"Em"', "key"),
        (b"0.564", b"0.600", "beat grid"), (b"plain.flac", b"plain.fla", "path"),
    ):  # fmt: skip
        data = rekordbox.encode(tracks)
        assert old in data
        path.write_bytes(data.replace(old, new))
        with pytest.raises(StorageError, match=told):
            prove(path, tracks, FILES["rekordbox"])


HOSTILE = {
    "entities": '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><NML><COLLECTION>&b;',
    "external": '<!DOCTYPE NML SYSTEM "file:///etc/passwd"><NML/>',
    "parameter": '<!DOCTYPE NML [<!ENTITY % x SYSTEM "http://localhost/x">%x;]><NML/>',
    "undefined": "<NML><COLLECTION><ENTRY TITLE='&secret;'/></COLLECTION></NML>",
    "deep": "<NML><COLLECTION>" + "<ENTRY>" * 1000,
    "cut": "<NML><COLLECTION><ENTRY TITLE='x'",
    "endless tag": "<NML><COLLECTION><ENTRY TITLE='" + "x" * (5 << 20),
    "many markers": "<NML><COLLECTION><ENTRY>" + "<CUE_V2/>" * 100_001,
    "control": "<NML><COLLECTION><ENTRY TITLE='\x01'/></COLLECTION></NML>",
    "encoding": "<?xml version='1.0' encoding='nothing'?><NML/>",
    "empty root": "<NML>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_xml_is_one_message(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.nml"
    path.write_text(HOSTILE[name])
    begin = time.perf_counter()
    with pytest.raises(LabelError, match=r"^[^\n]*x\.nml: [^\n]+$") as caught:
        list(traktor.read(path))
    assert time.perf_counter() - begin < 5
    if "ENTITY" in HOSTILE[name] or "SYSTEM" in HOSTILE[name]:
        assert "a document type" in str(caught.value)


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content, root in (
        (b"title\tartist\n", None),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- <a> --><NML VERSION='19'>", "NML"),
        ("<?xml version='1.0' encoding='utf-16'?><DJ_PLAYLISTS/>".encode("utf-16"), "DJ_PLAYLISTS"),
        (b"<!DOCTYPE NML SYSTEM 'x'><NML/>", "NML"),
        (b'<!DOCTYPE NML [<!ENTITY a "b>">]><NML/>', "NML"),
        (b"<?a?>" * 40, ""),  # which a search by pattern would take for ever to match
        (b"<<<", ""),
    ):
        path.write_bytes(content)
        assert root_of(path) == root
    path.write_bytes("<NML><COLLECTION><ENTRY TITLE='é'/></COLLECTION></NML>".encode("utf-16"))
    assert [track.title for track in traktor.read(path)] == ["é"]


def test_texts_lose_what_no_format_can_hold() -> None:
    assert plain("a\nb\x00\x7fc\udcff\ufffe ") == "a b c\ufffd\ufffd"
    for name in FILES:
        data = FILES[name].encode(
            [ExportTrack("/x.mp3", "a\x0b\udcff\uffff", "\x85\u2028b")], "\x01p"
        )
        text = data.decode()
        assert not set(text) & set("\x0b\uffff\x85\u2028\x01")
        if name in ("rekordbox", "traktor"):
            ElementTree.fromstring(data)


def test_paths_that_mean_one_file_are_equal() -> None:
    assert same_path("C:\\Music\\X.mp3") == same_path("c:/music/x.MP3")
    assert same_path("/u\u0308.mp3") == same_path("/ü.mp3") != same_path("/Ü.mp3")


def test_exports_do_without_numpy() -> None:
    code = (
        "import sys, tempo_core.exports.formats, tempo_core.exports.mixxx, "
        "tempo_core.exports.writing; sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
