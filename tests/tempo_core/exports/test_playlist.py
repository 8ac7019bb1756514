"""Tests of playlists: what is in them, and that no name can break a line."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from tempo_core.exports.playlist import Entry, file_uri, place, playlist


def test_a_track_has_a_comment_and_a_path() -> None:
    entries = [
        Entry("/music/a.mp3", "Night Bus", "Subfloor", 183.6, (("EXTALB", "Depot"),)),
        Entry("/music/夜.flac", "夜", duration=0),
        Entry("/music/b.ogg", artist="Subfloor"),
        Entry(r"C:\music\c.mp3"),
    ]
    assert playlist(entries, name="Set").splitlines() == [
        "#EXTM3U", "#PLAYLIST:Set",
        "#EXTINF:184,Subfloor - Night Bus", "#EXTALB:Depot", "/music/a.mp3",
        "#EXTINF:-1,夜", "/music/夜.flac",
        "#EXTINF:-1,Subfloor - b", "/music/b.ogg",
        "#EXTINF:-1,c", r"C:\music\c.mp3",
    ]  # fmt: skip


def test_names_that_are_read_from_right_to_left_are_as_they_are() -> None:
    (_, info, _) = playlist([Entry("/a.mp3", "\u200fשבת", "ערב")]).splitlines()
    assert info == "#EXTINF:-1,ערב - \u200fשבת"


def test_no_tracks_are_a_playlist_too() -> None:
    assert playlist([]) == "#EXTM3U\n"


@pytest.mark.parametrize("odd", ["a\nb", "a\r\nb", "a\u2028b", "a\x85b", "\x1b[31m", "\udce9"])
def test_no_name_breaks_a_line(odd: str) -> None:
    entry = Entry(f"/music/{odd}.mp3", odd, odd, 10, ((odd, odd),))
    text = playlist([entry], name=odd)
    text.encode()  # valid UTF-8
    lines = text.splitlines()
    assert len(lines) == 5
    assert [line[:1] for line in lines] == ["#", "#", "#", "#", "f"]
    assert "\x1b" not in text
    assert unquote_to_bytes(lines[-1].removeprefix("file://")) == os.fsencode(entry.path)


def test_space_at_the_end_is_kept_as_uri() -> None:
    assert place("/music/a ") == "file:///music/a%20"


def test_paths_relative_to_a_folder(tmp_path: Path) -> None:
    for name in ("a.mp3", "#1.mp3", " a.mp3", "http:x.mp3", "sub/a:b.mp3"):
        line = place(str(tmp_path / "music" / name), tmp_path / "music")
        assert os.path.normpath(line) == os.path.normpath(name)
        # No reader takes it for a comment, strips it or asks the network for it.
        assert line[0] not in "# "
        assert ":" not in line.split("/")[0]
    inside = place(str(tmp_path / "music" / "a.mp3"), tmp_path / "lists")
    assert inside == os.path.join("..", "music", "a.mp3")  # noqa: PTH118


def test_what_cannot_be_relative_stays_absolute(tmp_path: Path) -> None:
    for path in (r"D:\music\a.mp3", r"\\server\music\a.mp3"):
        assert place(path, tmp_path) == path
    odd = str(tmp_path / "a\nb.mp3")
    assert place(odd, tmp_path) == file_uri(odd)


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("/music/100 %.mp3", "file:///music/100%20%25.mp3"),
        (r"C:\My Music\ö#.mp3", "file:///C:/My%20Music/%C3%B6%23.mp3"),
        (r"\\server\music\a.mp3", "file://server/music/a.mp3"),
    ],
)
def test_uris_of_files(path: str, uri: str) -> None:
    assert file_uri(path) == uri
