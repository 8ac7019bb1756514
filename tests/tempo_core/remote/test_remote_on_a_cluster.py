"""Audio at addresses on a cluster: settings travel with the work, and interrupted runs go on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clusters import local_cluster

from . import hostile
from .conftest import Row, Storages, estimated, run, some, without_path
from .s3_server import KEY, SECRET, S3Server
from .servers import Content, Exchange, Site


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with local_cluster() as cluster:
        yield cluster.scheduler_address


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_rows_are_those_of_threads(
    site: Site, s3: S3Server, storages: Storages, scheduler: str, long: Path,
    local_rows: dict[str, Row],
) -> None:  # fmt: skip
    """Also those of files with an error, and with secrets, since the cluster is on this machine."""
    client = s3.client()
    client.create_bucket(Bucket="archive")
    client.put_object(Bucket="archive", Key="a/long.wav", Body=long.read_bytes())
    site.answers["/cut.wav"] = hostile.part(site.files["/long.wav"], cut=100)
    about = {"bucket": "archive", "endpoint": s3.url, "key": KEY, "secret": SECRET}
    headers = {"Authorization": "Bearer sesame"}
    path = storages(s3=[about], http=[{"site": site.url, "robots": False, "headers": headers}])
    places = (
        f"{site.url}/short.flac", "s3://archive/a/", f"{site.url}/gone.flac",
        f"{site.url}/cut.wav", "s3://archive/gone.flac", "s3://other/a.flac",
    )  # fmt: skip
    common = (*places, "--windows", 2, "--storages", path)
    here = estimated(*common)
    n = len(site.requests)
    there = estimated(*common, "--scheduler", scheduler)
    assert there == here
    assert [without_path(row) for row in there[:2]] == [local_rows["short"], local_rows["long"]]
    assert all(row["error"] for row in there[2:])
    assert len(site.requests) > n
    assert {r.headers.get("authorization") for r in site.requests} == {"Bearer sesame"}


def test_settings_of_an_earlier_run_are_not_used(
    site: Site, storages: Storages, scheduler: str
) -> None:
    """The workers stay, their settings do not."""
    url = f"{site.url}/short.flac"
    given = ("--scheduler", scheduler)
    assert estimated(url, "--storages", storages(http=[site]), *given)[0]["error"] == ""
    n = len(site.requests)
    assert "no storage" in estimated(url, *given)[0]["error"]
    assert "no storage" in estimated(url, "--storages", storages(zip=True), *given)[0]["error"]
    assert len(site.requests) == n
    path = storages(http=[{"site": site.url, "robots": False, "headers": {"X-Mine": "2"}}])
    assert estimated(url, "--storages", path, *given)[0]["error"] == ""
    assert all(request.headers.get("x-mine") == "2" for request in site.requests[n:])


@pytest.mark.parametrize("command", some(["notes", "beats"], "beats"))
def test_other_commands(
    command: str, site: Site, storages: Storages, scheduler: str, tmp_path: Path
) -> None:
    args = (command, f"{site.url}/short.flac", "--storages", storages(http=[site]))
    here, there = run(*args), run(*args, "--scheduler", scheduler)
    assert (here.exit_code, here.stdout, here.stderr) == (
        there.exit_code, there.stdout, there.stderr,
    )  # fmt: skip
    assert here.exit_code == 0


@pytest.mark.slow
def test_secrets_do_not_travel_in_the_open(site: Site, s3: S3Server, storages: Storages) -> None:
    """The address is one for documentation: it is refused before it is asked."""
    options = ("--scheduler", "tcp://192.0.2.1:8786")
    headers = {"Authorization": "Bearer sesame"}
    about = {"bucket": "archive", "endpoint": s3.url, "key": KEY, "secret": SECRET}
    for schemes in ({"http": [{"site": site.url, "headers": headers}]}, {"s3": [about]}):
        for command in ("estimate", "notes", "beats"):
            start = time.monotonic()
            result = run(command, f"{site.url}/a.flac", "--storages", storages(**schemes), *options)
            assert result.exit_code in (1, 2)
            assert time.monotonic() - start < 5
            assert "tcp://192.0.2.1:8786 is not encrypted" in result.stderr
            assert "sesame" not in result.output
            assert SECRET not in result.output
    assert site.requests == []


@pytest.mark.slow
def test_a_delay_between_requests_is_not_for_clusters(
    site: Site, storages: Storages, scheduler: str
) -> None:
    site.answers["/robots.txt"] = Content(b"User-agent: *\nCrawl-delay: 1\n")
    path = storages(http=[site.url])
    (row,) = estimated(f"{site.url}/short.flac", "--storages", path, "--scheduler", scheduler)
    assert row["error"]
    assert site.asked("/short.flac") == []


def slowly(site: Site, n: int) -> list[str]:
    """Addresses of so many files, each of which takes a moment."""
    content = Content(site.files["/short.flac"])
    site.answers.update({f"/{k:02}.flac": hostile.delayed(0.1, content) for k in range(n)})
    return [f"{site.url}/{k:02}.flac" for k in range(n)]


def wait_for_rows(out: Path, n: int) -> None:
    end = time.monotonic() + 90
    while not out.exists() or len(out.read_bytes().splitlines()) < n:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_a_killed_run_goes_on(site: Site, storages: Storages, tmp_path: Path) -> None:
    urls = slowly(site, 60)
    (tmp_path / "list").write_text("\n".join(urls))
    out = tmp_path / "out.jsonl"
    args = ("estimate", "--from", tmp_path / "list", "--out", out, "--tasks", "tempo",
            "--windows", 2, "--storages", storages(http=[site]),
            "--scheduler", "local:2")  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "tempo_core.cli", *map(str, args)], stderr=subprocess.DEVNULL
    )
    wait_for_rows(out, 3)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    n_done = len(out.read_bytes().splitlines())
    assert 3 <= n_done < 60
    time.sleep(3)  # what its workers had begun
    n = len(site.requests)
    assert run(*args).exit_code == 0
    assert len({request.path for request in site.requests[n:]}) <= 60 - n_done
    rows = rows_of(out)
    assert [row["path"] for row in rows] == urls
    assert all(row["bpm"] == pytest.approx(120, abs=0.2) for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["threads", "cluster"])
def test_a_site_that_dies_in_the_middle(
    where: str, site: Site, storages: Storages, tmp_path: Path
) -> None:
    urls = slowly(site, 24)

    def die(exchange: Exchange) -> None:
        threading.Thread(target=site.stop).start()
        exchange.wait(60)

    site.answers["/08.flac"] = die
    (tmp_path / "list").write_text("\n".join(urls))
    out = tmp_path / "out.jsonl"
    engine = ("--scheduler", "local:2") if where == "cluster" else ("--jobs", "2")
    args = ("estimate", "--from", tmp_path / "list", "--out", out, "--tasks", "tempo",
            "--windows", 2, "--storages", storages(http=[site]), *engine)  # fmt: skip
    assert run(*args).exit_code == 1
    rows = rows_of(out)
    assert [row["path"] for row in rows] == urls
    failed = [row["path"] for row in rows if row["error"]]
    assert urls[8] in failed
    assert 2 <= len(failed) <= 23
    site.answers["/08.flac"] = Content(site.files["/short.flac"])
    site.start()
    n = len(site.requests)
    assert run(*args, "--retry").exit_code == 0
    assert {site.url + request.path for request in site.requests[n:]} == set(failed)
    assert not any(row["error"] for row in rows_of(out))
