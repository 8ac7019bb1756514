"""Connections that are used again, and what is said of those that fail."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from tempo_core.reading import open_bytes
from tempo_core.remote import active, read_storages

from .conftest import Storages, run
from .servers import Answer, Content, Exchange, Site

ONE, OTHER = b"one" * 1000, b"two" * 1000


def twice(answer: Answer) -> Answer:
    """An answer, and a moment later the same one again."""

    def send(exchange: Exchange) -> None:
        answer(exchange)
        exchange.wait(0.05)
        answer(exchange)

    return send


@pytest.fixture
def settings(site: Site, storages: Storages) -> Path:
    """Settings of `site`, which is a bucket `archive` as well."""
    return storages(http=[site], s3=[{"bucket": "archive", "endpoint": site.url}])


@pytest.mark.parametrize("place", ["{}/archive", "s3://archive"])
def test_no_answer_is_taken_for_another(place: str, site: Site, settings: Path) -> None:
    site.answers["/archive/one"] = twice(Content(ONE))
    site.files["/archive/other"] = OTHER
    with active(read_storages(settings)):
        for name, data in (("one", ONE), ("other", OTHER)):
            opened = open_bytes(f"{place.format(site.url)}/{name}")
            assert opened.part(0, 9999) == data
            opened.close()
            time.sleep(0.2)


def test_what_is_said_of_servers_that_are_not_there(storages: Storages) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
        path = storages(
            http=[{"site": closed, "robots": False}], s3=[{"bucket": "archive", "endpoint": closed}]
        )
        result = run("estimate", f"{closed}/a", "s3://archive/a", "--storages", path)
    assert result.stderr.count("cannot be reached (Connection refused)") == 2
