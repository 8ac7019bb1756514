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


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("golden")
    return {file.name: path for file, path in golden.write(folder)}


def test_there_is_an_answer_on_record_for_every_file() -> None:
    names = [file.name for file in golden.files()]
    assert list(EXPECTED) == names
    assert len(names) >= 40


@pytest.mark.parametrize("file", list(golden.files()), ids=lambda file: file.name)
def test_the_answer_is_the_one_on_record(file: golden.File, written: dict[str, Path]) -> None:
    golden.same(golden.say(written[file.name], file.options), EXPECTED[file.name])


@pytest.mark.slow
@pytest.mark.skipif("TEMPO_DATA" not in os.environ, reason="needs a folder that TEMPO_DATA names")
@pytest.mark.parametrize("name", list(RECORDINGS))
def test_the_answer_for_a_recording_is_the_one_on_record(name: str) -> None:
    golden.same(golden.say(Path(os.environ["TEMPO_DATA"]) / name, {}), RECORDINGS[name])
