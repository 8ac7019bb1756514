"""Files of settings that are not right: one line, and nothing is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import Storages, run
from .servers import Site

SITE = "http://127.0.0.1:9"
WRONG: list[dict[str, Any]] = [
    {"https": [SITE]}, {"http": SITE}, {"http": {"site": SITE}}, {"http": [5]}, {"http": [None]},
    {"http": ["127.0.0.1"]}, {"http": ["ftp://127.0.0.1/"]}, {"http": ["http://"]},
    {"http": ["http://u:sesame@127.0.0.1/"]}, {"http": ["http://127.0.0.1:99999/"]},
    {"http": [{"robots": False}]}, {"http": [{"site": SITE, "robot": False}]},
    {"http": [{"site": SITE, "robots": "sometimes"}]}, {"http": [{"site": SITE, "requests": 0}]},
    {"http": [{"site": SITE, "requests": -1}]}, {"http": [{"site": SITE, "requests": "many"}]},
    {"http": [{"site": SITE, "headers": ["sesame"]}]},
    {"http": [{"site": SITE, "headers": {"X": "sesame\r\nHost: x"}}]},
    {"http": [{"site": SITE, "headers": {"A b": "sesame"}}]},
    {"http": [{"site": SITE, "headers": {"X-A": "sesame", "x-a": "other"}}]},
    {"http": [{"site": SITE, "headers": {"X": {"a": "sesame"}}}]},
    {"http": ["http://a b/"]}, {"http": ["http://exämple.org/"]}, {"http": [SITE, f"{SITE}/"]},
    {"s3": [{"bucket": "abc", "endpoint": f"{SITE}/a b"}]},
    {"s3": [{"bucket": "abc", "region": "x"}] * 2},
    {"s3": "archive"}, {"s3": [{"endpoint": SITE}]}, {"s3": [{"bucket": "abc", "key": "sesame"}]},
    {"s3": [{"bucket": "abc", "secret": "sesame"}]}, {"s3": [{"bucket": "abc", "bukcet": "b"}]},
    {"s3": [{"bucket": "abc", "endpoint": "127.0.0.1:9"}]}, {"s3": [{"bucket": "a/b"}]},
    {"s3": [{"bucket": "abc", "endpoint": "ftp://127.0.0.1"}]}, {"s3": [{"bucket": 5}]},
    {"s3": [{"bucket": "abc", "endpoint": "http://u:sesame@127.0.0.1:9"}]},
    {"s3": [{"bucket": "abc", "credentials": "sesame"}]}, {"s3": [{"bucket": ""}]},
    {"s3": [{"bucket": "abc", "credentials": "machine", "key": "k", "secret": "sesame"}]},
    {"s3": [{"bucket": "abc", "region": "x", "token": "sesame"}]},
    {"s3": [{"bucket": "abc", "region": "x", "credentials": "machine", "token": "sesame"}]},
    {"s3": [{"bucket": "abc", "region": "x", "key": "k", "secret": "s", "token": "sesame 2"}]},
    {"s3": [{"bucket": "abc", "region": "x", "key": "k\n", "secret": "sesame"}]},
    {"s3": [{"bucket": "abc", "endpoint": "http://10.0.0.1", "key": "k", "secret": "sesame",
             "token": "sesame"}]},
    {"zip": "sometimes"}, {"zip": ["a.zip"]}, {"ftp": ["ftp://127.0.0.1"]}, {"file": True},
]  # fmt: skip


@pytest.mark.parametrize("schemes", WRONG, ids=str)
def test_wrong_settings(schemes: dict[str, Any], storages: Storages) -> None:
    result = run("estimate", f"{SITE}/a.flac", "--storages", storages(**schemes))
    assert result.exit_code in (1, 2)
    assert "storages.yaml" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""
    assert "sesame" not in result.stderr


@pytest.mark.parametrize("content", [
    b"[1, 2]", b"text", b"http: [", b"\xff\xfe\0\0", b"http: !!python/object/apply:os.system [ls]",
    b"&a [*a]", b"a: &a [x, x]\nb: &b [*a, *a]\nhttp: [*b, *b]\n", b"5", b"http:\n\t- x",
    b"http: [http://127.0.0.1:9]\nhttp: [http://127.0.0.1:8]\n" + b"s3: x\n",
])  # fmt: skip
def test_what_is_no_file_of_settings(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "storages.yaml"
    path.write_bytes(content)
    result = run("estimate", f"{SITE}/a.flac", "--storages", path)
    assert result.exit_code in (1, 2)
    assert "storages.yaml" in result.stderr
    assert "Traceback" not in result.output
    assert len(result.stderr.splitlines()) == 1


def test_settings_that_cannot_be_read(tmp_path: Path, home: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        for command in ("estimate", "beats"):
            result = run(command, f"{SITE}/a.flac", "--storages", path)
            assert result.exit_code in (1, 2)
            assert path.name in result.stderr
            assert "Traceback" not in result.output
        result = run("estimate", f"{SITE}/a.flac", env={"TEMPO_STORAGES": str(path)})
        assert result.exit_code in (1, 2)
        assert path.name in result.stderr


def test_what_is_there_twice_does_not_count_once(tmp_path: Path) -> None:
    path = tmp_path / "storages.yaml"
    path.write_text(f"http: [{SITE}]\nzip: true\nhttp: [{SITE}/b/]\n")
    result = run("estimate", f"{SITE}/a.flac", "--storages", path)
    assert result.exit_code == 1
    assert result.stderr == f"Error: {path}, line 3: the key 'http' is there twice\n"


@pytest.mark.parametrize("content", [b"", b"# nothing yet\n", b"{}", b"http:\nzip:\n"])
def test_empty_settings(content: bytes, site: Site, tmp_path: Path) -> None:
    """Nothing is configured, or it is said so in one line; never an error of the program."""
    path = tmp_path / "storages.yaml"
    path.write_bytes(content)
    result = run("estimate", f"{site.url}/short.flac", "--storages", path)
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.output
    assert site.requests == []


def test_secrets_that_others_may_read_are_told(site: Site, storages: Storages) -> None:
    """Settings with secrets work; whether others may read the file is at most a remark."""
    about = {"site": site.url, "robots": False, "headers": {"Authorization": "Bearer sesame"}}
    path = storages(http=[about])
    path.chmod(0o644)
    result = run("estimate", f"{site.url}/short.flac", "--storages", path)
    assert result.exit_code == 0
    assert "sesame" not in result.output
