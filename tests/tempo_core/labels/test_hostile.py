"""Tests that a hostile site can do no harm, whatever it sends."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tempo_core.labels.demo_site import DemoSite, Entry
from tempo_core.labels.record import Status
from tempo_core.labels.store import Store

from .hostile import ROBOTS, HostileSite, answer, answers, json_answers, markup
from .hostile_client import SECONDS

ROOT = Path(__file__).parents[3]
STATUSES = {status.value for status in Status}
# A page that is read twice (search and track) or whose site redirects there and back takes the time
# of two pages; the rest is what parsing takes on a busy machine.
MAX_LOOKUP_SECONDS = 2 * SECONDS + 4.0
MEMORY = 200  # [MB] more than the process takes to do anything at all


def ask(site: HostileSite, kind: str, names: list[str]) -> list[dict[str, Any]]:
    """Request answers of a hostile site in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.tempo_core.labels.hostile_client", site.url, kind, *names],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(site: HostileSite, told: list[dict[str, Any]]) -> None:
    """Assert that no answer caused a crash, a long wait, much memory, or another request."""
    for result in told:
        assert result["status"] in STATUSES, result
        assert result["message"].isprintable(), result
        assert len(result["message"]) < 400, result
        assert result["seconds"] < MAX_LOOKUP_SECONDS, result
        assert set(result["hosts"]) <= {f"127.0.0.1:{site.port}"}, result
    assert told[-1]["peak"] - told[0]["peak"] < MEMORY, told


@pytest.mark.slow
def test_no_answer_does_any_harm() -> None:
    with HostileSite({}) as other, HostileSite({}) as site:
        site.answers.update(answers(site.url, other.url))
        names = list(site.answers)
        told = ask(site, "searches", names)
        check(site, told)
        assert [result["name"] for result in told] == names
        assert len(names) >= 200
        assert other.requests == []
        statuses = {result["status"] for result in told}
    assert {"parse_error", "retryable", "blocked", "not_found"} <= statuses


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tracks", "cards"])
def test_no_page_does_any_harm_whoever_reads_it(kind: str) -> None:
    pages = {name: answer(page) for name, page in markup().items()}
    with HostileSite(pages) as site:
        check(site, ask(site, kind, list(pages)))


@pytest.mark.slow
def test_no_answer_of_an_interface_does_any_harm() -> None:
    with HostileSite(json_answers()) as site:
        check(site, ask(site, "interface", list(site.answers)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ROBOTS)
def test_no_robots_txt_does_any_harm(name: str) -> None:
    with HostileSite({}, robots=ROBOTS[name]) as site:
        site.answers["a" * 200] = b""
        check(site, ask(site, "robots", ["a" * 200]))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_run_that_is_killed_leaves_a_whole_store(seed: int, tmp_path: Path) -> None:
    """A run killed at any moment (start, request, storing, cache) leaves a valid store."""
    songs = [Entry(f"Song {i}", "The Lintels", 90 + i) for i in range(60)]
    code = (
        "import sys; from pathlib import Path\n"
        "from tempo_core.labels.options import LabelOptions, open_run\n"
        "from tempo_core.labels.record import TrackQuery\n"
        "options = LabelOptions(('musicstax', 'songbpm'), Path(sys.argv[1]),"
        " {'musicstax': sys.argv[2] + '/musicstax', 'songbpm': sys.argv[2] + '/songbpm'}, 0.0)\n"
        "tracks = [TrackQuery(f'Song {i}', ('The Lintels',), duration=200.0) for i in range(60)]\n"
        "with open_run(options) as run:\n"
        "    print('ready', flush=True)\n"
        "    n = sum(labelled.chosen is not None for labelled in run.label(tracks))\n"
        "print(n, run.n_requests)\n"
    )
    database, moments = tmp_path / "labels.db", random.Random(seed)
    before = 0
    with DemoSite(songs) as site:
        command = [sys.executable, "-c", code, str(database), site.url]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        for _ in range(8):
            process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            if moments.random() < 0.8:
                process.stdout.readline()
            time.sleep(moments.uniform(0, 0.6))
            process.kill()
            process.wait()
            process.stdout.close()
            for path in (database, tmp_path / "labels-pages.db"):
                if path.exists() and path.stat().st_size:
                    with closing(sqlite3.connect(path)) as db:
                        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                    assert path.stat().st_mode & 0o077 == 0
            with Store(database, read_only=True) as store:
                records = list(store)
            assert len(records) >= before
            assert all(r.bpm and 90 <= r.bpm < 150 for r in records if r.status is Status.FOUND)
            before = len(records)
        n_hits = len(site.hits)
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        n_found, n_requests = map(int, done.stdout.split()[1:])
        assert n_found == 60
        assert len(site.hits) - n_hits == n_requests
    with Store(database, read_only=True) as store:
        latest = {(r.track, r.source): r for r in store}
    assert len(latest) == 120
    assert before > 0
