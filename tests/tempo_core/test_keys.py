"""Key notations and the Camelot wheel."""

from __future__ import annotations

import pytest

from tempo_core.keys import Key, camelot, parse_key

ALL_KEYS = [Key(pitch, minor) for pitch in range(12) for minor in (False, True)]


@pytest.mark.parametrize("key", ALL_KEYS, ids=str)
def test_every_notation_of_every_key_reads_back(key: Key) -> None:
    assert parse_key(str(key)) == key
    assert parse_key(key.camelot) == key
    assert parse_key(key.open_key) == key
    letter = str(key).removesuffix("m")
    for mode in ("minor", "min", "Minor", "Min", " m") if key.minor else ("major", "Maj", "", " M"):
        assert parse_key(f"{letter} {mode}".strip()) == key
        assert parse_key(letter.replace("#", "♯") + mode) == key


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Am", "8A"), ("C", "8B"), ("F#m", "11A"), ("G#m", "1A"), ("B", "1B"), ("E", "12B"),
        ("Bb", "6B"), ("A#", "6B"), ("Ebmin", "2A"), ("2m", "9A"), ("b minor", "10A"),
        ("Cb", "1B"), ("CM", "8B"), ("cm", "5A"),
    ],
)  # fmt: skip
def test_camelot(text: str, code: str) -> None:
    assert camelot(text) == code


@pytest.mark.parametrize("text", ["", "-", "N/A", "H", "13A", "0B", "o", "C# foo", "8", "##"])
def test_what_is_no_key(text: str) -> None:
    assert parse_key(text) is None
    assert camelot(text) is None
