"""Tests of what a file of settings means, and of which addresses it allows."""

from __future__ import annotations

import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tempo_core.errors import AudioError
from tempo_core.remote.settings import Bucket, Site, Storages, is_open
from tempo_core.remote.settings_file import read_storages
from tempo_core.remote.sites import site_of, usable
from tests.extras import REMOTE, without

ROOT = Path(__file__).parents[3]

SETTINGS = """
http:
  - https://archive.example.org/audio/
  - site: HTTP://127.0.0.1:80
    robots: false
    headers: {Authorization: Bearer sesame}
    requests: 7
s3:
  - {bucket: archive, endpoint: "http://127.0.0.1:9000", key: known, secret: sesame}
  - {bucket: other, credentials: machine}
  - {bucket: open, region: eu-central-1}
  - {bucket: lent, region: eu-central-1, key: known, secret: sesame, token: sesame+/=}
zip: true
"""
FOUND = Storages(
    (
        Site("https://archive.example.org", "/audio"),
        Site("http://127.0.0.1", "", False, (("Authorization", "Bearer sesame"),), 7),
    ),
    (
        Bucket("archive", "http://127.0.0.1:9000", "", "known", "sesame"),
        Bucket("other", machine=True),
        Bucket("open", region="eu-central-1"),
        Bucket("lent", "", "eu-central-1", "known", "sesame", "sesame+/="),
    ),
    zip=True,
)


def _read(tmp_path: Path, mode: int = 0o600) -> tuple[Storages, list[str]]:
    told: list[str] = []
    path = tmp_path / "storages.yaml"
    path.write_text(SETTINGS)
    path.chmod(mode)
    return read_storages(path, told.append), told


def test_settings(tmp_path: Path) -> None:
    assert _read(tmp_path) == (FOUND, [])
    assert pickle.loads(pickle.dumps(FOUND)) == FOUND
    assert len({FOUND, _read(tmp_path)[0]}) == 1


def test_no_secret_is_shown(tmp_path: Path) -> None:
    assert FOUND.has_secrets
    assert not Storages((FOUND.sites[0],), FOUND.buckets[1:3]).has_secrets
    assert "sesame" not in repr(FOUND) + str(FOUND)
    assert "known" not in repr(FOUND)
    _, told = _read(tmp_path, 0o644)
    assert len(told) == 1
    assert "chmod" in told[0]


@pytest.mark.parametrize(("address", "sent"), [
    ("HTTP://Example.org:80/A b", "http://example.org/A%20b"),
    ("https://example.org", "https://example.org/"),
    ("https://example.org/ü%20?x=%2F&y=a b", "https://example.org/%C3%BC%20?x=%2F&y=a%20b"),
    ("https://example.org/100%/5%25 %zz%4", "https://example.org/100%25/5%25%20%25zz%254"),
    ("https://[::1]:8080/a", "https://[::1]:8080/a"),
])  # fmt: skip
def test_addresses_as_they_are_asked_for(address: str, sent: str) -> None:
    assert usable(address) == sent


@pytest.mark.parametrize("address", [
    "http://u:p@example.org/", "http://u@example.org/a", "http://example.org\\@evil.org/",
    "http://example.org/a/../b", "http://example.org/a/%2e%2e/b", "http://example.org/a\\..\\b",
    "http://example.org/%252e%252e/b", "http://example.org/a#b", "http://example.org/a\r\nX: y",
    "http://example.org:99999/", "http:///a", "http://exämple.org/", "http://example.org/%0d%0a",
])  # fmt: skip
def test_addresses_that_are_refused(address: str) -> None:
    with pytest.raises(AudioError):
        usable(address)


def test_a_part_of_a_site() -> None:
    sites = (Site("https://a.org", "/audio"), Site("https://a.org", "/audio/own", robots=False))
    assert site_of(sites, "https://a.org/audio/x") is sites[0]
    assert site_of(sites, "https://a.org/audio") is sites[0]
    assert site_of(sites, "https://a.org/audio/own/x?y") is sites[1]
    for other in ("https://a.org/audios", "https://a.org/", "http://a.org/audio/x",
                  "https://a.org:8443/audio/x", "https://a.org.evil.org/audio/x"):  # fmt: skip
        with pytest.raises(AudioError, match="no storage is configured"):
            site_of(sites, other)


def test_a_part_of_a_site_is_written_as_addresses_are(tmp_path: Path) -> None:
    path = tmp_path / "storages.yaml"
    path.write_text('http: ["https://a.org/Müsik 100%/", "https://a.org/b%20c/"]')
    sites = read_storages(path).sites
    for address, k in (("Müsik 100%/x", 0), ("M%C3%BCsik%20100%25/x", 0), ("b c/x", 1)):
        assert site_of(sites, usable(f"https://a.org/{address}")) is sites[k]


def test_what_goes_to_another_machine_as_it_is() -> None:
    here = ("http://127.0.0.1:9000", "http://127.9.9.9", "http://[::1]:9000", "http://localhost/a")
    assert not any(map(is_open, (*here, "https://10.0.0.1", "https://example.org", "")))
    assert is_open("HTTP://example.org")
    others = ("10.0.0.1:9000", "example.org", "0.0.0.0", "localhost.example.org", "[2001:db8::1]")
    assert all(is_open(f"http://{host}/") for host in others)


def test_archives_on_disk_need_no_more_packages(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.wav", b"something")
    settings = tmp_path / "storages.yaml"
    settings.write_text("zip: true\n")
    code = (
        "import sys; from pathlib import Path; from tempo_core.reading import open_bytes\n"
        "from tempo_core.remote import active, read_storages\n"
        "with active(read_storages(Path(sys.argv[1]))):\n"
        "    print(open_bytes(f'zip://a.wav::{sys.argv[2]}').part(0, 9).decode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(settings), str(tmp_path / "a.zip")],
        env=without(REMOTE, tmp_path, ROOT), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "something\n"
    assert done.stderr == ""
