"""Tests of writing and reading paces as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_core.paces import Pace, format_paces, parse_paces


def test_written_and_read() -> None:
    paces = (Pace(128.0, 0.97), Pace(64.0, 0.71), Pace(85.3, 0.08))
    assert format_paces(paces) == "128:0.97 64:0.71 85.3:0.08"
    assert parse_paces(format_paces(paces)) == paces
    assert parse_paces("") == ()
    with pytest.raises(ValueError, match="could not convert"):
        parse_paces("128=0.97")


@given(st.lists(st.tuples(st.integers(300, 3300), st.integers(0, 100))))
def test_any_paces_come_back(known: list[tuple[int, int]]) -> None:
    paces = tuple(Pace(bpm / 10, p / 100) for bpm, p in known)
    assert parse_paces(format_paces(paces)) == paces
