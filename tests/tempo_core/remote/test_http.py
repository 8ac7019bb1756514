"""Audio at http addresses: read by ranges, politely, and from configured sites only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from tests.audio import click_track, write_audio
from tests.formats import EACH_FORMAT

from . import hostile
from .conftest import Row, Storages, estimated, run, some, without_path
from .servers import Answer, Content, Exchange, Site

MakeAudio = Callable[..., Path]


def test_local_files_and_addresses_give_the_same(
    site: Site, storages: Storages, local_rows: dict[str, Row]
) -> None:
    urls = [f"{site.url}/short.flac", f"{site.url}/long.wav"]
    rows = estimated(*urls, "--windows", 2, "--storages", storages(http=[site]))
    assert [row["path"] for row in rows] == urls
    assert [without_path(row) for row in rows] == [local_rows["short"], local_rows["long"]]


@pytest.mark.parametrize("form", EACH_FORMAT)
def test_each_format(form: str, make_audio: MakeAudio, site: Site, storages: Storages) -> None:
    path = make_audio(f"a.{form}", bpm=118)
    site.files["/a"] = path.read_bytes()  # without an ending
    tasks = "tempo,pace,key,beats"
    options = ("--storages", storages(http=[site]), "--windows", "all")
    (here,), (there,) = (
        estimated(place, *options, tasks=tasks) for place in (path, f"{site.url}/a")
    )
    assert without_path(there) == without_path(here)
    assert float(there["bpm"]) == pytest.approx(118, abs=0.2)


def test_the_environment_may_name_the_settings(
    site: Site, storages: Storages, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, path = f"{site.url}/short.flac", storages(http=[site])
    monkeypatch.setenv("TEMPO_STORAGES", str(path))
    assert estimated(url)[0]["error"] == ""
    (nothing := path.with_name("nothing.yaml")).write_text("zip: true\n")
    assert "no storage" in estimated(url, "--storages", nothing)[0]["error"]


@pytest.mark.parametrize("windows", some([2, 10], 2))
def test_not_all_of_a_long_file_is_fetched(
    windows: int, site: Site, storages: Storages, tmp_path: Path
) -> None:
    audio = np.tile(click_track(125, 30, 22050), 20)
    audio += 0.01 * np.random.default_rng(0).standard_normal(len(audio)).astype(np.float32)
    data = write_audio(tmp_path / "ten.flac", audio, 22050).read_bytes()
    site.files["/ten.flac"] = data
    (row,) = estimated(
        f"{site.url}/ten.flac", "--windows", windows, "--storages", storages(http=[site])
    )
    assert float(row["bpm"]) == pytest.approx(125, abs=0.2)
    assert site.n_sent < len(data) / (3 if windows == 2 else 1)
    assert len(site.requests) < 10 * windows + 20
    for request in site.asked("/ten.flac"):
        assert request.method == "HEAD" or request.headers["range"].startswith("bytes=")
        assert request.headers.get("accept-encoding") == "identity"
        assert request.headers["user-agent"].startswith("beets-tempo/")


def test_without_settings_nothing_is_asked(site: Site, storages: Storages) -> None:
    url = f"{site.url}/short.flac"
    for options in ((), ("--storages", storages(zip=True)), ("--storages", storages(http=[]))):
        (row,) = estimated(url, *options)
        assert "no storage is configured for it" in row["error"]
    assert site.requests == []


def test_only_configured_parts_are_asked(site: Site, other: Site, storages: Storages) -> None:
    site.files["/audio/a.flac"] = site.files["/short.flac"]
    host = f"127.0.0.1:{site.port}"
    path = storages(http=[{"site": f"{site.url}/audio/", "robots": False}])
    wrong = [
        f"{site.url}/short.flac", f"{site.url}/audio/../short.flac", f"{site.url}/audiox/a.flac",
        f"{site.url}/audio/%2e%2e/short.flac", f"{site.url}/audio/.%2E/short.flac",
        f"{site.url}/audio\\..\\..\\short.flac", f"{other.url}/audio/a.flac",
        f"https://{host}/audio/a.flac", f"http://localhost:{site.port}/audio/a.flac",
        f"http://{host}@127.0.0.1:{other.port}/audio/a.flac",
        f"http://127.0.0.1:{other.port}#@{host}/audio/a.flac",
        f"http://127.0.0.1:{other.port}\\@{host}/audio/a.flac",
        f"http://{host}.example.org/audio/a.flac", f"http:/{host}/audio/a.flac",
    ]  # fmt: skip
    for row in estimated(*wrong, "--storages", path):
        assert row["error"], row["path"]
    assert [r.path for r in site.requests if not r.path.startswith("/audio/")] == []
    assert estimated(f"{site.url}/audio/a.flac", "--storages", path)[0]["error"] == ""


def test_other_schemes_stay_closed(site: Site, storages: Storages, short: Path) -> None:
    """Not even those which fsspec knows."""
    url, path = f"{site.url}/short.flac", storages(http=[site], zip=True)
    others = [
        f"file://{short}", f"local://{short}", f"simplecache::{url}", f"filecache::{url}",
        f"blockcache::{url}", f"ftp://127.0.0.1:{site.port}/short.flac", "memory://short.flac",
        f"dir://short.flac::{short.parent}", f"tar://a.flac::{short}", f"reference://a::{short}",
        f"dask://worker/{short}", f"github://a:b@main/{short.name}", f"gs://a/{short.name}",
        f"cached::{url}", f"generic://{short}", f"data:audio/flac;base64,{short.name}",
    ]  # fmt: skip
    for row in estimated(*others, "--storages", path):
        assert row["error"], row["path"]
    assert site.requests == []


@pytest.mark.parametrize(
    "name", ["a b.flac", "ü é.flac", "50%.flac", "a+b&c.flac", "日本.flac", "[x].flac", "a;b.flac"]
)
def test_names_as_people_write_them(name: str, site: Site, storages: Storages) -> None:
    site.files[f"/{quote(name)}"] = site.files["/short.flac"]
    (row,) = estimated(f"{site.url}/{quote(name)}", "--storages", storages(http=[site]))
    assert row["error"] == ""
    if "%" not in name:
        (row,) = estimated(f"{site.url}/{name}", "--storages", storages(http=[site]))
        served = [r for r in site.requests if r.path != "/robots.txt"][-1].path
        assert row["error"] == "" or served.isascii()


def test_queries_belong_to_an_address(site: Site, storages: Storages) -> None:
    (row,) = estimated(f"{site.url}/short.flac?id=3&x=a%20b", "--storages", storages(http=[site]))
    assert row["error"] == ""
    assert {request.path for request in site.requests} == {"/short.flac?id=3&x=a%20b"}


@pytest.mark.parametrize("status", some([401, 403, 404, 410, 418], 401, 404))
def test_refusals_are_not_asked_twice(status: int, site: Site, storages: Storages) -> None:
    site.answers["/a.flac"] = hostile.status(status)
    urls = (f"{site.url}/a.flac", f"{site.url}/short.flac")
    bad, good = estimated(*urls, "--storages", storages(http=[site]))
    assert bad["error"]
    assert len(site.asked("/a.flac")) == 1
    assert good["error"] == ""


def at_most(seconds: float) -> str:
    """A date for Retry-After."""
    return format_datetime(datetime.now(timezone.utc) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", some([429, 503], 503))
def test_a_busy_site_is_waited_for(number: int, site: Site, storages: Storages) -> None:
    busy = hostile.status(number, Retry_After="1")
    site.answers["/a.flac"] = hostile.in_turn(busy, Content(site.files["/short.flac"]))
    (row,) = estimated(f"{site.url}/a.flac", "--storages", storages(http=[site]))
    assert row["error"] == ""
    first, second, *_ = site.asked("/a.flac")
    assert 0.95 <= second.at - first.at < 5


@pytest.mark.slow
def test_a_date_to_wait_for(site: Site, storages: Storages) -> None:
    content = Content(site.files["/short.flac"])
    busy = hostile.status(503, Retry_After=at_most(2))
    site.answers["/a.flac"] = hostile.in_turn(busy, content)
    (row,) = estimated(f"{site.url}/a.flac", "--storages", storages(http=[site]))
    assert row["error"] == ""
    first, second, *_ = site.asked("/a.flac")
    assert 0.5 < second.at - first.at < 5


@pytest.mark.parametrize("wait", ["1000000", "date"])
def test_too_long_a_wait_is_an_error(wait: str, site: Site, storages: Storages) -> None:
    retry = at_most(1_000_000) if wait == "date" else wait
    site.answers["/a.flac"] = hostile.status(503, Retry_After=retry)
    (row,) = estimated(f"{site.url}/a.flac", "--storages", storages(http=[site]))
    assert row["error"]
    assert len(site.asked("/a.flac")) == 1


@pytest.mark.parametrize("failure", [hostile.status(500), hostile.status(502), hostile.broken])
def test_what_may_pass_is_tried_three_times(
    failure: Answer, site: Site, storages: Storages
) -> None:
    content = Content(site.files["/short.flac"])
    site.answers["/a.flac"] = hostile.in_turn(failure, failure, content)
    site.answers["/b.flac"] = failure
    a, b = estimated(
        f"{site.url}/a.flac", f"{site.url}/b.flac", "--jobs", 2, "--storages", storages(http=[site])
    )
    assert a["error"] == ""
    assert b["error"]
    # A connection that breaks may have been an old one: it is tried once more at once.
    assert len(site.asked("/b.flac")) in ((3, 6) if failure is hostile.broken else (3,))


@pytest.mark.slow
def test_as_many_requests_at_a_time_as_allowed(site: Site, storages: Storages) -> None:
    content, lock, running, most = Content(site.files["/short.flac"]), threading.Lock(), 0, 0

    def counted(exchange: Exchange) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        exchange.wait(0.05)
        content(exchange)
        with lock:
            running -= 1

    urls = [f"{site.url}/{k}.flac" for k in range(8)]
    site.answers = {f"/{k}.flac": counted for k in range(8)}
    for allowed in (1, 2):
        most = 0
        path = storages(http=[{"site": site.url, "robots": False, "requests": allowed}])
        rows = estimated(*urls, "--jobs", 6, "--storages", path)
        assert not any(row["error"] for row in rows)
        assert most == allowed


def test_a_folder_is_not_listed(site: Site, storages: Storages) -> None:
    result = run("estimate", f"{site.url}/", "--storages", storages(http=[site]))
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 2
    assert "1 of 1 files failed" in result.stderr
