"""From the grid to 0.1 BPM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tempo_core.audio import Excerpt, read_excerpts
from tempo_core.config import FrontEnd
from tempo_core.features import mel_spectrogram
from tempo_core.refine import Envelope, envelope, refine
from tests.audio import drum_pattern, write_audio
from trainer.dataset import filterbank

FRONT_END = FrontEnd()


def _envelopes(excerpts: list[Excerpt]) -> list[Envelope]:
    bank = filterbank(FRONT_END)
    return [
        envelope(mel_spectrogram(torch.from_numpy(e.audio), FRONT_END, bank), e.start)
        for e in excerpts
    ]


def _excerpts(bpm: float, style: str, spans: list[tuple[float, float]]) -> list[Excerpt]:
    audio = drum_pattern(bpm, 60, FRONT_END.sr, style, np.random.default_rng(4))
    sr = FRONT_END.sr
    return [Excerpt(audio[round(s * sr) : round((s + d) * sr)], s) for s, d in spans]


@pytest.mark.parametrize("bpm", [63.27, 87.5, 99.99, 127.98, 143.21, 174.03])
@pytest.mark.parametrize("style", ["house", "rock"])
@pytest.mark.parametrize("off", [-0.015, 0.012])
def test_a_steady_track_is_found_within_0_05_bpm(bpm: float, style: str, off: float) -> None:
    envelopes = _envelopes(_excerpts(bpm, style, [(0, 60)]))
    assert refine(envelopes, bpm * (1 + off), FRONT_END.fps) == pytest.approx(bpm, abs=0.05)


@pytest.mark.parametrize("bpm", [87.5, 127.98, 174.03])
def test_separate_windows_are_enough(bpm: float) -> None:
    envelopes = _envelopes(_excerpts(bpm, "house", [(3, 12), (22, 12), (45, 12)]))
    assert refine(envelopes, bpm * 1.01, FRONT_END.fps) == pytest.approx(bpm, abs=0.1)


@pytest.mark.parametrize("suffix", ["mp3", "m4a"])
def test_lossy_coding_does_not_move_the_tempo(tmp_path: Path, suffix: str) -> None:
    audio = drum_pattern(127.98, 40, 44100, "house", np.random.default_rng(1))
    path = write_audio(tmp_path / f"a.{suffix}", audio, 44100)
    envelopes = _envelopes(read_excerpts(path, FRONT_END.sr, None))
    assert refine(envelopes, 126.5, FRONT_END.fps) == pytest.approx(127.98, abs=0.05)


def test_nothing_to_refine_by_leaves_the_tempo() -> None:
    assert refine([Envelope(np.zeros((4, 1000)), 0.0)], 120.0, FRONT_END.fps) == 120.0
