"""Tests of the error gallery: its choice of errors, its texts and its plots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tempo_core import checkpoint
from tempo_core.estimate import Estimate
from tempo_core.tasks.tempo.axis import tempo_axis
from tempo_core.tasks.tempo.config import TempoGrid
from tests.audio import click_track, write_audio
from trainer.inputs.databases import Decided
from trainer.inputs.recordings import Recording
from trainer.research.gallery import Picture, draw, picture, strength_at, verdict, worst

GRID = TempoGrid()


def _recording(bpm: float, *alternatives: float, path: Path = Path("x")) -> Recording:
    return Recording(path, "songs", ((bpm, 1.0),), "validation", "artist", alternatives)


def _picture(peak: float) -> Picture:
    """Picture of a pulse at a single tempo."""
    strength = np.exp(-np.abs(np.log2(tempo_axis(GRID) / peak)) * 40)
    return Picture(np.repeat(strength[:, None], 5, axis=1), strength)


def test_the_worst_are_those_off_by_more_than_an_octave_then_the_surest() -> None:
    recordings = [_recording(b) for b in (100, 100, 100, 100, 100)]
    estimates = [
        Estimate(100.5, 0.9, ()),
        Estimate(200, 0.95, ()),
        Estimate(50, 0.6, ()),
        Estimate(133, 0.4, ()),
        None,
    ]
    found = [e.bpm for _, e in worst(recordings, estimates, 10)]
    assert found == [133, 200, 50]
    assert [e.bpm for _, e in worst(recordings, estimates, 1)] == [133]


@pytest.mark.parametrize(
    ("recording", "answer", "peak", "said"),
    [
        (_recording(172), 86.0, 86, "counted at half the label"),
        (_recording(172, 86.2), 86.0, 86, "published or plausible, too"),
        (_recording(60), 180.0, 180, "three times the label"),
        (_recording(120), 175.0, 175, "is the label right"),
        (_recording(120), 160.0, 120, "another tempo, 1.333"),
    ],
)
def test_verdicts(recording: Recording, answer: float, peak: float, said: str) -> None:
    assert said in verdict(recording, Estimate(answer, 0.5, ()), _picture(peak), GRID)


def test_a_verdict_says_what_people_decided_elsewhere() -> None:
    decided = [Decided(86.0, "harmonix"), Decided(172.4, "festival")]
    text = verdict(_recording(172), Estimate(86.0, 0.5, ()), _picture(86), GRID, decided)
    assert text.endswith("; harmonix: 86; festival: 172.4")


def test_strength_counts_half_and_double_of_a_tempo() -> None:
    strength = _picture(90).posterior
    assert strength_at(strength, 180, GRID) > 0.5
    assert strength_at(strength, 120, GRID) < 0.1


def test_a_recording_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "clicks.wav"
    write_audio(path, click_track(120, 14, 11025), 11025)
    model = checkpoint.load(checkpoint.resolve("default"))
    shown = picture(path, model)
    assert shown.tempogram.shape[0] == model.config.grid.n_bins
    assert shown.tempogram.shape[1] >= 6  # every second of 14, in windows of 8
    assert (
        strength_at(shown.tempogram.mean(axis=1), 120, model.config.grid)
        == shown.tempogram.mean(axis=1).max()
    )
    out = tmp_path / "errors.png"
    row = (_recording(60, 240, path=path), Estimate(120, 0.5, ()), shown)
    draw([row], model.config.grid, out, [[Decided(61.0, "harmonix")]])
    assert out.read_bytes().startswith(b"\x89PNG")
