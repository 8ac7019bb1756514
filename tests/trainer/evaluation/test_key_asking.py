"""Tests of asking for keys: no file is estimated twice, and the baseline knows easy music."""

from __future__ import annotations

from pathlib import Path

import pytest

from tempo_core.errors import AudioError
from tempo_core.keys import Key
from tests.audio import chord_song, write_audio
from trainer.evaluation.answers import LabelledRecording
from trainer.evaluation.asking import AskingOptions
from trainer.evaluation.key_answers import KEY_LOG, KeyAnswer
from trainer.evaluation.key_asking import ask_all_keys
from trainer.evaluation.key_estimators import KEY_BASELINES, KeyEstimate, KeyModel

KEYS = {"a": Key(0, False), "b": Key(9, True), "c": None}


class Known:
    """Estimator that takes its answers from file names and counts the questions."""

    source = "model:key-known@00000000"

    def __init__(self) -> None:
        self.asked = 0

    def estimate(self, path: object) -> KeyEstimate:
        self.asked += 1
        name = Path(str(path)).name
        if name not in KEYS:
            raise AudioError("no such file")
        return KeyEstimate(KEYS[name], 0.75)


@pytest.fixture
def tracks(tmp_path: Path) -> list[LabelledRecording]:
    for name in KEYS:
        (tmp_path / name).write_text(name)
    return [
        LabelledRecording(tmp_path / name, 0.0, group=name, key=Key(0, False))
        for name in (*KEYS, "gone")
    ]


def ask(folder: Path, tracks: list[LabelledRecording], one: Known) -> list[KeyAnswer]:
    return ask_all_keys([one], 6, tracks, folder, AskingOptions(2), lambda answer: None)


def test_what_is_known_is_not_asked_again(tracks: list[LabelledRecording], tmp_path: Path) -> None:
    first, again = Known(), Known()
    answers = ask(tmp_path, tracks, first)
    assert [(a.estimate, a.confidence, a.failure) for a in answers] == [
        *((found, 0.75, "") for found in KEYS.values()),
        (None, None, "no such file"),
    ]
    log = tmp_path / KEY_LOG
    log.write_text(log.read_text() + '{"key": ["cut')
    assert ask(tmp_path, tracks, again) == answers
    assert (first.asked, again.asked) == (4, 1)  # what failed is tried again
    (tmp_path / "a").write_text("another song")
    ask(tmp_path, tracks, again)
    assert again.asked == 3


def test_model_and_baseline_find_the_key_of_easy_music(tmp_path: Path) -> None:
    path = write_audio(tmp_path / "d.wav", chord_song(2, False, 16, 11025), 11025)
    (make,) = KEY_BASELINES.values()
    assert make().estimate(path) == KeyEstimate(Key(2, False))
    found = KeyModel("default", 10).estimate(path)
    assert found.key == Key(2, False)
    assert found.confidence is not None
    assert found.confidence > 0.5
    with pytest.raises(AudioError):
        make().estimate(tmp_path / "none.wav")
