"""The answers on record: what the shipped models said before the core was rebuilt.

A change of structure must not change them. A retrained model does; then they are recorded anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.tempo_core import golden

EXPECTED: dict[str, Any] = json.loads(golden.EXPECTED.read_text())
RECORDINGS: dict[str, Any] = json.loads(golden.RECORDINGS.read_text())


def test_there_is_an_answer_on_record_for_every_file() -> None:
    assert set(EXPECTED) >= ENCODED_SLOWLY
    names = [file.name for file in golden.files()]
    assert list(EXPECTED) == names
    assert len(names) >= 40


# Long files whose encoding takes seconds. Other files by default are as long, in the same format,
# or listened to with the same options.
ENCODED_SLOWLY = {"rock-172-150.m4a", "dnb-165-150.m4a", "waltz-90-150.m4a", "all.mp3"}


@pytest.mark.parametrize(
    ("number", "file"),
    [
        pytest.param(
            number, file, id=file.name,
            marks=[pytest.mark.slow] if file.name in ENCODED_SLOWLY else [],
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
