"""Every container in which music comes, as odd as it is found: a tag is written, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..containers import Case, cases
from ..tagging import examine
from .conftest import Beet


@pytest.fixture(autouse=True)
def _beets(beet: Beet) -> None:
    beet.load()


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_tag_costs_nothing_else(case: Case, tmp_path: Path) -> None:
    result = examine(case, tmp_path)
    assert result.problems == ()
    assert (result.message == "") == case.written, result.message
