"""Fixtures of a demo site, and of sessions that ask it without pauses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tempo_core.labels.demo_site import CATALOGUE, DemoSite, Entry
from tempo_core.labels.http.session import Manners, PoliteSession, SessionOptions, Timing
from tempo_core.labels.record import TrackQuery

MakeSession = Callable[..., PoliteSession]


@pytest.fixture
def site() -> Iterator[DemoSite]:
    """A running demo site."""
    with DemoSite(CATALOGUE) as running:
        running.retry_after = 0
        yield running


@pytest.fixture
def make_session(site: DemoSite, tmp_path: Path) -> Iterator[MakeSession]:
    """Function that makes a session for the site; it does not pause unless a test asks for it."""
    sessions = []

    def make(
        *urls: str, interval: float = 0.0, robots: bool = True, **options: Any
    ) -> PoliteSession:
        hosts = {url: Manners(interval, robots) for url in (site.url, *urls)}
        given = {"cache": tmp_path / "pages.db", "backoff": 0.01, **options}
        of_timing = {field.name for field in fields(Timing)} & given.keys()
        timing = Timing(**{name: given.pop(name) for name in of_timing})
        session = PoliteSession(hosts, SessionOptions(**given), timing)
        sessions.append(session)
        return session

    yield make
    for session in sessions:
        session.__exit__()


def track_of(entry: Entry, **changes: Any) -> TrackQuery:
    """The recording of an entry of the catalogue, described as by a file of it."""
    values: dict[str, Any] = {
        "title": entry.title,
        "artists": (entry.artist,),
        "album": entry.album,
        "duration": entry.duration + 0.4,
        "isrc": entry.isrc or None,
        "estimate_bpm": entry.bpm or None,
    }
    return TrackQuery(**{**values, **changes})
