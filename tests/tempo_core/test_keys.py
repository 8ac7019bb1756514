"""Tests of notations of keys and of the Camelot wheel."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_core.keys import Key, camelot, from_numbers, harmony, open_key, parse_key

ALL_KEYS = [Key(pitch, minor) for pitch in range(12) for minor in (False, True)]
SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
GERMAN = ("C", "Des", "D", "Es", "E", "F", "Ges", "G", "As", "A", "B", "H")
GERMAN_SHARPS = ("C", "Cis", "D", "Dis", "E", "F", "Fis", "G", "Gis", "A", "Ais", "H")


def _german(key: Key) -> str:
    return GERMAN[key.pitch_class].lower() if key.minor else GERMAN[key.pitch_class]


def _pair(key: Key) -> str:
    sharp, flat = SHARPS[key.pitch_class], FLATS[key.pitch_class]
    return sharp if sharp == flat else f"{sharp}/{flat}"


def _word(key: Key) -> str:
    name = FLATS[key.pitch_class]
    return f"{name[0]} flat" if len(name) == 2 else name


# Every notation a source is known to use, by the source.
NOTATIONS: dict[str, Callable[[Key], str]] = {
    "beets, ID3": str,
    "flats": lambda k: FLATS[k.pitch_class] + "m" * k.minor,
    "camelot": lambda k: k.camelot,
    "camelot 08A": lambda k: k.camelot.zfill(3),
    "open key": lambda k: k.open_key,
    "musicstax": lambda k: f"{SHARPS[k.pitch_class]} {'min' if k.minor else 'Maj'}",
    "musicstax pair": lambda k: f"{_pair(k)} {'Minor' if k.minor else 'Major'}",
    "tunebat": lambda k: FLATS[k.pitch_class].replace("b", "♭") + [" Major", " Minor"][k.minor],
    "getsongbpm": lambda k: SHARPS[k.pitch_class].replace("#", "♯") + "m" * k.minor,
    "getsongbpm flat": lambda k: FLATS[k.pitch_class].replace("b", "♭") + "m" * k.minor,
    "acousticbrainz": lambda k: f"{SHARPS[k.pitch_class]} {'minor' if k.minor else 'major'}",
    "beatport": lambda k: f"{FLATS[k.pitch_class]} {'Minor' if k.minor else 'Major'}",
    "lower case": lambda k: f"{FLATS[k.pitch_class].lower()} {'minor' if k.minor else 'major'}",
    "upper case": lambda k: f"{SHARPS[k.pitch_class]} {'MINOR' if k.minor else 'MAJOR'}",
    "words": lambda k: f"{_word(k)} {'minor' if k.minor else 'major'}",
    "one letter": lambda k: f"{SHARPS[k.pitch_class]} {'m' if k.minor else 'M'}",
    "colon": lambda k: f"{SHARPS[k.pitch_class]}:{'min' if k.minor else 'maj'}",
    "minus": lambda k: SHARPS[k.pitch_class] + "-" * k.minor,
    "capital M": lambda k: FLATS[k.pitch_class] + ("m" if k.minor else "M"),
    "glued": lambda k: f"{FLATS[k.pitch_class]}{'MIN' if k.minor else 'Maj'}",
    "german": lambda k: f"{GERMAN[k.pitch_class]}-{'Moll' if k.minor else 'Dur'}",
    "german lower case": lambda k: _german(k) + (" moll" if k.minor else " dur"),
    "german sharps": lambda k: f"{GERMAN_SHARPS[k.pitch_class]}{'moll' if k.minor else 'dur'}",
    "mixed in key": lambda k: f"{k.camelot} - 7",
    "name and camelot": lambda k: f"{FLATS[k.pitch_class]}{'m' * k.minor} ({k.camelot})",
    "camelot and name": lambda k: f"{k.camelot}/{SHARPS[k.pitch_class]}{'m' * k.minor}",
    "name and open key": lambda k: f"{SHARPS[k.pitch_class]}{'m' * k.minor} \u2013 {k.open_key}",
    "no key first": lambda k: f"o; {k}",
    "several": lambda k: f"{k}; {Key((k.pitch_class + 1) % 12, k.minor)}",
}  # fmt: skip


@pytest.mark.parametrize("notation", NOTATIONS)
def test_every_notation_of_every_key_reads_back(notation: str) -> None:
    written = {key: NOTATIONS[notation](key) for key in ALL_KEYS}
    assert {key: parse_key(text) for key, text in written.items()} == {k: k for k in ALL_KEYS}
    assert len(set(written.values())) == 24


def test_spotify_numbers() -> None:
    assert [from_numbers(k.pitch_class, 0 if k.minor else 1) for k in ALL_KEYS] == ALL_KEYS


@pytest.mark.parametrize("numbers", [(-1, 0), (-1, 1), (12, 1), (3, 2), (3, -1)])
def test_spotify_numbers_of_no_key(numbers: tuple[int, int]) -> None:
    assert from_numbers(*numbers) is None


@given(st.sampled_from(ALL_KEYS), st.sampled_from(sorted(NOTATIONS)), st.sampled_from(" \t\n"))
def test_space_around_a_key_does_not_matter(key: Key, notation: str, space: str) -> None:
    assert parse_key(space + NOTATIONS[notation](key) + space) == key


@given(st.text(max_size=12))
def test_any_text_is_a_key_or_none(text: str) -> None:
    key = parse_key(text)
    assert key is None or key in ALL_KEYS


def test_open_key_and_camelot_are_two_wheels() -> None:
    """Open Key and Camelot are different: one read as the other turns E minor into E flat minor."""
    assert str(parse_key("2m")) == "Em"
    assert str(parse_key("2A")) == "D#m"
    assert all(key.camelot[:-1] != key.open_key[:-1] for key in ALL_KEYS)
    for key in ALL_KEYS:
        assert int(key.camelot[:-1]) == (int(key.open_key[:-1]) + 6) % 12 + 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Am", "8A"), ("C", "8B"), ("F#m", "11A"), ("G#m", "1A"), ("B", "1B"), ("E", "12B"),
        ("Bb", "6B"), ("A#", "6B"), ("Ebmin", "2A"), ("2m", "9A"), ("b minor", "10A"),
        ("Cb", "1B"), ("CM", "8B"), ("cm", "5A"), ("E#", "7B"), ("B#m", "5A"), ("Fb", "12B"),
        ("c♮", "8B"), ("D-flat major", "3B"), ("bb", "6B"), ("bm", "10A"),
    ],
)  # fmt: skip
def test_camelot(text: str, code: str) -> None:
    assert camelot(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "", "-", "N/A", "13A", "0B", "o", "C# foo", "8", "##", "0", "-1", "—", "?", "C#/Eb",
        "C#/D Minor", "/", "A/", "unknown", "Key", "None",
    ],
)  # fmt: skip
def test_what_is_no_key(text: str) -> None:
    assert parse_key(text) is None
    assert camelot(text) is None


@pytest.mark.parametrize(
    ("key", "other", "expected"),
    [
        ("Am", "Am", "same"), ("Am", "C", "relative"), ("Am", "Em", "neighbour"),
        ("Am", "Dm", "neighbour"), ("Am", "G", None), ("Am", "A", None), ("C", "G", "neighbour"),
        ("B", "F#", "neighbour"), ("D#m", "F#", "relative"), ("Am", "D#m", None),
    ],
)  # fmt: skip
def test_harmony_is_the_neighbourhood_of_the_wheel(
    key: str, other: str, expected: str | None
) -> None:
    one, two = parse_key(key), parse_key(other)
    assert one is not None
    assert two is not None
    assert harmony(one, two) == harmony(two, one) == expected


@pytest.mark.parametrize(
    ("text", "key"),
    [
        # An H, a name that only German has, or Dur and Moll: then B is B flat.
        ("H", "B"), ("h", "Bm"), ("Hm", "Bm"), ("H minor", "Bm"), ("B-Dur", "A#"),
        ("b-Moll", "A#m"),
        ("B moll", "A#m"), ("Fis", "F#"), ("fis", "F#m"), ("Es", "D#"), ("as", "G#m"), ("His", "C"),
        ("Bes", "A#"), ("Cis major", "C#"), ("F#-Moll", "F#m"), ("Bb-Dur", "A#"),
        ("H-", "Bm"), ("Fis-", "F#m"), ("AsM", "G#"),
        # Otherwise it is not, and a small letter says nothing.
        ("B", "B"), ("b", "B"), ("Bm", "Bm"), ("B minor", "Bm"), ("Bb", "A#"), ("fm", "Fm"),
    ],
)  # fmt: skip
def test_german_or_not_is_decided_by_the_notation(text: str, key: str) -> None:
    assert str(parse_key(text)) == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("A-", "Am"), ("A \u2212", "Am"), ("Bb-", "A#m"), ("A-m", "Am"), ("A min.", "Am"),
        ("8A-7", "Am"), ("7 - 8A", "Am"), ("8A - Energy 7", "Am"), ("10A \u2013 5", "Bm"),
        ("8A - 128.5", "Am"), ("Am 8A", "Am"), ("A- (8A)", "Am"), ("8A=Am", "Am"),
        ("-, Am", "Am"), ("o; Em; C", "Em"), ("Am\0C", "Am"), ("G# / Ab minor", "G#m"),
        ("Am (9A)", None), ("8A/8B", None), ("Am - some words", None), ("7 - 7", None),
        ("A" * 5000, None), ("(" * 5000, None), ("8A - " * 5000, None),
    ],
)  # fmt: skip
def test_what_stands_beside_a_key(text: str, key: str | None) -> None:
    found = parse_key(text)
    assert (None if found is None else str(found)) == key


def test_open_key() -> None:
    assert [open_key(text) for text in ("Am", "F#m", "8B", "Es-Dur", "?")] == [
        "1m", "4m", "1d", "10d", None,
    ]  # fmt: skip
