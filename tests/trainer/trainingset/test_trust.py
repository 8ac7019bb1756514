"""Whose label counts."""

from __future__ import annotations

import math

import pytest

from trainer.trainingset.trust import TRUST, Label, choose, format_labels, parse_labels


def test_the_order_of_trust() -> None:
    labels = [Label(100.0 + 10 * k, who) for k, who in enumerate(reversed(TRUST))]
    labels.append(Label(90.0, "some program"))
    while len(labels) > 1:
        best, others = choose(labels)
        expected = min(labels, key=lambda label: label.rank)
        assert best == expected
        assert set(others) == set(labels) - {expected}
        labels.remove(expected)


def test_the_site_does_not_matter_to_the_trust() -> None:
    assert Label(97, "label:acousticbrainz").rank == Label(97, "label").rank == TRUST.index("label")


def test_what_the_model_said_is_no_label() -> None:
    assert choose([Label(97, "model:tempo@01234567"), Label(97, "model")]) == (None, ())
    assert choose([Label(97, "model:x"), Label(128, "tag")]) == (Label(128, "tag"), ())


def test_labels_within_4_per_cent_are_no_conflict() -> None:
    assert choose([Label(100, "manual"), Label(103.9, "tag")])[1] == ()
    assert choose([Label(100, "manual"), Label(104.1, "tag")])[1] == (Label(104.1, "tag"),)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -5.0, 3.0, 12593.0])
def test_what_is_no_tempo_counts_only_where_there_is_nothing_else(bad: float) -> None:
    assert not Label(bad, "manual").usable
    assert choose([Label(bad, "manual"), Label(128, "tag")]) == (Label(128, "tag"), ())
    (best, others) = choose([Label(bad, "manual")])
    assert best is not None
    assert best.source == "manual"
    assert others == ()


def test_zero_is_no_label() -> None:
    assert choose([Label(0.0, "tag")]) == (None, ())
    assert choose([]) == (None, ())


def test_labels_survive_a_table() -> None:
    labels = (Label(97.25, "tag"), Label(128, "label:some site"))
    assert parse_labels(format_labels(labels)) == labels
    assert parse_labels("") == ()
    assert parse_labels("nonsense; tag 97") == (Label(97, "tag"),)
