"""Tests that a task that fails does not take the results of others with it."""

from __future__ import annotations

import dataclasses
import json
import weakref
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tempo_core import AudioError, Estimator, checkpoint, in_use
from tempo_core.answers import Answers, failures_of, told_failures
from tempo_core.background import Stopped
from tempo_core.cli import main
from tempo_core.loading import Row, load_rows
from tests.models_overflowing import overflowing
from tests.rows import mostly_slow

from ..conftest import MakeAudio

TASKS = ("tempo", "pace", "key", "beats", "tags")
TOLD = "sounds like nothing that the model can put into numbers"


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return load_rows(TASKS, {}, None)


def failing(rows: list[Row], *names: str) -> Estimator:
    return Estimator.of([(t, overflowing(m) if t.name in names else m) for t, m in rows], 2)


@mostly_slow("name", ["tempo", "tags", "key", "pace", "beats"], quick=2)
@pytest.mark.parametrize("duration", [20, pytest.param(4, marks=pytest.mark.slow)])
def test_the_other_tasks_are_answered(
    name: str, duration: float, rows: list[Row], make_audio: MakeAudio
) -> None:
    song = make_audio("a.flac", duration=duration, bpm=120)
    found = failing(rows, name).results(song)
    failed = {"tempo": {"tempo", "pace", "beats"}}.get(name, {name})
    assert found.keys() == set(TASKS) - failed
    assert found.failures.keys() == failed
    rest = [task for task in TASKS if task not in failed]
    whole = Estimator.of(rows, 2)
    assert repr(whole.asking(rest).columns(found)) == repr(
        {
            k: v
            for k, v in whole.columns(whole.results(song)).items()
            if k in whole.asking(rest).columns(found)
        }
    )
    with pytest.raises(AudioError, match=TOLD):
        _ = found[name]


def test_if_all_fail_the_file_fails(rows: list[Row], make_audio: MakeAudio) -> None:
    with pytest.raises(AudioError, match=TOLD):
        failing(rows, "tempo", "key", "tags").results(make_audio("a.flac", duration=8, bpm=120))


def test_a_repeated_file_that_fails_leaves_the_answers_for_the_file_alone(
    rows: list[Row], make_audio: MakeAudio
) -> None:
    song = make_audio("a.flac", duration=4, bpm=120)  # eight beats
    calls: list[int] = []

    def decode(*given: Any) -> Any:
        calls.append(len(calls))
        if len(calls) == 2:
            raise AudioError("no tempo")
        return tempo.decode(*given)

    (tempo,) = (task for task, _ in rows if task.name == "tempo")
    changed = dataclasses.replace(tempo, decode=decode)
    found = Estimator.of([(changed if t is tempo else t, m) for t, m in rows], 2).results(song)
    assert calls == [0, 1]
    assert found.keys() == set(TASKS)
    assert found.failures == {}


def test_an_error_keeps_nothing_that_was_heard() -> None:
    class Audio:
        pass

    def fail(audio: Audio) -> dict[str, Any]:
        kept.append(weakref.ref(audio))
        raise AudioError("a")

    kept: list[weakref.ref[Audio]] = []
    answers = Answers()
    answers.take(["tempo"], partial(fail, Audio()))
    assert answers.failures.keys() == {"tempo"}
    assert kept[0]() is None


def test_an_estimate_needs_the_tempo_only(rows: list[Row], make_audio: MakeAudio) -> None:
    song = make_audio("a.flac", duration=8, bpm=120)
    found = failing(rows, "key").estimate(song)
    assert found.bpm == pytest.approx(120, abs=0.5)
    assert found.key is None
    assert found.failures == {"key": TOLD}
    with pytest.raises(AudioError, match=TOLD):
        failing(rows, "tempo").estimate(song)


def test_an_error_is_told_once() -> None:
    one, other = AudioError("a"), AudioError("b")
    failures = {"tempo": one, "key": other, "pace": one}
    assert told_failures(failures) == "tempo, pace: a; key: b"
    assert told_failures(failures_of({"tempo": 1})) == ""


def test_what_is_stopped_is_no_failure_of_a_task() -> None:
    def stop() -> Any:
        raise Stopped("interrupted")

    with pytest.raises(Stopped):
        Answers().take(["tempo"], stop)
    with pytest.raises(KeyError):
        _ = Answers()["tempo"]


def test_a_row_has_what_was_found_and_the_error(make_audio: MakeAudio, home: Path) -> None:
    song = make_audio("a.flac", duration=8, bpm=120)
    in_use.folder().mkdir(parents=True, exist_ok=True)
    shipped = checkpoint.load(checkpoint.resolve("shipped", "key"), "key")
    in_use.activate(checkpoint.save(in_use.folder(), overflowing(shipped)).name, "key")

    def run(form: str) -> Any:
        args = ["estimate", "--tasks", "tempo,key", "--format", form, str(song)]
        result = CliRunner().invoke(main, args)
        assert result.exit_code == 1
        assert result.stderr.endswith("1 of 1 files failed\n")
        return result

    (row,) = json.loads(run("json").stdout)
    assert row["bpm"] == pytest.approx(120, abs=0.5)
    assert (row["key"], row["error"]) == (None, f"key: {TOLD}")
    text = run("text")
    assert text.stdout.startswith(f"{song}: {row['bpm']:.2f} BPM")
    assert text.stderr.startswith(f"{song}: key: {TOLD}\n")
    assert run("tsv").stdout.endswith(f"\tkey: {TOLD}\n")
