"""Sounds without a key: each kind is made of what there is, and never the same twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile

from trainer.synthesis.rendering import keyless
from trainer.synthesis.rendering.mixing import SR


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two drum samples and one performance."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "samples").mkdir()
    for name in ("bd_one", "hat_one"):
        burst = np.random.default_rng(0).normal(0, 0.2, 2000) * np.linspace(1, 0, 2000)
        soundfile.write(folder / "samples" / f"{name}.flac", burst, SR)
    score, kit = pretty_midi.PrettyMIDI(), pretty_midi.Instrument(0, is_drum=True)
    kit.notes = [pretty_midi.Note(100, 38, t, t + 0.1) for t in np.arange(0, 10, 0.5)]
    score.instruments.append(kit)
    (folder / "midi" / "groove").mkdir(parents=True)
    score.write(str(folder / "midi" / "groove" / "one.mid"))
    rows = "split,duration,midi_filename\ntrain,10,one.mid\ntest,10,other.mid\n"
    (folder / "midi" / "groove" / "info.csv").write_text(rows)
    return folder


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.slow
def test_sounds_have_the_length_and_are_loud_enough(data: Path, seed: int) -> None:
    if shutil.which("fluidsynth") is None:
        pytest.skip("fluidsynth is needed")
    audio = keyless.make(data, 3.0, np.random.default_rng(seed))
    assert audio.shape == (3 * SR,)
    assert audio.dtype == np.float32
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() > 0.01
    again = keyless.make(data, 3.0, np.random.default_rng(seed))
    np.testing.assert_array_equal(audio, again)


def test_without_samples_there_are_other_sounds(tmp_path: Path) -> None:
    for seed in range(6):
        assert np.isfinite(keyless.make(tmp_path, 1.0, np.random.default_rng(seed))).all()


def test_a_groove_is_of_the_performances_for_training(data: Path) -> None:
    if shutil.which("fluidsynth") is None:
        pytest.skip("fluidsynth is needed")
    audio = keyless.groove(data / "midi" / "groove", 4.0, np.random.default_rng(0))
    assert audio.shape == (4 * SR,)
    assert audio.any()
