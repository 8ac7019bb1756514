"""Tests of the way from a file to its notes."""

from __future__ import annotations

import pytest

from tempo_core.tasks.notes.events import Thresholds
from tempo_core.transcription.transcribing import with_onset


@pytest.mark.parametrize(("onset", "frame"), [(0.25, 0.15), (0.5, 0.3), (1.0, 0.6)])
def test_the_threshold_of_frames_follows_that_of_onsets(onset: float, frame: float) -> None:
    assert with_onset(Thresholds(0.5, 0.3), onset) == Thresholds(onset, pytest.approx(frame))


def test_a_threshold_is_at_most_1() -> None:
    assert with_onset(Thresholds(0.2, 0.5), 0.9).frame == 1.0
