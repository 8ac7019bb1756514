"""Tests of names that are addresses: what is one, what is in it, and how it is shown."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_core.addresses import (
    as_text,
    is_address,
    is_folder,
    is_open_address,
    parts_of,
    place_of,
    shared_address,
    without_query,
)

ADDRESSES = (
    "https://archive.example.org/a%20b/c.flac", "http://127.0.0.1:8000/x.mp3?sign=abc",
    "s3://bucket/album/song one.mp3", "s3://bucket/", "zip://member.mp3::/data/a.zip",
    "zip://folder/m.mp3::s3://bucket/a.zip", "zip://m.mp3::https://example.org/a.zip",
    "zip://::/data/a.zip", "zip://::s3://bucket/a.zip", "zip://m.mp3::http://[::1]:8000/a.zip",
    "zip://m.mp3::a.zip",
)  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_survives_a_path(address: str) -> None:
    assert is_address(address)
    kept = as_text(Path(address))
    assert kept == address.rstrip("/") or kept == address
    assert is_address(Path(address))


@pytest.mark.parametrize("name", ["a.mp3", "/data/s3:/x", "ftp://x/y", "file:///x", "c:/music", ""])
def test_other_names_are_none(name: str) -> None:
    assert not is_address(name)
    assert as_text(Path(name)) == str(Path(name))
    assert place_of(name) == without_query(name) == name


@pytest.mark.parametrize(("address", "member", "archive"), [
    ("zip://a/b.mp3::/data/a.zip", "a/b.mp3", "/data/a.zip"), ("zip://::a.zip", "", "a.zip"),
    ("zip://a::b.mp3::s3://bucket/a.zip", "a::b.mp3", "s3://bucket/a.zip"),
    ("zip://b.mp3::http://[::1]:80/a.zip", "b.mp3", "http://[::1]:80/a.zip"),
    ("zip://::https://[fe80::1]/a.zip", "", "https://[fe80::1]/a.zip"),
    ("zip://::http.mp3::/a.zip", "::http.mp3", "/a.zip"),
])  # fmt: skip
def test_members(address: str, member: str, archive: str) -> None:
    assert parts_of(address) == (member, "::", archive)


@pytest.mark.parametrize(("address", "told"), [
    ("http://u:p@host/a@b.mp3?c=d", "http://…@host/a@b.mp3"), ("s3://k:s@bucket/a", "s3://…@bucket/a"),
    ("zip://a@b.mp3::https://p@host/a.zip", "zip://a@b.mp3::https://…@host/a.zip"),
    ("http://u:p@x@host\\@other/", "http://…@host\\@other/"), ("http://host/@", "http://host/@"),
])  # fmt: skip
def test_no_message_has_a_password(address: str, told: str) -> None:
    assert without_query(address) == told


def test_no_address_is_open_by_default() -> None:
    assert not any(is_open_address(address) for address in ADDRESSES)


@pytest.mark.parametrize(("address", "folder"), [
    ("s3://bucket", True), ("s3://bucket/", True), ("s3://bucket/a/", True),
    ("s3://bucket/a", False), ("s3://bucket/what?/", True), ("https://example.org/a/", True),
    ("https://example.org", True), ("https://example.org/a/?b=c", True),
    ("https://example.org/a.mp3?b=/", False), ("zip://::/a.zip", True), ("zip://b/::/a.zip", True),
    ("zip://b.mp3::/a.zip", False),
])  # fmt: skip
def test_folders(address: str, folder: bool) -> None:
    assert is_folder(address) == folder


@pytest.mark.parametrize(("address", "place"), [
    ("https://example.org/albums/one/a%20song.mp3?sign=x", "one/a song.mp3"),
    ("https://example.org/song.mp3", "song.mp3"),
    ("s3://bucket/one/a%20song.mp3", "one/a%20song.mp3"),
    ("zip://one/song.mp3::s3://bucket/two.zip", "one/song.mp3"),
    ("zip://song.mp3::/data/two.zip", "two/song.mp3"),
    ("https://example.org/..%2f..%2fetc%2fpasswd", "etc/passwd"),
    ("https://example.org/a%5c..%5cb.mp3", "a_.._b.mp3"),
    ("s3://bucket/../../..", "bucket"), ("https://example.org", "audio"),
])  # fmt: skip
def test_outputs_are_named_after_the_object(address: str, place: str) -> None:
    assert place_of(address) == place


@given(st.sampled_from(ADDRESSES[:6]), st.text(max_size=30))
def test_no_output_leads_out_of_its_folder(begin: str, end: str) -> None:
    place = place_of(f"{begin}/{end}")
    assert not PurePosixPath(place).is_absolute()
    assert not {"..", ""} & set(place.split("/"))
    assert "\0" not in place


def test_no_query_in_messages() -> None:
    assert without_query("https://example.org/a?sign=b") == "https://example.org/a"
    member = "zip://a?b::https://example.org/a.zip"
    assert without_query(f"{member}?sign=b") == member
    assert without_query("s3://bucket/what?") == "s3://bucket/what?"


def test_addresses_for_other_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert shared_address("zip://m.mp3::a.zip") == f"zip://m.mp3::{tmp_path}/a.zip"
    for address in ADDRESSES[:-1]:
        assert shared_address(address) == address
