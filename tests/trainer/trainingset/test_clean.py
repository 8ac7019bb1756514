"""Tests of the cleaning rules one by one; `test_build.py` tests them on audio."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from trainer.trainingset.clean import (
    Reason,
    check_audio,
    check_label,
    contradicts,
    duplicates,
    keep_one,
    merge,
)
from trainer.trainingset.listen import Listening
from trainer.trainingset.tables import CollectedTrack, LabelledTrack

SR = 11025


def labelled(bpm: float = 120.0, source: str = "tag", **known: str) -> LabelledTrack:
    return LabelledTrack(Path("/a.mp3"), bpm, source, **known)  # type: ignore[arg-type]


def heard(**known: float) -> Listening:
    values: dict[str, float] = {"seconds": 180, "stated": 180, "silent": 0.1, "bpm": 120.3,
        "confidence": 0.9, "elsewhere": 0.0, **known}  # fmt: skip
    n_samples = round(values.pop("seconds") * SR)
    return Listening(n_samples, fingerprint=np.zeros(0, np.uint32), **values)


def reason_of(found: object) -> str:
    return getattr(found, "reason", "")


@pytest.mark.parametrize(
    ("bpm", "reason"),
    [
        (0.0, Reason.NO_LABEL),
        (math.nan, Reason.BAD_LABEL),
        (math.inf, Reason.BAD_LABEL),
        (-120.0, Reason.BAD_LABEL),
        (12593.0, Reason.BAD_LABEL),
        (7.0, Reason.BAD_LABEL),
        (30.0, ""),
        (300.0, ""),
    ],
)
def test_what_a_label_may_be(bpm: float, reason: str) -> None:
    assert reason_of(check_label(labelled(bpm))) == reason


def test_labels_of_equal_trust_must_agree() -> None:
    both = merge([labelled(97.0, "label:a"), labelled(128.0, "label:b")])
    found = check_label(both)
    assert found is not None
    assert (found.reason, found.detail) == (Reason.CONFLICT, "label:a 97; label:b 128")
    settled = merge([labelled(97.0, "label:a"), labelled(128.0, "manual")])
    assert check_label(settled) is None
    assert (settled.bpm, settled.other_labels) == (128.0, "label:a 97")


def test_what_is_known_comes_with_the_label_that_counts() -> None:
    best = merge([
        labelled(97.0, "tag", label_title=""),
        labelled(128.0, "label:a", label_title="Song (Live)"),
    ])  # fmt: skip
    assert best.label_title == "Song (Live)"


@pytest.mark.parametrize(
    ("title", "label_title", "told"),
    [
        ("Song (Live)", "Song", "ours is live"),
        ("Song", "Song (Zedd Remix)", "theirs is remix"),
        ("Song (Sped Up)", "Song", "ours is sped"),
        ("Song (A Remix)", "Song (B Remix)", "another remix"),
        ("Song - 2011 Remaster", "Song", ""),
        ("Song (feat. Guest)", "Song", ""),
        ("Song (Live)", "", ""),
    ],
)
def test_the_label_of_another_version(title: str, label_title: str, told: str) -> None:
    found = check_label(labelled(title=title, label_title=label_title))
    assert reason_of(found) == (Reason.VERSION if told else "")
    assert found is None or found.detail.startswith(told)


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({}, ""),
        ({"seconds": 120}, Reason.TRUNCATED),
        ({"seconds": 179}, ""),
        ({"seconds": 120, "stated": 0}, ""),
        ({"seconds": 5, "stated": 5}, Reason.TOO_SHORT),
        ({"seconds": 0.1, "stated": 0.1}, Reason.TOO_SHORT),
        ({"seconds": 3000, "stated": 3000}, Reason.TOO_LONG),
        ({"silent": 0.6}, Reason.SILENT),
        ({"bpm": 97.0}, Reason.CONTRADICTED),
        ({"bpm": 97.0, "confidence": 0.2}, ""),
        ({"elsewhere": 0.4}, Reason.UNSTEADY),
        ({"elsewhere": 0.2}, ""),
    ],
)
def test_what_audio_may_be(known: dict[str, float], reason: str) -> None:
    assert reason_of(check_audio(labelled(), heard(**known), SR)) == reason


def test_both_tempi_are_told() -> None:
    found = check_audio(labelled(97.0), heard(bpm=128.04), SR)
    assert found is not None
    assert found.detail == "label 97, audio 128.0"


def test_a_persons_correction_is_believed() -> None:
    """A person's correction is kept although the estimate contradicts it."""
    assert check_audio(labelled(97.0, "manual"), heard(bpm=128.0), SR) is None
    assert check_audio(labelled(97.0, "manual"), heard(elsewhere=1.0), SR) is None
    # Whose label it is says nothing about the file.
    cut = heard(seconds=20, stated=180)
    assert reason_of(check_audio(labelled(97.0, "manual"), cut, SR)) == Reason.TRUNCATED


def test_what_is_told_is_why_it_was_dropped() -> None:
    found = check_audio(labelled(), heard(elsewhere=0.31), SR)
    assert found is not None
    assert found.detail == "31 % of it at another tempo than 120.3"


@pytest.mark.parametrize("ratio", [1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 3 / 2, 2, 3, 4])
@pytest.mark.parametrize("slip", [0.965, 1.0, 1.035])
def test_another_way_of_counting_is_no_contradiction(ratio: float, slip: float) -> None:
    assert not contradicts(120.0 * ratio * slip, 120.0)
    assert contradicts(120.0 * ratio * slip * 1.11, 120.0)


def collected(name: str, bpm: float, source: str, duration: float = 180.0) -> CollectedTrack:
    return CollectedTrack(Path(name), bpm, source, id=name, duration=duration)


def test_the_better_labelled_copy_is_kept_with_the_best_label() -> None:
    a, b = collected("/a", 97.0, "tag"), collected("/b", 128.0, "label:x")
    best, dropped = keep_one([a, b])
    assert best is not None
    assert (best.path, best.bpm, best.other_labels) == (Path("/b"), 128.0, "tag 97")
    assert [(d.path, d.reason, d.detail) for d in dropped] == [
        (Path("/a"), Reason.DUPLICATE, "of /b")
    ]


def test_the_longer_of_equal_copies_is_kept() -> None:
    best, _ = keep_one([collected("/a", 97, "tag", 170), collected("/b", 97, "tag", 180)])
    assert best is not None
    assert best.path == Path("/b")


def test_copies_that_contradict_each_other_are_all_dropped() -> None:
    best, dropped = keep_one([collected("/a", 64.0, "tag"), collected("/b", 128.0, "tag")])
    assert best is None
    assert [d.reason for d in dropped] == [Reason.CONFLICT] * 2


def test_copies_by_content_and_by_recording() -> None:
    tracks = [collected(name, 120.0, "tag") for name in "abcde"]
    tracks[2] = dataclasses.replace(tracks[2], id="a")
    tracks[3] = dataclasses.replace(tracks[3], recording_id="r")
    tracks[4] = dataclasses.replace(tracks[4], recording_id="r")
    pairs = duplicates(tracks, [heard()] * 5, 86.0)
    assert sorted(pairs) == [(0, 2), (3, 4)]
