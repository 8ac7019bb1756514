"""Tests of writing a tag to files of every container: it is written without harm, or refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..containers import Case, cases
from ..tagging import examine
from .conftest import Beet


@pytest.fixture(autouse=True)
def _beets(beet: Beet) -> None:
    beet.load()


# What is inside of an ID3 tag is tried in mp3; the chunks of the others hold the same.
CHUNKED = re.compile(r"(wav|aiff|dsf) 2\.\d ")
CASES = [
    pytest.param(case, id=case.name, marks=[pytest.mark.slow] if CHUNKED.match(case.name) else [])
    for case in cases()
]


@pytest.mark.parametrize("case", CASES)
def test_a_tag_costs_nothing_else(case: Case, tmp_path: Path) -> None:
    result = examine(case, tmp_path)
    assert result.problems == ()
    assert (result.message == "") == case.written, result.message
