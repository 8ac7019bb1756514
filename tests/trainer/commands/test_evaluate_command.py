"""Tests of `tempo-core evaluate` on the command line, with audio files."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from click.testing import CliRunner, Result

from tempo_core import checkpoint
from tempo_core.cli import main
from tempo_core.reading import NOT_REGULAR
from tests.conftest import KeyedSong
from trainer.commands.evaluate import BASELINE_NAMES, KEY_BASELINE_NAMES
from trainer.evaluation.answers import read_answers
from trainer.evaluation.baselines import BASELINES, Librosa
from trainer.evaluation.history import pack, read_history, unpack
from trainer.evaluation.key_answers import read_key_answers
from trainer.evaluation.key_estimators import KEY_BASELINES
from trainer.evaluation.metrics import progress
from trainer.trainingset import memory
from trainer.trainingset.tables import TRACKS, CollectedTrack, read_collection, write_table

MakeAudio = Callable[..., Path]
N_TRACKS = 9  # more than are done before the signal arrives


def run(*args: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *(str(a) for a in args)])


def make(make_audio: MakeAudio, name: str, bpm: float, **options: object) -> Path:
    return make_audio(name, bpm=bpm, duration=13, sr=22050, channels=1, **options)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave plots out of reports; `test_a_training_set` and `test_report.py` test them."""
    monkeypatch.setattr("trainer.evaluation.plots.png", lambda _figure: b"\x89PNG")


@pytest.fixture
def folder(tmp_path: Path, make_audio: MakeAudio) -> Path:
    """A training set of three tracks, two in the test split, of which one file is missing."""
    tracks = [
        CollectedTrack(make(make_audio, "a.wav", 126), 126.0, "table", group="a", split="test"),
        CollectedTrack(tmp_path / "gone.wav", 100.0, "table", group="b", split="test"),
        CollectedTrack(make(make_audio, "c.wav", 118), 118.0, "table", group="c", split="train"),
    ]
    home = tmp_path / "set"
    home.mkdir()
    write_table(home / TRACKS, tracks, CollectedTrack)
    return home


@pytest.mark.slow
def test_a_training_set(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(folder, "--out", out, "--baseline", "librosa")
    assert result.exit_code == 1  # one file is gone
    assert f"{tmp_path / 'gone.wav'}: no such file" in result.stderr
    assert "2 of 4 estimates failed and count as wrong" in result.stderr
    assert "split: test" in result.stdout
    answers = read_answers(out / "tracks.tsv")
    assert [(a.path.name, bool(a.failure)) for a in answers] == 2 * [
        ("a.wav", False),
        ("gone.wav", True),
    ]
    assert answers[0].estimate == pytest.approx(126, abs=0.1)
    assert answers[2].confidence is None
    figures = json.loads((out / "figures.json").read_text())["estimators"]
    ours, theirs = (f["all"] for f in figures.values())
    assert ours["acc1"] == 0.5
    assert (ours["n"], ours["n_failed"]) == (theirs["n"], theirs["n_failed"]) == (2, 1)
    assert (out / "report.html").stat().st_size > 50_000
    assert run(folder, "--out", out, "--split", "train").exit_code == 0


@pytest.mark.usefixtures("undrawn")
def test_a_table_with_a_bad_line(tmp_path: Path, make_audio: MakeAudio) -> None:
    make(make_audio, "a.wav", 126)
    table = tmp_path / "t.tsv"
    table.write_text("path\tbpm\na.wav\t126\na.wav\tNaN\n")
    result = run(table, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert f"{table}, line 3: bpm is 'NaN'; give a number above 0" in result.stderr
    assert "1 label could not be used" in result.stderr
    assert "100.0" in result.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [("path\tbpm\n", "nothing is labelled"), ("path\ttempo\n", "has no column bpm")],
)
def test_nothing_to_measure(tmp_path: Path, content: str, message: str) -> None:
    table = tmp_path / "t.tsv"
    table.write_text(content)
    result = run(table, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_wrong_usage(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "give a folder, a table or --dataset" in run("--out", out).stderr
    assert "--dataset needs --data-home" in run("--out", out, "--dataset", "ballroom").stderr
    assert "no table and no folder" in run(tmp_path, "--out", out).stderr
    for name, content in (("tempo-20260101-00000000.safetensors", "x"), ("x.safetensors", "x")):
        model = tmp_path / name
        model.write_text(content)
        table = tmp_path / "t.tsv"
        table.write_text("path\tbpm\na.wav\t120\n")
        result = run(table, "--out", out, "--model", model)
        assert result.exit_code == 1
        assert str(model) in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.usefixtures("undrawn")
def test_the_log_of_the_training_is_drawn(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "metrics.csv"
    log.write_text("epoch,step,train_loss,val_error_p50\n0,10,2.0,9\n1,20,1.0,0.5\n")
    out = tmp_path / "out"
    run(folder, "--out", out, "--split", "train", "--log", log)
    assert (out / "plots" / "training.png").exists()
    assert "<h2>Training</h2>" in (out / "report.html").read_text()


@pytest.mark.usefixtures("undrawn")
@pytest.mark.slow
def test_files_that_are_none_and_names_of_any_bytes(
    tmp_path: Path, make_audio: MakeAudio, hang: Callable[[Path], None]
) -> None:
    """Broken files and names of any bytes: the table of `estimate` can be evaluated."""
    song = make(make_audio, "a.wav", 126).rename(tmp_path / os.fsdecode(b"\xff \x1b[2J\t\n.wav"))
    os.mkfifo(tmp_path / "pipe.wav")
    slow = make(make_audio, "slow.flac", 126)
    hang(slow)
    paths = [song, tmp_path / "pipe.wav", slow]
    estimated = CliRunner().invoke(
        main,
        ["estimate", "--tasks", "tempo", "--format", "tsv", "--time-limit", "1", *map(str, paths)],
    )
    lines = estimated.stdout.splitlines()
    assert len(lines) == 4
    table = tmp_path / "t.tsv"
    table.write_text("\n".join([lines[0], *(_labelled(line) for line in lines[1:])]) + "\n")
    begin = time.monotonic()
    result = run(table, "--out", tmp_path / "out", "--time-limit", 1, "--windows", "all")
    assert time.monotonic() - begin < 30
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert f"{paths[1]}: {NOT_REGULAR}" in result.stderr
    assert f"{slow}: given up after 1 s" in result.stderr
    assert "2 of 3 estimates failed and count as wrong" in result.stderr
    answers = {answer.path: answer for answer in read_answers(tmp_path / "out" / "tracks.tsv")}
    assert answers[song].estimate == pytest.approx(126, abs=0.1)


def _labelled(line: str) -> str:
    path, _, *rest = line.split("\t")
    return "\t".join([path, "126", *rest])


def learned_model(folder: Path, card: dict[str, object]) -> Path:
    """The shipped model with another card."""
    shipped = checkpoint.load(checkpoint.resolve("shipped"))
    return checkpoint.save(folder, dataclasses.replace(shipped, card=card))


@pytest.mark.usefixtures("undrawn")
def test_the_curves_are_those_of_the_model_and_no_others(folder: Path, tmp_path: Path) -> None:
    """The report draws the curves in the model, not those of another run beside the set."""
    log = folder / "runs/fit-12345678/csv/version_0/metrics.csv"
    log.parent.mkdir(parents=True)
    log.write_text("epoch,loss\n0,3\n1,2\n")
    rows = [
        {"epoch": k, "loss": 3.0 - k, **progress([100] * 4, [100 + 2 * k, 104, 200, 120])}
        for k in range(3)
    ]
    silent = learned_model(tmp_path / "models", {})
    telling = learned_model(tmp_path / "models", {"history": pack(rows)})
    out = tmp_path / "out"
    for model, drawn in ((telling, True), (silent, False), ("default", False)):
        run(folder, "--out", out, "--split", "train", "--model", model)
        assert ("<h2>Training</h2>" in (out / "report.html").read_text()) == drawn
        assert (out / "history.csv").exists() == drawn
        if drawn:
            assert read_history(out / "history.csv") == unpack(pack(rows))


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_it_says_what_the_model_has_learned_from(folder: Path, tmp_path: Path) -> None:
    (track, *_) = read_collection(folder)
    model = learned_model(
        tmp_path / "models", {memory.CARD_KEY: memory.pack(memory.remember([track]))}
    )
    out = tmp_path / "out"
    result = run(folder, "--out", out, "--split", "all", "--model", model)
    assert f"{model.stem} has learned from 1 of these 3 tracks" in result.stdout
    assert "has learned from 1 of these 3 tracks" in (out / "report.html").read_text()
    assert "has learned from" not in run(folder, "--out", out, "--split", "all").stdout


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_stated_paces_are_compared(tmp_path: Path, make_audio: MakeAudio) -> None:
    make(make_audio, "a.wav", 126)
    make(make_audio, "b.wav", 100, style="rock")
    table, out = tmp_path / "t.tsv", tmp_path / "out"
    table.write_text("path\tbpm\tpaces\na.wav\t126\t63 126\nb.wav\t100\t\n")
    for _ in range(2):  # asked, then known
        result = run(table, "--out", out)
        assert result.exit_code == 0, result.output
        (line,) = [line for line in result.stdout.splitlines() if ", paces of 1 tracks: " in line]
    (first, _) = read_answers(out / "tracks.tsv")
    assert first.paces == (63.0, 126.0)
    assert len(first.judged) > 3
    figures = json.loads((out / "figures.json").read_text())["estimators"]
    (paces,) = [own["paces"] for own in figures.values()]
    assert paces["n_candidates"] == len(first.judged)
    assert f"{100 * paces['accuracy']:.1f} % of {paces['n_candidates']} candidates" in line
    page = (out / "report.html").read_text()
    assert "<h2>Paces</h2>" in page
    redrawn = CliRunner().invoke(main, ["plot", str(out)])
    assert redrawn.exit_code == 0, redrawn.output
    assert (out / "report.html").read_text() == page


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_answers_from_before_paces_were_kept_are_asked_again(
    tmp_path: Path, make_audio: MakeAudio
) -> None:
    make(make_audio, "a.wav", 126)
    table, out = tmp_path / "t.tsv", tmp_path / "out"
    table.write_text("path\tbpm\tpaces\na.wav\t126\t63 126\n")
    run(table, "--out", out)
    log = out / "estimates.jsonl"
    entry = json.loads(log.read_text())
    log.write_text(json.dumps({k: v for k, v in entry.items() if not k.startswith("paces")}) + "\n")
    assert ", paces of 1 tracks: " in run(table, "--out", out).stdout
    assert log.read_text().count("\n") == 2


@pytest.mark.usefixtures("undrawn")
def test_wrong_paces_are_one_line(tmp_path: Path, make_audio: MakeAudio) -> None:
    make(make_audio, "a.wav", 126)
    table = tmp_path / "t.tsv"
    table.write_text("path\tbpm\tpaces\na.wav\t126\tfast\na.wav\t126\t\n")
    result = run(table, "--out", tmp_path / "out")
    assert f"{table}, line 2: 'fast' is no pace" in result.stderr


@pytest.mark.usefixtures("undrawn")
def test_no_progress_bar_in_a_file(folder: Path, tmp_path: Path) -> None:
    """Standard error has only messages, no progress bar, if it is not a terminal."""
    result = run(folder, "--out", tmp_path / "out")
    assert "\r" not in result.stderr
    assert "track/s" not in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("beats", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_librosa_is_what_it_says(beats: bool, tmp_path: Path, make_audio: MakeAudio) -> None:
    import librosa

    path = make(make_audio, "a.wav", 118)
    audio, sr = soundfile.read(path, dtype="float32")
    expected = (
        librosa.beat.beat_track(y=audio, sr=sr)[0] if beats else librosa.feature.tempo(y=audio)
    )
    estimator = Librosa(beats)
    assert estimator.estimate(path).bpm == pytest.approx(float(expected[0]), abs=0.01)
    assert math.isnan(estimator.estimate(path).confidence)
    assert set(BASELINE_NAMES) == set(BASELINES)
    assert set(KEY_BASELINE_NAMES) == set(KEY_BASELINES)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_an_interrupted_run_goes_on(
    number: signal.Signals, tmp_path: Path, make_audio: MakeAudio
) -> None:
    source = make(make_audio, "0.wav", 126)
    lines = ["path\tbpm"]
    for k in range(N_TRACKS):
        (tmp_path / f"{k}.wav").exists() or os.link(source, tmp_path / f"{k}.wav")
        lines.append(f"{k}.wav\t126")
    table = tmp_path / "t.tsv"
    table.write_text("\n".join(lines) + "\n")
    out = tmp_path / "out"
    args = ["evaluate", str(table), "--out", str(out), "--jobs", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tempo_core.cli", *args], stderr=subprocess.PIPE, text=True
    )
    log = out / "estimates.jsonl"
    while not (log.exists() and log.read_text().count("\n") >= 2):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode != 0
    if number == signal.SIGINT:
        assert "the same command goes on from here" in stderr
    done = log.read_text().count("\n")
    assert 2 <= done < N_TRACKS
    assert not (out / "figures.json").exists()
    result = run(table, "--out", out)
    assert result.exit_code == 0, result.output
    assert log.read_text().count("\n") == N_TRACKS
    assert len(read_answers(out / "tracks.tsv")) == N_TRACKS


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_table_of_keys(aeolian: list[KeyedSong], tmp_path: Path) -> None:
    """Keys without tempi: only they are measured, beside the baseline, and that is said."""
    table = tmp_path / "keys.tsv"
    rows = [f"{song.path}\t{song.key.camelot}\t{song.artist}" for song in aeolian[:3]]
    table.write_text("\n".join(["path\tkey\tartist", *rows, "x.wav\tH#\tNobody"]) + "\n")
    out = tmp_path / "out"
    result = run(table, "--out", out, "--baseline", "krumhansl")
    assert result.exit_code == 1  # for the last line
    assert "line 5: 'H#' is no key" in result.stderr
    assert "No track has a labelled tempo, so only keys are measured." in result.stdout
    assert "in 4 %" not in result.stdout
    assert "minor as major" in result.stdout
    assert f"{aeolian[0].artist}: key Cm, analysed as D#, confidence " in result.stdout
    answers = read_key_answers(out / "keys.tsv")
    assert [a.estimator.partition("-")[0] for a in answers] == ["key"] * 3 + ["krumhansl"] * 3
    assert [a.reference for a in answers[:3]] == [song.key for song in aeolian[:3]]
    figures = json.loads((out / "figures.json").read_text())
    assert figures["about"]["title"] == "Key of 3 tracks"
    assert [own["all"]["n"] for own in figures["keys"].values()] == [3, 3]
    log = (out / "key-estimates.jsonl").read_text()
    again = run(table, "--out", out, "--baseline", "krumhansl", "--model", "shipped")
    assert "in 4 %" not in again.stdout
    assert (out / "key-estimates.jsonl").read_text() == log


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_tempo_and_a_key_of_one_track(aeolian: list[KeyedSong], tmp_path: Path) -> None:
    """Both are measured; a text that is no key costs the tempo beside it nothing."""
    song = aeolian[0]
    table = tmp_path / "both.tsv"
    table.write_text(f"path\tbpm\tkey\n{song.path}\t120\tCm\n{aeolian[1].path}\t120\tunknown\n")
    model = checkpoint.resolve("shipped", "key")
    result = run(table, "--out", tmp_path / "out", "--model", model.stem)
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert [own["all"]["n"] for own in document["estimators"].values()] == [2]
    assert [own["all"]["n"] for own in document["keys"].values()] == [1]
    assert document["about"]["title"] == "Tempo of 2 tracks and key of 1"


def test_a_training_set_knows_keys(aeolian: list[KeyedSong], tmp_path: Path) -> None:
    from trainer.evaluation.labelled import read_source

    tracks = [CollectedTrack(song.path, 120.0, "field", key=str(song.key)) for song in aeolian[:2]]
    write_table(tmp_path / TRACKS, tracks, CollectedTrack)
    found, problems = read_source(tmp_path)
    assert ([t.key for t in found], problems) == ([song.key for song in aeolian[:2]], [])
