"""Printed names and tags cannot control a terminal, and can be read back from a table."""

from __future__ import annotations

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_core.console import escaped, explain, shown, unescaped
from tempo_core.errors import AudioError

names = st.binary(max_size=40).map(os.fsdecode) | st.text(max_size=40).map(
    lambda text: os.fsdecode(text.encode("utf-8", "replace"))
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Señor - 愛.mp3", "Señor - 愛.mp3"),
        ("tab\tline\nreturn\r", "tab\\tline\\nreturn\\r"),
        ("esc\x1b]0;x\x07", "esc\\x1b]0;x\\x07"),
        ("csi\x9b2J", "csi\\u009b2J"),
        ("turned\u202egpj", "turned\\u202egpj"),
        ("two\u2028lines", "two\\u2028lines"),
        (b"\xff\xfe.mp3", "\\xff\\xfe.mp3"),
        ("AC\\DC", "AC\\DC"),
        ("👩‍🎤", "👩‍🎤"),
    ],
)
def test_a_line_for_people(text: str | bytes, line: str) -> None:
    assert shown(text) == line


def test_characters_that_the_output_does_not_have() -> None:
    assert shown("Señor 愛 👩", "ascii") == "Se\\u00f1or \\u611b \\U0001f469"
    assert shown("Señor 愛", "latin-1") == "Señor \\u611b"


@given(names, st.sampled_from(["utf-8", "ascii", "latin-1"]))
def test_a_cell_can_be_undone_and_is_one(name: str, encoding: str) -> None:
    cell = escaped(name, encoding)
    assert unescaped(cell) == name
    assert cell.encode(encoding).decode(encoding) == cell
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in cell)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (AudioError("silent"), "silent"),
        (MemoryError(), "MemoryError"),
        (ValueError("two\nlines \x1b[2J"), "ValueError: two lines \\x1b[2J"),
    ],
)
def test_the_name_of_an_error_that_nobody_expected(error: Exception, told: str) -> None:
    assert explain(error) == told
