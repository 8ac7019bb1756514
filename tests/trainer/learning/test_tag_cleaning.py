"""Tests of cleaning tags: what counts as one, what is learned, and what is not known."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tempo_core.errors import ConfigError
from tempo_core.genres import GenreTree
from trainer.learning import tag_cleaning
from trainer.learning.tag_cleaning import CleanTags, TagRules, clean

GENRES, MOOD = TagRules(min_tracks=5), TagRules("mood", min_tracks=5)


def cleaned(*values: str, rules: TagRules = MOOD, most: int = 100) -> CleanTags:
    """What is left of tracks by an artist each, their names with commas between."""
    names = [[name for name in value.split(",") if name] for value in values]
    return clean(names, [str(k) for k in range(len(values))], rules, most)


def test_case_and_spaces_make_no_other_tag_and_most_people_s_spelling_is_kept() -> None:
    found = cleaned(*["Deep  Sea"] * 3, "deep sea", "deep-sea", "DEEP_SEA", *["calm"] * 5)
    assert found.names == ("Deep Sea", "calm")
    assert found.truth[:, 0].tolist() == [1] * 6 + [0] * 5


def test_spellings_that_beets_knows_are_one_genre() -> None:
    found = cleaned(*["Hip Hop"] * 3, "hip-hop", "HipHop", *["DnB"] * 3, "drum & bass",
                    "Drum and Bass", *["Jazz"] * 5, rules=GENRES)  # fmt: skip
    assert set(found.names) == {"Hip Hop", "DnB", "Jazz"}
    assert not np.isnan(found.truth).any()
    assert found.truth.sum(axis=0).tolist() == [5, 5, 5]


def test_a_wider_or_narrower_genre_is_neither_there_nor_absent() -> None:
    values = [*["house"] * 5, *["electronic"] * 5, *["rock"] * 5, "deep house", "house,electronic"]
    found = cleaned(*values, rules=GENRES)
    truth = {name: found.truth[:, k] for k, name in enumerate(found.names)}
    assert set(truth) == {"house", "electronic", "rock"}
    np.testing.assert_array_equal(truth["house"], [1] * 5 + [np.nan] * 5 + [0] * 5 + [np.nan, 1])
    np.testing.assert_array_equal(
        truth["electronic"], [np.nan] * 5 + [1] * 5 + [0] * 5 + [np.nan, 1]
    )
    np.testing.assert_array_equal(truth["rock"], [0] * 10 + [1] * 5 + [0] * 2)
    plain = cleaned(*values, rules=MOOD)  # a mood called house is in no tree
    assert not np.isnan(plain.truth).any()


def test_a_track_without_a_value_is_left_out() -> None:
    found = cleaned("", *["calm"] * 5, " ", ":;,", *["wild"] * 5)
    assert found.tracks.tolist() == [1, 2, 3, 4, 5, 8, 9, 10, 11, 12]
    assert found.truth.shape == (10, 2)


def test_what_the_configuration_merges_and_drops() -> None:
    rules = TagRules("mood", 5, {"CHILL": "calm", "Mellow": "calm"}, ["Seen Live", "x"])
    found = cleaned("chill", "mellow", "calm", "calm,seen live", "chill", "seen-live",
                    *["wild"] * 5, rules=rules)  # fmt: skip
    assert found.names == ("calm", "wild")
    assert 5 not in found.tracks  # it has nothing but what is dropped


def test_a_rare_genre_that_beets_does_not_list_counts_as_the_one_above_it() -> None:
    found = cleaned(*["African"] * 4, "Kapuka", *["Rock"] * 5, rules=GENRES)
    assert found.names == ("African", "Rock")
    own = cleaned(*["African"] * 5, *["Kapuka"] * 5, *["Rock"] * 5, rules=GENRES)
    assert set(own.names) == {"African", "Kapuka", "Rock"}


def test_without_beets_names_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_cleaning, "genre_tree", GenreTree)
    found = cleaned(*["house"] * 5, *["electronic"] * 5, "DnB", rules=GENRES)
    assert found.names == ("electronic", "house")
    assert not np.isnan(found.truth).any()
    assert [one.name for one in found.left_out] == ["DnB"]


def test_enough_tracks_of_enough_artists_with_it_and_without_it() -> None:
    names = [["rare"]] * 4 + [["solo"]] * 9 + [["all"]] * 5
    names = [[*own, "everywhere"] for own in names]
    groups = [*"abcd", *"e" * 9, *"fghij"]
    found = clean(names, groups, MOOD, 100)
    assert found.names == ("all",)
    why = {one.name: (one.n_tracks, one.n_artists, one.reason) for one in found.left_out}
    assert why["rare"] == (4, 4, "at least 5 tracks by 5 artists are needed")
    assert why["solo"][:2] == (9, 1)
    assert why["everywhere"][2] == "hardly a track is known to be without it"


def test_the_most_frequent_are_taken_of_more_than_a_model_has() -> None:
    found = cleaned(*["a"] * 7, *["b"] * 6, *["c"] * 5, most=2)
    assert found.names == ("a", "b")
    assert found.left_out[0].reason == "a model has at most 2 of them"


def test_ten_thousand_tags_take_no_time() -> None:
    values = [f"calm,tag {k},other {k}" if k % 2 else f"wild,tag {k}" for k in range(5000)]
    began = time.process_time()
    found = cleaned(*values)
    assert time.process_time() - began < 5
    assert found.names == ("calm", "wild")
    assert len(found.left_out) == 7500


ODD_NAMES = [
    "artist", "path", "Hard Rock: Live, 2;x", "🔥", "x" * 300, "a\0b", "a\udc80", "C++", "80",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_becomes_one_that_a_model_can_have(name: str) -> None:
    found = clean([[name]] * 5 + [["other"]] * 5, [str(k) for k in range(10)], MOOD, 9)
    tags = {f"mood:{tag}" for tag in found.names}
    assert all(tag.isprintable() and len(tag) <= 60 for tag in tags)
    assert len(tags) == 2


def test_nothing_at_all() -> None:
    found = clean([], [], GENRES, 9)
    assert found.names == found.left_out == ()
    assert found.truth.shape == (0, 0)


def test_merges_are_followed_to_their_end() -> None:
    rules = TagRules("mood", 5, merge={"trap": "Hip hop", "Hip-Hop": "Rap", "Rap": "rap"})
    found = cleaned(*["trap"] * 3, *["hip hop"] * 3, *["RAP"] * 2, *["calm"] * 9, rules=rules)
    assert found.names == ("calm", "rap")
    assert found.truth[:, 1].sum() == 8


def test_merges_in_a_circle_are_refused() -> None:
    rules = TagRules("mood", 5, merge={"a": "b", "b": "c", "c": "a"})
    with pytest.raises(ConfigError, match="merge goes in a circle at 'a'"):
        cleaned("a", rules=rules)
