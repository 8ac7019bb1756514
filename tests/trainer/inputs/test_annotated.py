"""Tests of examples for the notes network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tempo_core.config import NotesFrontEnd
from tempo_core.tasks.notes.config import NotesConfig
from tempo_core.tasks.notes.events import LOWEST
from tempo_core.tasks.notes.view import prepare
from trainer.inputs import annotated as module
from trainer.inputs.annotated import Annotated, annotated, batch, example, spectrum_of
from trainer.synthesis.studies import Played
from trainer.synthesis.tones import play

FRONT_END = NotesFrontEnd()
CONFIG = replace(NotesConfig(), n_frames=64)
SPECTRUM = spectrum_of(FRONT_END)
PITCH = 60


@pytest.fixture(scope="module")
def recording() -> Annotated:
    played = [Played(0.5 + k, 1.2 + k, PITCH, 90) for k in range(4)]
    audio = play(played, 5.0, FRONT_END.sr, np.random.default_rng(0))
    rows = np.array([(n.start, n.end, n.pitch, n.velocity) for n in played], np.float32)
    return annotated("a", audio, rows, SPECTRUM)


def test_what_is_kept_is_what_is_seen_in_use(recording: Annotated) -> None:
    played = [Played(0.5 + k, 1.2 + k, PITCH, 90) for k in range(4)]
    audio = play(played, 5.0, FRONT_END.sr, np.random.default_rng(0))
    in_use = prepare(SPECTRUM.features(audio))
    halves = recording.features.astype(np.float32).reshape(2, -1, in_use.shape[1])
    kept = np.log1p(module.GAIN * halves).swapaxes(1, 2)
    np.testing.assert_allclose(kept, in_use, atol=0.01)
    louder = annotated("b", 0.01 * audio, recording.notes, SPECTRUM)
    np.testing.assert_allclose(
        louder.features.astype(float), recording.features.astype(float), rtol=0.02, atol=1e-3
    )


def test_the_target_moves_with_the_pitch_and_the_place(
    recording: Annotated, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DETUNED", "COLOURED", "HUSHED"):
        monkeypatch.setattr(module, name, 0.0)
    rng = np.random.default_rng(1)
    pitches = set()
    for _ in range(80):
        seen, target = example(recording, FRONT_END, CONFIG, rng)
        assert seen.shape == (2, 64, FRONT_END.n_bands)
        assert target.shape == (2, 64, 88)
        sounding = np.flatnonzero(target[1].any(axis=0))
        assert len(sounding) == 1
        pitch = int(sounding[0])
        pitches.add(pitch + LOWEST - PITCH)
        # The band of the note is the loudest where it sounds, but for its harmonics.
        middle = int(np.median(np.flatnonzero(target[1, :, pitch])))
        harmonics = {3 * (pitch + step) + 1 for step in (0, 12, 19, 24, 28, 31, 34, 36)}
        near = {band + k for band in harmonics for k in (-1, 0, 1)}
        assert int(seen[0, middle].argmax()) in near
        assert seen[0, middle, 3 * pitch + 1] > 1
    assert pitches == set(range(-module.MOST_MOVED, module.MOST_MOVED + 1))


def test_examples_follow_from_the_seed(recording: Annotated) -> None:
    first, second = (
        batch([recording], FRONT_END, CONFIG, 3, np.random.default_rng(5)) for _ in range(2)
    )
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    other = batch([recording], FRONT_END, CONFIG, 3, np.random.default_rng(6))
    assert not np.array_equal(first[0], other[0])


def test_a_recording_shorter_than_an_example_is_followed_by_silence(recording: Annotated) -> None:
    short = replace(recording, features=recording.features[:, :20])
    seen, target = example(short, FRONT_END, CONFIG, np.random.default_rng(0))
    assert seen.shape[1] == target.shape[1] == 64
    assert np.isfinite(seen).all()
