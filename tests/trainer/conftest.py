"""Fixtures of collections of generated songs, and of a training set built from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tempo_core.config import Windows
from tests.audio import Audio, drum_pattern, write_audio
from trainer.trainingset.build import BuildOptions, build
from trainer.trainingset.tables import LabelledTrack

SR = 22050
BUILD_OPTIONS = BuildOptions(jobs=2, windows=Windows(6.0, 3.0), quiet=True)
Song = Callable[..., LabelledTrack]
# Tempo [BPM] and style of each song; the shipped model finds all of them up to a simple ratio.
BANDS = [(126, "house"), (96, "rock"), (174, "dnb"), (112, "house"), (138, "rock"), (118, "house")]


def music(bpm: float, style: str, seed: int, duration: float = 14) -> Audio:
    """Generated music, (n_samples,), at `SR`."""
    return drum_pattern(bpm, duration, SR, style, np.random.default_rng(seed))


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledTrack]:
    """Six songs by six artists with correct labels."""
    folder = tmp_path_factory.mktemp("songs")
    tracks = []
    for k, (bpm, style) in enumerate(BANDS):
        path = write_audio(folder / f"song {k}.wav", music(bpm, style, k), SR)
        tracks.append(LabelledTrack(path, bpm, "table", f"Band {k}", f"Song {k}"))
    return tracks


@pytest.fixture(scope="session")
def training_set(songs: list[LabelledTrack], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The training set of `songs` with its cache, built once; tests must not change it."""
    folder = tmp_path_factory.mktemp("training") / "set"
    build(songs, folder, BUILD_OPTIONS)
    return folder
