"""Tests of the figures of keys: scores, intervals, calibration, confusion and the worst answers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tempo_core.keys import Key, parse_key
from trainer.evaluation.answers import LabelledRecording
from trainer.evaluation.key_answers import KeyAnswer, read_key_answers, write_key_answers
from trainer.evaluation.key_figures import confusion, key_figures_of, surest_wrong
from trainer.evaluation.key_tables import confusion_table, key_table, left_out
from trainer.evaluation.text_tables import aligned


def key(text: str) -> Key:
    found = parse_key(text)
    assert found is not None
    return found


def answers_of(
    estimator: str, *pairs: tuple[str, str | None, float | None], set_: str = "s"
) -> list[KeyAnswer]:
    """Answers from label, estimate and confidence; two tracks an artist."""
    return [
        KeyAnswer(
            LabelledRecording(
                Path(f"/m/{set_}{k}.mp3"), 0.0, set_, "test", f"A - {k}", f"artist {k // 2}",
                key=key(label),
            ),
            estimator, None if estimate is None else key(estimate), sure,
        )
        for k, (label, estimate, sure) in enumerate(pairs)
    ]  # fmt: skip


FOUND = answers_of(
    "key", ("C", "C", 0.9), ("C", "G", 0.8), ("C", "Am", 0.7), ("Am", "A", 0.6), ("Am", None, 0.2),
    ("Am", "D#", 0.9),
)  # fmt: skip


def test_figures_by_hand() -> None:
    m = key_figures_of(FOUND)["key"].all
    assert (m.n, m.n_failed) == (6, 0)
    assert m.weighted == pytest.approx((1 + 0.5 + 0.3 + 0.2) / 6)
    assert m.exact == pytest.approx(1 / 6)
    assert m.relations == {"same": 1, "fifth": 1, "relative": 1, "parallel": 1, "other": 2}
    # Bins of 0.9 (twice, one right), 0.8, 0.7, 0.6 and 0.2, of which none is right.
    assert m.ece == pytest.approx((2 * 0.4 + 0.8 + 0.7 + 0.6 + 0.2) / 6)


def test_intervals_are_drawn_by_artist() -> None:
    """Two artists, one with all right and one with all wrong: anything may come out."""
    found = answers_of("key", *[("C", "C", 0.9)] * 2, *[("C", "F#", 0.9)] * 2)
    assert key_figures_of(found)["key"].all.exact_interval == (0.0, 1.0)


def test_confusion_counts_semitones_up_from_the_label() -> None:
    counts = confusion(FOUND)
    assert counts["major as major"][:8] == (1, 0, 0, 0, 0, 0, 0, 1)
    assert counts["major as minor"][9] == 1
    assert counts["minor as major"][0] == 1
    assert counts["minor as major"][6] == 1
    assert counts["minor as minor"] == (0,) * 12 + (1,)
    assert sum(map(sum, counts.values())) == len(FOUND)
    table = confusion_table("key", key_figures_of(FOUND)["key"])
    assert table[0][-1] == "none"
    assert [row[0] for row in table[1:]] == list(counts)
    assert len({len(row) for row in table}) == 1
    assert len(list(aligned(table))) == 5


def test_the_surest_wrong_comes_first_and_none_is_not_wrong() -> None:
    assert [str(a.estimate) for a in surest_wrong(FOUND)] == ["D#", "G", "Am", "A"]


def test_sets_and_another_estimator() -> None:
    known = answers_of("key", ("C", "C", 0.9), ("G", "G", 0.9), set_="learned from")
    figures = key_figures_of([*FOUND, *known, *answers_of("krumhansl", ("C", "G", None))])
    assert set(figures["key"].sets) == {"s", "learned from"}
    assert figures["key"].sets["learned from"].exact == 1
    assert figures["krumhansl"].ahead is None  # of other tracks
    assert math.isnan(figures["krumhansl"].all.ece)
    same = [KeyAnswer(a.track, "other", a.reference) for a in FOUND]
    figures = key_figures_of([*FOUND, *same])
    assert figures["other"].ahead == pytest.approx(1 - figures["key"].all.weighted)
    rows = key_table(figures)
    assert {len(row) for row in rows} == {len(rows[0])}
    assert rows[2][:5] == ("other", "all", "6", "0", "100.0")


def test_a_failure_counts_as_wrong_and_stands_in_no_cell() -> None:
    gone = [KeyAnswer(FOUND[0].track, "key", failure="no such file"), FOUND[0]]
    own = key_figures_of(gone)["key"]
    assert (own.all.n_failed, own.all.exact) == (1, 0.5)
    assert sum(map(sum, own.confusion.values())) == 1


def test_answers_survive_the_table(tmp_path: Path) -> None:
    answers = [*FOUND, KeyAnswer(FOUND[0].track, "key", failure="no such file")]
    write_key_answers(tmp_path / "keys.tsv", answers)
    assert read_key_answers(tmp_path / "keys.tsv") == answers


def test_what_is_left_out_is_said() -> None:
    assert left_out([1], [1]) == left_out([], []) == []
    assert left_out([], [1]) == ["No track has a labelled tempo, so only keys are measured."]
    assert left_out([1], []) == ["No track has a known key, so only tempi are measured."]
