"""A site that wants to do harm: what it can send, and that none of it does any."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tempo_core.labels.record import Status

from .hostile import ROBOTS, HostileSite, answer, answers, json_answers, markup
from .hostile_client import SECONDS

ROOT = Path(__file__).parents[3]
STATUSES = {status.value for status in Status}
# A page that is read twice (search and track) or whose site redirects there and back takes the time
# of two pages; the rest is what parsing takes on a busy machine.
LONGEST = 2 * SECONDS + 4.0
MEMORY = 250  # [MB] more than the process takes to do anything at all


def ask(site: HostileSite, kind: str, names: list[str]) -> list[dict[str, Any]]:
    """Ask for answers in a process of its own."""
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
    """Nothing is a bug, takes long, takes much memory, or leads to somebody else."""
    for result in told:
        assert result["status"] in STATUSES, result
        assert result["message"].isprintable(), result
        assert len(result["message"]) < 400, result
        assert result["seconds"] < LONGEST, result
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
