"""Recorded answers of the shipped models, from before the core was restructured.

A change of structure must not change them. A retrained model does; then they are recorded anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.audio import STYLES
from tests.rows import mostly_slow
from tests.tempo_core import golden
from tests.tempo_core.golden import notes, sounds

EXPECTED: dict[str, Any] = json.loads(golden.EXPECTED.read_text())
RECORDINGS: dict[str, Any] = json.loads(golden.RECORDINGS.read_text())


def is_slow(name: str) -> bool:
    return name in SLOW or (name.partition("-")[0] in STYLES and name not in BY_DEFAULT)


def test_there_is_an_answer_on_record_for_every_file() -> None:
    assert set(EXPECTED) >= BY_DEFAULT
    names = [file.name for file in golden.files()]
    assert list(EXPECTED) == names
    assert len(names) >= 40


# Of each style one file by default, short or long, in every format but m4a. Of what is unusual the
# files that take long, because of their length or their format, are slow.
BY_DEFAULT = {
    "house-118-30.mp3", "rock-88-30.aiff", "ballad-58.4-30.opus", "shuffle-92-30.aiff",
    "waltz-156.3-30.opus", "house-118-150.flac", "rock-88-150.wma", "dnb-174.25-150.wav",
}  # fmt: skip
SLOW = {
    "all.mp3", "applause.ogg", "four-windows.flac", "noise-between-all.flac", "quiet-ends.mp3",
    "runner.mp3", "speech.mp3", "stereo.m4a", "two-tempi-all.flac", "two-tempi.flac",
}  # fmt: skip


@pytest.mark.parametrize(
    ("number", "file"),
    [
        pytest.param(
            number, file, id=file.name,
            marks=[pytest.mark.slow] if is_slow(file.name) else [],
        )
        for number, file in enumerate(golden.files())
    ],
)  # fmt: skip
def test_the_answer_is_the_one_on_record(number: int, file: golden.File, tmp_path: Path) -> None:
    path = golden.write(number, file, tmp_path)
    golden.same(golden.say(path, file.options), EXPECTED[file.name])


@pytest.mark.slow
@pytest.mark.skipif("TEMPO_DATA" not in os.environ, reason="needs a folder that TEMPO_DATA names")
@pytest.mark.parametrize("name", list(RECORDINGS))
def test_the_answer_for_a_recording_is_the_one_on_record(name: str) -> None:
    golden.same(golden.say(Path(os.environ["TEMPO_DATA"]) / name, {}), RECORDINGS[name])


@mostly_slow("seed", notes.SEEDS, quick=1)
def test_the_notes_are_those_on_record(seed: int) -> None:
    expected = json.loads(notes.EXPECTED.read_text())[str(seed)]
    found = notes.heard(seed)
    assert [note[0] for note in found] == [note[0] for note in expected]
    assert len(expected) > 20
    numbers, expected_numbers = np.array(found)[:, 1:], np.array(expected)[:, 1:]
    np.testing.assert_allclose(numbers[:, :3], expected_numbers[:, :3], rtol=0, atol=0.0021)
    np.testing.assert_allclose(numbers[:, 3], expected_numbers[:, 3], rtol=0, atol=1)  # velocity


@pytest.mark.parametrize("name", [*sounds.STYLES, "speech"])
def test_the_sound_is_the_one_on_record(name: str) -> None:
    expected, found = json.loads(sounds.EXPECTED.read_text())[name], sounds.heard(name)
    assert found["tags"] == pytest.approx(expected["tags"], abs=0.01)
    np.testing.assert_allclose(found["embedding"], expected["embedding"], rtol=0, atol=0.02)
