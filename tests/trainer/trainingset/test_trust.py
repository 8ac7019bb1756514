"""Tests of the order of trust in labels."""

from __future__ import annotations

import math

import pytest

from trainer.trainingset.trust import TRUST, TrustedLabel, choose, format_labels, parse_labels


def test_the_order_of_trust() -> None:
    labels = [TrustedLabel(100.0 + 10 * k, who) for k, who in enumerate(reversed(TRUST))]
    labels.append(TrustedLabel(90.0, "some program"))
    while len(labels) > 1:
        best, others = choose(labels)
        expected = min(labels, key=lambda label: label.rank)
        assert best == expected
        assert set(others) == set(labels) - {expected}
        labels.remove(expected)


def test_the_site_does_not_matter_to_the_trust() -> None:
    assert (
        TrustedLabel(97, "label:acousticbrainz").rank
        == TrustedLabel(97, "label").rank
        == TRUST.index("label")
    )


def test_what_the_model_said_is_no_label() -> None:
    assert choose([TrustedLabel(97, "model:tempo@01234567"), TrustedLabel(97, "model")]) == (
        None,
        (),
    )
    assert choose([TrustedLabel(97, "model:x"), TrustedLabel(128, "tag")]) == (
        TrustedLabel(128, "tag"),
        (),
    )


def test_labels_within_4_per_cent_are_no_conflict() -> None:
    assert choose([TrustedLabel(100, "manual"), TrustedLabel(103.9, "tag")])[1] == ()
    assert choose([TrustedLabel(100, "manual"), TrustedLabel(104.1, "tag")])[1] == (
        TrustedLabel(104.1, "tag"),
    )


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -5.0, 3.0, 12593.0])
def test_what_is_no_tempo_counts_only_where_there_is_nothing_else(bad: float) -> None:
    assert not TrustedLabel(bad, "manual").usable
    assert choose([TrustedLabel(bad, "manual"), TrustedLabel(128, "tag")]) == (
        TrustedLabel(128, "tag"),
        (),
    )
    (best, others) = choose([TrustedLabel(bad, "manual")])
    assert best is not None
    assert best.source == "manual"
    assert others == ()


def test_zero_is_no_label() -> None:
    assert choose([TrustedLabel(0.0, "tag")]) == (None, ())
    assert choose([]) == (None, ())


def test_labels_survive_a_table() -> None:
    labels = (TrustedLabel(97.25, "tag"), TrustedLabel(128, "label:some site"))
    assert parse_labels(format_labels(labels)) == labels
    assert parse_labels("") == ()
    assert parse_labels("nonsense; tag 97") == (TrustedLabel(97, "tag"),)
