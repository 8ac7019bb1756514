"""Tests of comparing labels with the estimate from the audio."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo_core.keys import Key
from tempo_core.labels.crosscheck import check_key, check_tempo, same_tempo
from tempo_core.labels.record import KeyVerdict, LabelVerdict

TEMPI = st.floats(50, 200)


@pytest.mark.parametrize(
    ("label", "estimate", "verdict"),
    [
        (128, 127.98, LabelVerdict.AGREE),
        (128, 123.2, LabelVerdict.AGREE),
        (128, 122, LabelVerdict.CONFLICT),
        (64, 127.98, LabelVerdict.OCTAVE),
        (174, 87.1, LabelVerdict.OCTAVE),
        (40, 160, LabelVerdict.OCTAVE),
        (60, 180.5, LabelVerdict.TRIPLE),
        (180, 60, LabelVerdict.TRIPLE),
        (150, 100, LabelVerdict.METER),
        (100, 150, LabelVerdict.METER),
        (120, 90, LabelVerdict.METER),
        (90, 120, LabelVerdict.METER),
        (115, 100, LabelVerdict.CONFLICT),
        (84.9, 170, LabelVerdict.OCTAVE),
        (None, 120, LabelVerdict.NO_ESTIMATE),
        (120, None, LabelVerdict.NO_ESTIMATE),
        (0, 120, LabelVerdict.NO_ESTIMATE),
    ],
)
def test_verdicts(label: float | None, estimate: float | None, verdict: LabelVerdict) -> None:
    assert check_tempo(label, estimate) is verdict


@given(TEMPI, st.floats(-0.039, 0.039))
def test_a_label_within_4_percent_agrees(estimate: float, error: float) -> None:
    assert check_tempo(estimate * (1 + error), estimate) is LabelVerdict.AGREE


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        (2, LabelVerdict.OCTAVE),
        (3, LabelVerdict.TRIPLE),
        (3 / 2, LabelVerdict.METER),
        (4 / 3, LabelVerdict.METER),
    ],
)
def test_a_ratio_counts_in_both_directions(ratio: float, verdict: LabelVerdict) -> None:
    for error in (0.97, 1, 1.03):
        assert check_tempo(100 * ratio * error, 100) is verdict
        assert check_tempo(100 / ratio * error, 100) is verdict


@given(TEMPI, TEMPI)
def test_being_the_same_tempo_is_mutual(a: float, b: float) -> None:
    assert same_tempo(a, b) == same_tempo(b, a)
    assert same_tempo(a, a * 1.0399)
    assert not same_tempo(a, a * 1.0401)


@pytest.mark.parametrize(
    ("label", "estimate", "verdict"),
    [
        ("A min", "Am", KeyVerdict.SAME),
        ("8A", "Am", KeyVerdict.SAME),
        ("G", "C", KeyVerdict.FIFTH),
        ("F", "C", KeyVerdict.FIFTH),
        ("Em", "Am", KeyVerdict.FIFTH),
        ("C", "Am", KeyVerdict.RELATIVE),
        ("Am", "C", KeyVerdict.RELATIVE),
        ("A", "Am", KeyVerdict.PARALLEL),
        ("Am", "A", KeyVerdict.PARALLEL),
        ("D#", "Am", KeyVerdict.CONFLICT),
        ("G", "Am", KeyVerdict.CONFLICT),
        (None, "Am", KeyVerdict.NO_ESTIMATE),
        ("Am", None, KeyVerdict.NO_ESTIMATE),
        ("?", "Am", KeyVerdict.NO_ESTIMATE),
    ],
)
def test_key_verdicts(label: str | None, estimate: str | None, verdict: KeyVerdict) -> None:
    assert check_key(label, estimate) is verdict


def test_every_key_has_two_fifths_one_relative_and_one_parallel() -> None:
    keys = [Key(pitch, minor) for pitch in range(12) for minor in (False, True)]
    for key in keys:
        verdicts = [check_key(str(other), str(key)) for other in keys]
        counts = {v: verdicts.count(v) for v in KeyVerdict}
        assert counts[KeyVerdict.SAME] == 1
        assert counts[KeyVerdict.FIFTH] == 2
        assert counts[KeyVerdict.RELATIVE] == counts[KeyVerdict.PARALLEL] == 1


def test_a_verdict_of_an_older_store_is_read() -> None:
    assert KeyVerdict("other") is KeyVerdict.CONFLICT
    with pytest.raises(ValueError, match="unheard"):
        KeyVerdict("unheard")
