"""Tests of writing a tag to files of every container: it is written without harm, or refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..containers import Case, cases
from ..tagging import examine
from .conftest import Beet


@pytest.fixture(autouse=True)
def _beets(beet: Beet) -> None:
    beet.load()


# What is inside of an ID3 tag is tried in mp3; the chunks of the others hold the same.
CHUNKED = re.compile(r"(wav|aiff|dsf) 2\.\d ")


def parameters() -> Iterator[Any]:
    """All cases; by default those of m4a, with its many structures, and half of the others."""
    number: Counter[str] = Counter()
    for case in cases():
        kind = case.name.partition(" ")[0]
        number[kind] += not CHUNKED.match(case.name)
        slow = CHUNKED.match(case.name) or (kind != "m4a" and number[kind] % 2 == 0)
        yield pytest.param(case, id=case.name, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("case", list(parameters()))
def test_a_tag_costs_nothing_else(case: Case, tmp_path: Path) -> None:
    result = examine(case, tmp_path)
    assert result.problems == ()
    assert (result.message == "") == case.written, result.message
