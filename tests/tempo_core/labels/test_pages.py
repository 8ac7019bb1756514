"""Tests of every source with stored pages, without a network.

`pages/<source>/<case>.expected.json` has the track that is looked up, the settings of the source
(names of files lie beside it), what the site answers to which request, and values that the record
must have. A new source needs a folder here and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from tempo_core.labels.http.answers import Page
from tempo_core.labels.http.session import PoliteSession
from tempo_core.labels.lookup import look_up
from tempo_core.labels.record import TrackQuery
from tempo_core.labels.source import SourceSettings
from tempo_core.labels.sources import ABOUT, make_sources, source_settings

PAGES = Path(__file__).parent / "pages"
CASES = sorted(PAGES.glob("*/*.expected.json"))
BASE = "https://site.invalid"


@dataclass
class KeptPages:
    """Session that answers from files; `asked` lists the requests without the address of the
    site."""

    folder: Path
    answers: Mapping[str, str]
    asked: list[str] = field(default_factory=list)

    def get(self, url: str, params: Mapping[str, str] | None = None, **_: Any) -> Page:
        query = "&".join(f"{name}={value}" for name, value in (params or {}).items())
        asked = url.removeprefix(BASE) + (f"?{query}" if query else "")
        self.asked.append(asked)
        text = (self.folder / self.answers[asked]).read_text(encoding="utf-8")
        return Page(url, text, "2026-01-01T00:00:00+00:00")

    post = get


@pytest.mark.parametrize(
    "path", CASES, ids=lambda path: f"{path.parent.name}/{path.name.removesuffix('.expected.json')}"
)
def test_a_source_reads_its_pages(path: Path) -> None:
    name, case = path.parent.name, json.loads(path.read_text(encoding="utf-8"))
    files = {setting.name for setting in source_settings() if setting.is_file}
    values = {
        key: path.parent / value if key in files else value
        for key, value in case.get("settings", {}).items()
    }
    session = KeptPages(path.parent, case["answers"])
    (source,) = make_sources(
        [name], SourceSettings({name: BASE}, values), cast("PoliteSession", session)
    )
    record = look_up(
        TrackQuery(**{**case["track"], "artists": tuple(case["track"]["artists"])}), source
    )
    found = {key: getattr(record, key) for key in case["record"]}
    assert {**found, "status": record.status.value} == case["record"]
    assert set(session.asked) == case["answers"].keys()  # every answer was asked for


def test_every_source_has_a_page() -> None:
    lacking = ABOUT.keys() - {path.parent.name for path in CASES}
    assert not lacking, f"no pages/<source>/<case>.expected.json for {', '.join(sorted(lacking))}"
    assert {path.name for path in PAGES.iterdir()} == ABOUT.keys()
