"""Connections to the server of a bucket on a bad day: how often it is asked, and what is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import hostile
from .conftest import Row, Storages, estimated, without_path
from .s3_server import KEY, SECRET
from .servers import Answer, Content, Site


@pytest.fixture
def endpoint() -> Iterator[Site]:
    """A server that is not one of S3, but answers for objects of the bucket `archive`."""
    with Site() as started:
        yield started


@pytest.fixture
def settings(endpoint: Site, storages: Storages) -> Path:
    """Settings of the bucket."""
    about = {"bucket": "archive", "endpoint": endpoint.url, "key": KEY, "secret": SECRET}
    return storages(s3=[about])


@pytest.mark.parametrize(("answer", "said"), [
    (hostile.broken, "the bucket cannot be reached (the connection broke)"),
    (hostile.garbage, "the bucket cannot be reached (an answer that cannot be read)"),
    (hostile.status(500), "the bucket answers 500"),
])  # fmt: skip
def test_a_request_is_tried_three_times(
    answer: Answer, said: str, endpoint: Site, settings: Path
) -> None:
    """No more often: aiohttp would try one whose connection breaks twice."""
    endpoint.answers["/archive/a.flac"] = answer
    (row,) = estimated("s3://archive/a.flac", "--storages", settings)
    assert row["error"] == said
    assert len(endpoint.requests) == 3


def test_a_connection_breaks_once(
    endpoint: Site, settings: Path, short: Path, local_rows: dict[str, Row]
) -> None:
    data = short.read_bytes()
    endpoint.answers["/archive/a.flac"] = hostile.in_turn(hostile.broken, Content(data))
    endpoint.answers["/archive/b.flac"] = hostile.in_turn(
        hostile.part(data, cut=1000), Content(data)
    )
    places = ("s3://archive/a.flac", "s3://archive/b.flac")
    rows = estimated(*places, "--windows", 2, "--storages", settings)
    assert [without_path(row) for row in rows] == [local_rows["short"]] * 2


def test_more_behind_an_answer(
    endpoint: Site, settings: Path, short: Path, local_rows: dict[str, Row]
) -> None:
    """What comes after an object or an error on its connection does not spoil the next one."""
    data = short.read_bytes()
    for k in range(2):
        endpoint.answers[f"/archive/{k}.flac"] = hostile.with_more_behind(Content(data))
        endpoint.answers[f"/archive/no{k}.flac"] = hostile.with_more_behind(hostile.status(404))
    endpoint.answers["/archive/last.flac"] = Content(data)
    names = [f"{kind}{k}.flac" for k in range(2) for kind in ("", "no")]
    places = [f"s3://archive/{name}" for name in (*names, "last.flac")]
    rows = estimated(*places, "--windows", 2, "--jobs", 1, "--storages", settings)
    for row in rows:
        if "/no" in row["path"]:
            assert row["error"] == "no such object in the bucket"
        else:
            assert without_path(row) == local_rows["short"]
