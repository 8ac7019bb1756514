"""Audio in zip archives, on a disk and in storages, sound ones and others."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from mutagen.id3 import APIC, ID3

from tests.audio import click_track, write_audio

from . import hostile
from .archives import ENCRYPTED, Member, archive, bomb, deflated, stored
from .conftest import Row, Storages, estimated, run, some, without_path
from .s3_server import KEY, SECRET, S3Server
from .servers import Content, Site


@pytest.fixture
def packed(short: Path, long: Path, tmp_path: Path) -> Path:
    """An archive with a stored and a compressed member in a folder, and others beside it."""
    path = tmp_path / "a.zip"
    path.write_bytes(
        archive(
            stored("cd/long.wav", long.read_bytes()),
            deflated("cd/short.flac", short.read_bytes()),
            stored("cd/", b""),
            stored("cd/cover.jpg", b"picture"),
            stored("readme.txt", b"hello"),
        )
    )
    return path


MEMBERS = ["cd/long.wav", "cd/short.flac"]


def urls(place: object) -> list[str]:
    return [f"zip://{name}::{place}" for name in MEMBERS]


def same(rows: list[Row], local_rows: dict[str, Row]) -> bool:
    return [without_path(row) for row in rows] == [local_rows["long"], local_rows["short"]]


def test_members_on_a_disk(packed: Path, storages: Storages, local_rows: dict[str, Row]) -> None:
    rows = estimated(*urls(packed), "--windows", 2, "--storages", storages(zip=True))
    assert [row["path"] for row in rows] == urls(packed)
    assert same(rows, local_rows)


def test_members_at_a_site(
    packed: Path, site: Site, storages: Storages, local_rows: dict[str, Row]
) -> None:
    site.files["/a.zip"] = packed.read_bytes()
    path = storages(zip=True, http=[site])
    rows = estimated(*urls(f"{site.url}/a.zip"), "--windows", 2, "--storages", path)
    assert same(rows, local_rows)


@pytest.mark.slow
def test_members_in_s3(
    packed: Path, s3: S3Server, storages: Storages, local_rows: dict[str, Row]
) -> None:
    s3.client().create_bucket(Bucket="archive")
    s3.client().put_object(Bucket="archive", Key="x/a.zip", Body=packed.read_bytes())
    about = {"bucket": "archive", "endpoint": s3.url, "key": KEY, "secret": SECRET}
    path = storages(zip=True, s3=[about])
    rows = estimated(*urls("s3://archive/x/a.zip"), "--windows", 2, "--storages", path)
    assert same(rows, local_rows)


def test_not_all_of_an_archive_is_fetched(
    short: Path, long: Path, site: Site, storages: Storages
) -> None:
    members = [stored(f"{k}.wav", long.read_bytes()) for k in range(5)]
    site.files["/big.zip"] = archive(*members, stored("short.flac", short.read_bytes()))
    (row,) = estimated(
        f"zip://short.flac::{site.url}/big.zip", "--storages", storages(zip=True, http=[site])
    )
    assert row["error"] == ""
    assert site.n_sent < len(site.files["/big.zip"]) / 3


def test_a_sum_counts_when_all_was_read(site: Site, storages: Storages, tmp_path: Path) -> None:
    """What is behind a tag is decoded in order; then the tag is read too, for the sum alone."""
    path = write_audio(tmp_path / "a.mp3", click_track(120, 60, 44100), 44100)
    tags = ID3()
    tags.add(APIC(mime="image/png", data=b"picture" * 9000))
    tags.save(path)
    member = stored("a.mp3", path.read_bytes())
    site.files["/good.zip"] = archive(member)
    site.files["/bad.zip"] = archive(replace(member, crc=1))
    options = ("--storages", storages(zip=True, http=[site]))
    for name, said in (("good", ""), ("bad", "is damaged in its archive")):
        (row,) = estimated(f"zip://a.mp3::{site.url}/{name}.zip", *options)
        assert row["error"] == said


def test_a_part_is_read_without_its_sum(long: Path, site: Site, storages: Storages) -> None:
    site.files["/bad.zip"] = archive(replace(stored("a.wav", long.read_bytes()), crc=1))
    options = ("--windows", 1, "--storages", storages(zip=True, http=[site]))
    (row,) = estimated(f"zip://a.wav::{site.url}/bad.zip", *options)
    assert row["error"] == ""
    assert site.n_sent < len(site.files["/bad.zip"]) / 2


def test_an_archive_that_changes(
    short: Path, site: Site, storages: Storages, tmp_path: Path
) -> None:
    """Between two runs and in the middle of one; members lie elsewhere then."""
    music = short.read_bytes()
    old, new = (
        archive(stored("a.flac", music)),
        archive(stored("0", b"x" * 99), stored("a.flac", music)),
    )
    url, options = (
        f"zip://a.flac::{site.url}/a.zip",
        ("--storages", storages(zip=True, http=[site])),
    )
    for k, data in enumerate((old, new, old)):
        site.answers["/a.zip"] = Content(data, f'"{k}"')
        assert estimated(url, *options)[0]["error"] == ""
    site.answers["/a.zip"] = hostile.in_turn(Content(old, '"a"'), Content(new, '"b"'))
    rows = estimated(url, url, url, url, "--jobs", 4, *options)
    assert [row["error"] for row in rows if "changed" not in row["error"]].count("") >= 3


def test_an_archive_at_a_site_without_ranges(packed: Path, site: Site, storages: Storages) -> None:
    site.answers["/a.zip"] = hostile.whole(packed.read_bytes())
    options = ("--storages", storages(zip=True, http=[site]))
    for place in (f"zip://cd/short.flac::{site.url}/a.zip", f"zip://::{site.url}/a.zip"):
        assert estimated(place, *options)[0]["error"]


@pytest.mark.parametrize("place", ["zip://::{}", "zip://cd/::{}"])
def test_archives_are_listed(
    place: str, packed: Path, storages: Storages, local_rows: dict[str, Row]
) -> None:
    options = ("--windows", 2, "--storages", storages(zip=True))
    rows = estimated(place.format(packed), *options)
    assert [row["path"] for row in rows] == urls(packed)
    assert same(rows, local_rows)


def test_archives_that_python_writes(short: Path, tmp_path: Path, storages: Storages) -> None:
    """With names beyond ASCII, descriptors behind the data, and comments."""
    path = tmp_path / "p.zip"
    with path.open("wb") as file, zipfile.ZipFile(file, "w") as packed:
        packed.comment = b"a comment"
        for kind, name in ((0, "ü/a b.flac"), (8, "日本.flac"), (8, "a::b.flac")):
            packed.write(short, name, kind)
        with packed.open("z64.flac", "w", force_zip64=True) as member:
            member.write(short.read_bytes())
    rows = estimated(f"zip://::{path}", "--storages", storages(zip=True))
    assert len(rows) == 4
    sound = [row for row in rows if "a::b" not in row["path"]]
    assert [row["error"] for row in sound] == [""] * 3


@pytest.mark.parametrize("configured", [{}, {"zip": False}, {"http": []}])
def test_archives_are_closed_without_settings(
    configured: dict[str, object], packed: Path, site: Site, storages: Storages
) -> None:
    site.files["/a.zip"] = packed.read_bytes()
    others = (f"zip://::{packed}", f"zip://cd/short.flac::{site.url}/a.zip")
    for row in estimated(*urls(packed), *others, "--storages", storages(**configured)):
        assert "zip: true" in row["error"]
    assert site.requests == []


def test_only_configured_storages_of_archives(
    packed: Path, site: Site, other: Site, storages: Storages
) -> None:
    path = storages(zip=True, http=[site])
    wrong = [
        f"zip://cd/short.flac::{other.url}/a.zip", f"zip://::{other.url}/a.zip",
        "zip://cd/short.flac::s3://archive/a.zip", f"zip://cd/short.flac::file://{packed}",
        f"zip://cd/short.flac::simplecache::{other.url}/a.zip",
        f"zip://x.flac::zip://in.zip::{other.url}/a.zip",
        f"zip://cd/short.flac::http://u:sesame@127.0.0.1:{site.port}/a.zip",
        f"simplecache::zip://cd/short.flac::{packed}", f"zip://{other.url}/a.flac::{packed}",
        "zip://cd/short.flac", "zip://", "zip://::", "zip://cd/short.flac::",
        f"zip://cd/short.flac::{packed.parent}", "zip://a.flac::/dev/zero",
    ]  # fmt: skip
    rows = estimated(*wrong, "--storages", path)
    assert [row["path"] for row in rows if not row["error"]] == []
    assert "sesame" not in str([row["error"] for row in rows])
    assert site.requests == []


def broken_archives(music: bytes) -> dict[str, bytes]:
    """Archives with a member `a.flac` that cannot be had, by what is wrong with them."""
    sound = archive(stored("a.flac", music), stored("b.flac", music))
    good = stored("a.flac", music)
    packed = deflated("a.flac", music)
    half = len(music) // 2
    end = sound.rindex(b"PK\5\6")
    return {
        "empty": b"",
        "no archive": music,
        "the beginning": sound[: len(sound) // 3],
        "without its end": sound[:-10],
        "without its directory": sound[:end][: 2 * len(music)],
        "the end alone": sound[end:],
        "the directory alone": sound[2 * len(music) + 200 :],
        "another member": archive(stored("b.flac", music)),
        "encrypted": archive(replace(good, flags=ENCRYPTED)),
        "encrypted and packed": archive(replace(packed, flags=ENCRYPTED)),
        "of an unknown method": archive(replace(good, method=99)),
        "packed, but stored": archive(replace(good, method=8)),
        "a wrong sum, packed": archive(replace(packed, crc=1)),
        "a wrong sum": archive(replace(good, crc=1)),
        "half of it": archive(replace(packed, data=packed.data[: len(packed.data) // 2])),
        "longer than it says": archive(replace(packed, size=half)),
        "shorter than it says": archive(replace(packed, size=len(music) * 3)),
        "elsewhere": archive(good, stored("c", b"xxxx" * 50), replace(good, shift=77)),
        "beyond the end": archive(replace(good, shift=1 << 30)),
        "a directory elsewhere": sound[: end + 16] + b"\xf0\xff\xff\x7f" + sound[end + 20 :],
        "a bomb": archive(bomb("a.flac", 3000, music[:9000])),
    }


@pytest.mark.parametrize("name", some(
    broken_archives(bytes(99)), "no archive", "the beginning", "encrypted", "a wrong sum",
    "a wrong sum, packed", "longer than it says", "beyond the end", "a bomb",
))  # fmt: skip
def test_broken_archives(name: str, short: Path, tmp_path: Path, storages: Storages) -> None:
    path = tmp_path / "bad.zip"
    path.write_bytes(broken_archives(short.read_bytes())[name])
    places = (f"zip://a.flac::{path}", short)
    start = time.monotonic()
    bad, good = estimated(*places, "--storages", storages(zip=True), "--time-limit", 20)
    assert time.monotonic() - start < 10
    assert bad["error"]
    assert len(bad["error"]) < 300
    assert good["error"] == ""
    result = run("estimate", f"zip://::{path}", "--storages", storages(zip=True))
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "name", ["../a.flac", "b/../../a.flac", "/a.flac", "..\\a.flac", "c:\\a.flac"]
)
def test_names_that_lead_out_of_an_archive(
    name: str, short: Path, tmp_path: Path, storages: Storages
) -> None:
    path = tmp_path / "in" / "bad.zip"
    path.parent.mkdir()
    (tmp_path / "a.flac").write_bytes(short.read_bytes())
    path.write_bytes(archive(stored(name, short.read_bytes())))
    (row,) = estimated(f"zip://{name}::{path}", "--storages", storages(zip=True))
    if "..\\" not in name and "c:" not in name:  # which are names like others where / separates
        assert row["error"]
    before = sorted(tmp_path.rglob("*"))
    run("notes", f"zip://::{path}", "-o", f"{tmp_path}/in/", "--storages", storages(zip=True))
    made = set(tmp_path.rglob("*")) - set(before)
    assert all(found.parent == path.parent for found in made)


def test_names_are_shown_in_one_line(short: Path, tmp_path: Path, storages: Storages) -> None:
    path = tmp_path / "bad.zip"
    names = ["a\x1b[31m.flac", "b\n\n.flac", "c\t.flac", "d\u202e.flac"]
    path.write_bytes(archive(*(stored(name, b"x") for name in names)))
    result = run("estimate", f"zip://::{path}", "--storages", storages(zip=True))
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output
    assert len(result.stderr.splitlines()) == 5


@pytest.mark.slow
def test_a_bomb_takes_no_memory(short: Path, tmp_path: Path, storages: Storages) -> None:
    path = tmp_path / "bomb.zip"
    path.write_bytes(archive(bomb("a.flac", 4000, short.read_bytes()[:9000])))
    room = tmp_path / "room"
    room.mkdir()
    peaks = []
    for place in (short, f"zip://a.flac::{path}"):
        child = subprocess.Popen(
            [sys.executable, "-m", "tempo_core.cli", "estimate", "--tasks", "tempo", place,
             "--storages", storages(zip=True)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=os.environ | {"TMPDIR": str(room)},
        )  # fmt: skip
        _, _, usage = os.wait4(child.pid, 0)
        child.returncode = 0
        peaks.append(usage.ru_maxrss / 1024)
        assert list(room.iterdir()) == []
    assert peaks[1] < peaks[0] + 100


@pytest.mark.slow
def test_many_names(tmp_path: Path, storages: Storages) -> None:
    """A directory of a hundred thousand names is no more than a list."""
    path = tmp_path / "many.zip"
    member = Member(b"", b"x", 1, zlib.crc32(b"x"))
    members = (replace(member, name=b"%05d.txt" % k) for k in range(20_000))
    path.write_bytes(archive(*members))
    start = time.monotonic()
    (row,) = estimated(f"zip://::{path}", "--storages", storages(zip=True))
    assert row["error"]
    assert time.monotonic() - start < 10


def test_a_pipe_is_no_archive(tmp_path: Path, storages: Storages) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    start = time.monotonic()
    rows = estimated(
        f"zip://a.flac::{tmp_path}/pipe.zip", f"zip://::{tmp_path}/pipe.zip", "--time-limit", 5,
        "--storages", storages(zip=True),
    )  # fmt: skip
    assert all(row["error"] for row in rows)
    assert time.monotonic() - start < 4
