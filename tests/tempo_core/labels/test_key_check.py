"""Tests of comparing the keys that sources, tags and audio say of one track."""

from __future__ import annotations

import pytest

from tempo_core.labels.key_check import KeyCheck, compare_keys, worst
from tempo_core.labels.record import KeyVerdict, Record, Status, TrackQuery


def record(source: str, key: str | None, status: Status = Status.FOUND) -> Record:
    return Record("id", source, status, "", "A", "T", "2026", 1, bpm=120, key=key)


def check(
    *said: tuple[str, str | None], tag: str | None = None, audio: str | None = None
) -> KeyCheck:
    track = TrackQuery("T", ("A",), tag_key=tag, estimate_key=audio)
    return compare_keys(track, [record(*pair) for pair in said])


@pytest.mark.parametrize(
    ("others", "audio", "among", "with_audio"),
    [
        (["Am", "Am"], "Am", "same", "same"),
        (["Am", "Em"], "Am", "fifth", "fifth"),
        (["Am", "Am"], "C", "same", "relative"),
        (["Am", "A"], "A", "parallel", "parallel"),
        (["Am", "F#"], None, "conflict", "no_estimate"),
        (["Am"], "F#", "no_estimate", "conflict"),
        ([], "F#", "no_estimate", "no_estimate"),
    ],
)
def test_the_most_serious_difference_counts(
    others: list[str], audio: str | None, among: str, with_audio: str
) -> None:
    found = check(*zip(("acousticbrainz", "tsv"), others, strict=False), audio=audio)
    assert (found.among.value, found.audio.value) == (among, with_audio)
    assert found.verdict is worst((found.among, found.audio))


def test_the_tags_are_a_witness_whether_or_not_they_were_asked() -> None:
    asked = check(("tags", "Am"), ("tsv", "C"), tag="8A")
    known = check(("tsv", "C"), tag="8A")
    assert asked.among is known.among is KeyVerdict.RELATIVE
    assert str(known) == "tsv C, tags Am"
    assert known.differs
    assert not check(("tsv", "C"), tag="?").differs


def test_sites_with_one_analyser_are_one_witness() -> None:
    found = check(("musicstax", "Am"), ("songbpm", "F#"))
    assert found.among is KeyVerdict.NO_ESTIMATE
    assert found.said == (("musicstax", "Am"), ("songbpm", "F#"))


def test_only_what_was_found_is_said() -> None:
    doubtful = record("tsv", "F#", Status.AMBIGUOUS)
    track = TrackQuery("T", ("A",), tag_key="Am")
    assert compare_keys(track, [doubtful]).said == (("tags", "Am"),)
